"""`noroshi node run` with the stand-in core: python -m tests.service.standin_node DIR [--watch-stdin]."""

from __future__ import annotations

import sys

from noroshi.errors import NoroshiError
from noroshi.service.process import run_node
from tests.service.standin import StandInCores

if __name__ == "__main__":
    try:
        run_node(sys.argv[1], watch_stdin="--watch-stdin" in sys.argv, cores=StandInCores)
    except NoroshiError as error:
        print(error.sentence(), file=sys.stderr)
        sys.exit(2)
