"""`python deploy/install.py REQUIREMENTS`: the locked packages, each against its hash, then this project, editable.

Runs before anything is installed, so it needs the standard library alone.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

WIDTH = 30
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]


class Bar:
    """One line that is drawn over itself on a terminal, a line per ten packages elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._began = time.monotonic()
        self._terminal = sys.stdout.isatty()

    def step(self, what: str) -> None:
        self.done = min(self.done + 1, self.total)
        if self._terminal or self.done % 10 == 0:
            self.show(what)

    def show(self, what: str) -> None:
        filled = WIDTH * self.done // self.total
        seconds = int(time.monotonic() - self._began)
        line = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {self.done}/{self.total} {seconds:3d} s  {what}"
        sys.stdout.write(f"\r\033[K{line[:110]}" if self._terminal else f"{line}\n")
        sys.stdout.flush()

    def end(self) -> None:
        if self._terminal:
            sys.stdout.write("\n")


def install(requirements: Path) -> int:
    """Install; pip's own words are shown only when it fails. The exit code."""
    total = len(re.findall(r"^[a-z0-9]", requirements.read_text(encoding="utf-8"), re.MULTILINE))
    print(f"Installing {total} locked packages from {requirements} (the first time takes a minute)")
    bar = Bar(total)
    said: list[str] = []
    command = [*PIP, "--progress-bar", "off", "--require-hashes", "-r", str(requirements)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            said.append(line)
            if found := re.match(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)", line):
                bar.step(found[1])
            elif line.startswith("Installing collected"):
                bar.show("putting them in place …")
    bar.end()
    if pip.returncode:
        sys.stderr.write("".join(said[-15:]))
        sys.stderr.write("The packages could not be installed: see above; is the package index reachable?\n")
        return pip.returncode
    return subprocess.run(
        [*PIP, "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(install(Path(sys.argv[1])))
