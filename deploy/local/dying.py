"""Children end with their parent, however the parent dies.

A `preexec_fn` would do it in one line, but runs Python between fork and exec: beside threads that can hang the parent
for good. So the child becomes this file first, and then, under the same process id, the program.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

SET_PARENT_DEATH_SIGNAL = 1
PARENT_IS_GONE = 143  # what a shell says of a program that SIGTERM ended


def ending_with_parent(
    command: Sequence[str], number: signal.Signals, *, uid: int | None = None, gid: int | None = None, nice: int = 0
) -> list[str]:
    """The command that runs `command` as this user; on Linux the kernel sends it `number` when its parent is gone.

    The parent is the thread that starts it. Changing the user clears the kernel's note, so that is done here as well.
    `nice` is how far it stands back when processors are short.
    """
    words = [str(os.getpid()), str(int(number)), str(uid or 0), str(gid or 0), str(nice)]
    return [sys.executable, "-I", "-S", __file__, *words, *command]


def become(parent: int, number: int, uid: int, gid: int, nice: int, command: Sequence[str]) -> None:
    """Never returns unless the program can't be run, which raises OSError."""
    os.nice(nice)
    if uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, number)
        if os.getppid() != parent:  # it died before the kernel was told
            sys.exit(PARENT_IS_GONE)
    os.execvp(command[0], list(command))  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    parent, number, uid, gid, nice = (int(word) for word in sys.argv[1:6])
    try:
        become(parent, number, uid, gid, nice, sys.argv[6:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[6]} cannot be run: {error.strerror}\n")
        sys.exit(127)
