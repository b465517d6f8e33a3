"""Where numba is configured, and how its kernels are run on several threads.

Only modules that hold kernels import this one, so that ``import lacuna`` does not load numba. All kernels of
one algorithm live in one file: numba's disk cache is checked against the file of the function that is called
and does not notice changes of its callees elsewhere.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
import numba.core.dispatcher

from lacuna.threads import THREADS_VARIABLE, thread_count

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["THREADS_VARIABLE", "is_compiled", "jit", "row_bands", "run_bands", "thread_count"]

_MAX_WORKERS = 256


@overload
def jit(function: F) -> F: ...
@overload
def jit(*, cache: bool = ..., **options: Any) -> Callable[[F], F]: ...
def jit(function: F | None = None, *, cache: bool = True, **options: Any) -> Any:
    """Compile a function that works on arrays and numbers, without holding the GIL.

    Use it bare or with further options of `numba.njit`, such as ``fastmath=True`` or ``inline="always"``.

    Parameters
    ----------
    cache : keep the machine code on disk: beside the package or, where that is read-only, in the user's
        cache folder (``NUMBA_CACHE_DIR`` names another one). Where no folder can be written, the function is
        compiled in every process instead.

    Examples
    --------
    >>> @jit
    ... def twice(x):
    ...     return 2 * x
    >>> twice(21)
    42
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def compile_(inner: F) -> Any:
        if cache:
            try:
                return numba.njit(cache=True, **options)(inner)
            except RuntimeError:  # "no locator available": nowhere to write, or no source file
                pass
        return numba.njit(**options)(inner)

    return compile_ if function is None else compile_(function)


def is_compiled(kernel: Callable[..., Any]) -> bool:
    """Say whether a call starts at once: there is machine code for it in this process or on disk.

    A guess: what lies on disk may be for another machine or for other types.
    """
    if not isinstance(kernel, numba.core.dispatcher.Dispatcher) or kernel.signatures:
        return True
    folder = kernel.stats.cache_path
    return folder is not None and any(Path(folder).glob(f"*.{kernel.py_func.__name__}-*.nbi"))


def row_bands(rows: int, size: int = 64) -> list[tuple[int, int]]:
    """Cut ``range(rows)`` into ``(start, stop)`` bands of a fixed size; the last one may be shorter.

    Examples
    --------
    >>> row_bands(150)
    [(0, 64), (64, 128), (128, 150)]
    """
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def run_bands(
    kernel: Callable[..., Any], bands: Sequence[tuple[int, int]], *args: Any, threads: int | None = None
) -> list[Any]:
    """Call ``kernel(start, stop, *args)`` for every band, several at once, and return the results in order.

    The result does not depend on the number of threads as long as the bands do not and no band reads what
    another one writes.

    Parameters
    ----------
    kernel : a `jit` function; it runs outside the GIL. A band should take well under half a second, because
        an interrupt is noticed between bands.
    bands : see `row_bands`.
    threads : at most so many at once; None is `thread_count`. The calling thread is one of them.

    Raises
    ------
    KeyboardInterrupt, or whatever a band raises : the bands that run are waited for, the rest is dropped.
    """
    limit = min(thread_count() if threads is None else threads, len(bands))
    if limit <= 1 or getattr(_local, "inside", False):  # a band that calls run_bands must not wait for itself
        with _interrupts():
            return [kernel(start, stop, *args) for start, stop in bands]
    results: list[Any] = [None] * len(bands)
    ticket = itertools.count()  # next() on it is atomic
    stop = threading.Event()

    def work() -> None:
        outer, _local.inside = getattr(_local, "inside", False), True
        try:
            while not stop.is_set() and (i := next(ticket)) < len(bands):
                results[i] = kernel(*bands[i], *args)
        except BaseException:
            stop.set()
            raise
        finally:
            _local.inside = outer

    helpers: list[Future[None]] = [_pool().submit(work) for _ in range(limit - 1)]
    with _interrupts():
        try:
            work()
            wait(helpers)
        finally:
            stop.set()
            for helper in helpers:
                helper.cancel()
            wait(helpers)
        for helper in helpers:
            helper.result()
    return results


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let Ctrl-C be a `KeyboardInterrupt` whenever it arrives.

    When that is while numba hands a call to compiled code, numba raises a `SystemError` and keeps the
    interrupt as its cause.
    """
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


_local = threading.local()
_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None
_fork_hook = False


def _pool() -> ThreadPoolExecutor:
    """Return the pool of this process; threads start when they are needed."""
    global _executor, _fork_hook
    with _lock:
        if not _fork_hook and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_pool)
            _fork_hook = True
        if _executor is None:
            _executor = ThreadPoolExecutor(_MAX_WORKERS, thread_name_prefix="lacuna-band")
        return _executor


def _forget_pool() -> None:
    """Threads do not survive a fork: the child makes its own when it needs them."""
    global _executor, _lock, _local
    _executor, _lock, _local = None, threading.Lock(), threading.local()
