"""The benchmark: every method on every picture and hole, in tables that can be checked.

`evaluate` runs and measures, `write_tables` and `write_report` render, `compare_runs` says what changed.
"""

from lacuna.evaluate.compare import Change, Comparison, compare_runs
from lacuna.evaluate.folder import Run, load_run
from lacuna.evaluate.report import write_report
from lacuna.evaluate.run import evaluate
from lacuna.evaluate.tables import write_tables

__all__ = [
    "Change",
    "Comparison",
    "Run",
    "compare_runs",
    "evaluate",
    "load_run",
    "write_report",
    "write_tables",
]
