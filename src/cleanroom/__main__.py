"""`python -m cleanroom`: the command line."""

import sys

from cleanroom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
