"""Where numba is configured: compiling without a place for a cache, and bands on threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna import jit as jit_module
from lacuna.errors import OptionError
from lacuna.jit import THREADS_VARIABLE, jit, row_bands, run_bands, thread_count


@jit
def add_rows(start: int, stop: int, table: Any, out: Any) -> float:
    total = 0.0
    for y in range(start, stop):
        for x in range(table.shape[1]):
            out[y] += table[y, x]
        total += out[y]
    return total


def test_a_function_without_a_file_is_compiled_without_a_cache() -> None:
    scope: dict[str, Any] = {}
    exec("def thrice(x):\n    return 3 * x", scope)  # noqa: S102 - numba finds no place to cache this one
    assert jit(scope["thrice"])(14) == 42


def test_options_reach_numba() -> None:
    @jit(cache=False, fastmath=True)
    def half(x: float) -> float:
        return x / 2

    assert half(3.0) == 1.5
    assert half.targetoptions["fastmath"]
    assert half.targetoptions["nogil"]


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_results_come_in_order_whatever_the_threads(threads: int | None, rng: np.random.Generator) -> None:
    table = rng.random((1000, 40))
    out = np.zeros(1000)
    bands = row_bands(1000, 64)
    sums = run_bands(add_rows, bands, table, out, threads=threads)
    alone = np.zeros(1000)
    assert sums == [add_rows(*band, table, alone) for band in bands]
    assert np.array_equal(out, alone)


def test_threads_do_help_each_other() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(start: int, stop: int) -> str:
        meeting.wait()  # nobody gets past alone
        return threading.current_thread().name

    names = run_bands(meet, [(0, 1), (1, 2)], threads=2)
    assert len(set(names)) == 2
    assert threading.current_thread().name in names


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_stops_the_rest(error: type[BaseException], threads: int) -> None:
    ran = []

    def band(start: int, stop: int) -> None:
        ran.append(start)
        time.sleep(0.001)
        if start == 5:
            raise error("five")

    with pytest.raises(error, match="five"):
        run_bands(band, row_bands(500, 1), threads=threads)
    assert len(ran) < 100
    before = len(ran)
    time.sleep(0.02)
    assert len(ran) == before  # nothing goes on behind our back


def test_a_band_may_have_bands() -> None:
    def inner(start: int, stop: int) -> int:
        return stop - start

    def outer(start: int, stop: int) -> int:
        return sum(run_bands(inner, row_bands(stop - start, 3), threads=4))

    assert run_bands(outer, row_bands(100, 10), threads=4) == [10] * 10


def test_no_bands() -> None:
    assert row_bands(0) == []
    assert run_bands(add_rows, []) == []


@pytest.mark.parametrize(("text", "expected"), [("1", 1), (" 1 ", 1), ("100000", None), ("", None)])
def test_thread_count(monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None) -> None:
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    cores = thread_count()
    monkeypatch.setenv(THREADS_VARIABLE, text)
    assert thread_count() == (cores if expected is None else expected)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_bad_thread_count_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, text)
    with pytest.raises(OptionError, match=f"LACUNA_THREADS is '{text}'"):
        thread_count()


FORK = """
import os, sys
from lacuna.jit import run_bands, row_bands
def band(start, stop):
    return start
run_bands(band, row_bands(50, 1), threads=3)
child = os.fork()
if child == 0:
    ok = run_bands(band, row_bands(50, 1), threads=3) == list(range(50))
    sys.exit(0 if ok else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gets_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=60, check=False)
    assert done.returncode == 0


def test_the_pool_is_made_on_demand() -> None:
    code = "import lacuna.jit as j, threading; assert j._executor is None and threading.active_count() == 1"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
    assert jit_module.THREADS_VARIABLE == "LACUNA_THREADS"


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_that_numba_wraps_is_an_interrupt(threads: int) -> None:
    def kernel(start: int, stop: int) -> None:
        raise SystemError("CPUDispatcher returned a result with an exception set") from KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        run_bands(kernel, [(0, 1), (1, 2)], threads=threads)


def test_another_system_error_stays_one() -> None:
    def kernel(start: int, stop: int) -> None:
        raise SystemError("something else")

    with pytest.raises(SystemError, match="something else"):
        run_bands(kernel, [(0, 1), (1, 2)], threads=1)


def test_whether_a_call_has_to_wait_for_the_compiler(tmp_path: Path) -> None:
    script = """
from lacuna.exemplar import kernels
from lacuna.jit import is_compiled
import numpy as np
print(is_compiled(kernels._hash))
kernels._hash(np.uint64(1), np.uint64(2))
print(is_compiled(kernels._hash), is_compiled(len))
"""

    def told(folder: Path) -> list[str]:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert told(tmp_path) == ["False", "True", "True"]
    assert told(tmp_path) == ["True", "True", "True"]
