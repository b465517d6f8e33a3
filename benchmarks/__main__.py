"""``python -m benchmarks``, ``make bench``: the speed benchmark. For quality see README.md."""

import sys
from pathlib import Path

# The files here are scripts that import one another by name, as they do when started by their path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from speed import main

main()
