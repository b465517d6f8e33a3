from __future__ import annotations

import threading
import time

import pytest

from lacuna.errors import Cancelled
from lacuna.progress import collect_notes, note, report, run_interruptible, scaled


def test_shares_stay_between_nothing_and_all() -> None:
    seen: list[tuple[float, str]] = []
    for share in (-1.0, 0.25, 7.0):
        report(lambda share, words: seen.append((share, words)), share, "x")
    assert seen == [(0.0, "x"), (0.25, "x"), (1.0, "x")]
    report(None, 0.5)


def test_scaled_nests() -> None:
    seen: list[float] = []
    inner = scaled(scaled(lambda share, words: seen.append(share), 0.5, 1.0), 0.0, 0.5)
    report(inner, 0.0)
    report(inner, 1.0)
    assert seen == [0.5, 0.75]
    assert scaled(None, 0, 1) is None


def test_notes_nest_and_are_private_to_a_thread() -> None:
    note("nobody listens")
    with collect_notes() as outer:
        note("a")
        with collect_notes() as inner:
            note("b")
        thread = threading.Thread(target=note, args=("c",))
        thread.start()
        thread.join()
        note("d")
        note("a")
    assert (outer, inner) == (["a", "d"], ["b"])


def test_a_foreign_call_gives_its_value_or_its_error() -> None:
    assert run_interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_interruptible(lambda: 1 / 0)


def test_waiting_for_a_foreign_call_can_be_stopped() -> None:
    over = threading.Event()

    def stop(share: float, words: str) -> None:
        raise Cancelled(words)

    started = time.perf_counter()
    with pytest.raises(Cancelled, match="waiting"):
        run_interruptible(lambda: over.wait(20), stop, "waiting")
    assert time.perf_counter() - started < 0.5
    over.set()
