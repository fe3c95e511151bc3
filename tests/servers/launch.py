"""Turn this process into another program that dies with the process that started it.

Usage: launch.py PARENT_PID DEATH_SIGNAL UID PROGRAM [ARGUMENT ...]; a UID of -1 keeps the present user.
It runs with `-I -S`, so it has the standard library and nothing else.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, uid: int, command: list[str]) -> None:
    """Drop to `uid`, tie this process to `parent`, and become `command`."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of user, because that change clears the setting.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
