"""Runs a command that dies with its parent: `python tether.py PARENT_PID COMMAND...`.

A supervisor killed with SIGKILL cannot stop its children, so the kernel does it
(prctl(2), PR_SET_PDEATHSIG; kept across exec). A program of its own and not a
`preexec_fn`, which may deadlock where threads run. Elsewhere than on Linux the
command runs untethered. Imports nothing but the standard library: it runs with
`-I -S`, to cost little.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above: then nobody sends the signal any more.
    if os.getppid() != parent:
        sys.exit(f"{command[0]}: its parent {parent} is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
