"""``python -m benchmarks``, ``make bench``: the speed benchmark, then layers. For quality see README.md."""

import importlib.util
import sys
from pathlib import Path

# The files here are scripts that import one another by name, as they do when started by their path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from speed import main

main()
if importlib.util.find_spec("torch") is None:
    print("\nLayers of the networks are not timed: torch is not installed.")
else:
    from layers import main as layers

    layers([])
