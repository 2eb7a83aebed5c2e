"""`cleanroom`, also as `python -m cleanroom`: the command line, and the shortest way out of it.

In: sys.argv. Out: the exit status of cli/main.py. Never: anything that has to be tidied up after
`main`: the process ends without python's own ending.
"""

# ruff: noqa: E402
import gc

gc.disable()  # until the command's module is there (cli/main.py): imports leave nothing to collect

import os
import signal
import sys
from typing import NoReturn

# `main` catches what python raises at Ctrl-C; until it is there, the signal itself ends this.
_raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _raises:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cleanroom.cli.main import main

if _raises:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run() -> NoReturn:
    """Be the console script.

    Python would now free every object of a process that is over, for 4 ms that a person waits for.
    What is flushed or closed on purpose, `main` and the commands have; a bug's traceback takes the
    usual way, and so does the daemon, which has threads to join.
    """
    _fill_standard_streams()
    status = main()
    if sys.argv[1:2] == ["serve"]:
        sys.exit(status)
    os._exit(status)


def _fill_standard_streams() -> None:
    """Put /dev/null where the caller closed one, or a socket would get its number, and output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one's
            os.set_inheritable(descriptor, True)  # noqa: FBT003 -- its only form
            setattr(sys, name, os.fdopen(descriptor, mode))


if __name__ == "__main__":
    run()
