"""`python -m cleanroom`: the command line.

In: sys.argv. Out: the exit status of cli/main.py. Never: anything of its own.
"""

import sys

from cleanroom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
