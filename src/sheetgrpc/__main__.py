"""`python -m sheetgrpc` is the console script `sheetgrpc`."""

import sys

from sheetgrpc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
