"""How many threads may work at once: one rule for numba, torch and onnxruntime."""

from __future__ import annotations

import os

from lacuna.errors import OptionError

THREADS_VARIABLE = "LACUNA_THREADS"


def thread_count() -> int:
    """Return how many threads may work at once: the cores of this process, at most ``LACUNA_THREADS``.

    Raises
    ------
    OptionError : the variable is set, but not to a whole number of 1 or more.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    text = os.environ.get(THREADS_VARIABLE, "").strip()
    if not text:
        return cores
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(f"{THREADS_VARIABLE} is {text!r}; expected a whole number of 1 or more")
    return min(cores, int(text))
