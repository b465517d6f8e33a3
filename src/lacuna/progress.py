"""Progress and notes out, cancellation in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from lacuna.types import OnStep

POLL_SECONDS = 0.1

T = TypeVar("T")


def report(on_step: OnStep | None, share: float, words: str = "") -> None:
    """Tell the caller how far the work is; the caller may raise `Cancelled` in reply."""
    if on_step is not None:
        on_step(min(max(share, 0.0), 1.0), words)


def scaled(on_step: OnStep | None, start: float, stop: float) -> OnStep | None:
    """Return an `OnStep` whose 0 … 1 is the caller's start … stop."""
    if on_step is None:
        return None
    return lambda share, words: on_step(start + (stop - start) * share, words)


_notes: ContextVar[list[str] | None] = ContextVar("lacuna_notes", default=None)


def note(words: str) -> None:
    """Tell the caller something about the result: a choice that was made, a fallback that was needed.

    A method calls this from the thread in which its `fill` was called; the words end up in `Result.notes`.
    """
    notes = _notes.get()
    if notes is not None and words not in notes:
        notes.append(words)


class Detail(str):
    """A note that only those want who ask how a choice was made."""

    __slots__ = ()


def detail(words: str) -> None:
    """Tell the caller what a choice rests on; as `note`, but a `Detail`."""
    note(Detail(words))


def brief(notes: Iterable[str]) -> list[str]:
    """Return the notes without details.

    Examples
    --------
    >>> brief(["auto chose guided", Detail("expected of guided: …")])
    ['auto chose guided']
    """
    return [each for each in notes if not isinstance(each, Detail)]


@contextmanager
def collect_notes() -> Iterator[list[str]]:
    """Collect what `note` is told inside the ``with`` block, each sentence once.

    Examples
    --------
    >>> with collect_notes() as notes:
    ...     note("patches shrunk to 3 pixels")
    >>> notes
    ['patches shrunk to 3 pixels']
    """
    notes: list[str] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def run_interruptible(work: Callable[[], T], on_step: OnStep | None = None, words: str = "") -> T:
    """Run a call that cannot be interrupted (foreign C code) so that Ctrl-C and `on_step` can stop waiting.

    The call runs in a daemon thread; when the caller gives up, its result is thrown away.
    """
    box: dict[str, Any] = {}

    def target() -> None:
        try:
            box["value"] = work()
        except BaseException as error:  # handed to the waiting thread below
            box["error"] = error

    thread = threading.Thread(target=target, daemon=True, name="lacuna-foreign-call")
    thread.start()
    while thread.is_alive():
        thread.join(POLL_SECONDS)
        if thread.is_alive():
            report(on_step, 0.0, words)
    if "error" in box:
        raise box["error"]
    value: T = box["value"]
    return value
