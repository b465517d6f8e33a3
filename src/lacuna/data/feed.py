"""Batches made ahead of the training loop, by a thread or by processes of their own."""

from __future__ import annotations

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, NamedTuple

from lacuna.data.batches import Batch, Batches, Cropping, random_holes, read_holes
from lacuna.data.photos import Photos
from lacuna.data.source import open_source
from lacuna.errors import MethodError


@dataclass(frozen=True)
class Plan:
    """What a process needs to make any batch of a run.

    Parameters
    ----------
    path : see `lacuna.data.open_source`.
    photos : first and last number of the sorted names that are used; the last is left out.
    side : see `lacuna.data.Photos`.
    memory : bytes of decoded photos that are kept, in each process.
    masks : a folder of masks, or empty for random ones.
    holes, share : see `lacuna.data.random_holes`.
    cropping : see `lacuna.data.Cropping`.
    seed : of order, crops and holes.
    """

    path: str
    photos: tuple[int, int]
    side: int
    memory: int
    masks: str
    holes: tuple[tuple[str, float], ...]
    share: tuple[float, float]
    cropping: Cropping
    seed: int

    def open(self, on_broken: Callable[[str, str], None] | None = None) -> Batches:
        """Open photos and masks.

        Parameters
        ----------
        on_broken : see `lacuna.data.Photos`.

        Raises
        ------
        ImageError : no photos, or no masks.
        """
        source = open_source(self.path)
        names = source.names[slice(*self.photos)]
        photos = Photos(source, names, side=self.side, memory=self.memory, on_broken=on_broken)
        hole = read_holes(self.masks) if self.masks else random_holes(self.holes, self.share)
        return Batches(photos, self.cropping, hole, seed=self.seed)


class Wanted(NamedTuple):
    """The samples first … first + samples − 1, each of side × side pixels."""

    first: int
    samples: int
    side: int


class Feed:
    """Batches in order, made while the caller works.

    Batch k is a function of the plan and of k alone, so that who makes it changes nothing.

    Parameters
    ----------
    batches : of this process; its photos are told of broken ones.
    plan : what ``batches`` was opened from; other processes open it again.
    workers : processes; 0 takes a thread of this one, which is enough where a step takes longer than a batch.
    """

    def __init__(self, batches: Batches, plan: Plan, workers: int = 0) -> None:
        self._batches, self._depth = batches, 2 * max(workers, 1)
        self._pool: Executor
        if workers:
            # Not by fork: threads of torch would be copied in the middle of what they do.
            start = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, start, _begin, (plan,))
            self._make: Callable[[Wanted], tuple[Batch, dict[str, str]]] = _made_elsewhere
        else:
            self._pool = ThreadPoolExecutor(1, "lacuna-data")
            self._make = lambda wanted: (batches.get(*wanted), {})

    def ahead(self, wanted: Callable[[int], Wanted], start: int) -> Generator[Batch, None, None]:
        """Yield the batches wanted(start), wanted(start + 1) and so on.

        Raises
        ------
        ImageError, MaskError : from making them.
        MethodError : a process was killed.
        """
        number = start
        waiting: collections.deque[Any] = collections.deque()
        try:
            while True:
                while len(waiting) < self._depth:
                    waiting.append(self._pool.submit(self._make, wanted(number)))
                    number += 1
                batch, broken = waiting.popleft().result()
                for name, why in broken.items():
                    self._batches.photos.tell(name, why)
                yield batch
        except BrokenProcessPool as error:
            raise MethodError(
                "a process that makes batches was killed, most likely for want of memory; the last "
                "checkpoint is whole: go on with fewer run.workers, or a smaller data.memory"
            ) from error
        finally:
            for one in waiting:
                one.cancel()

    def close(self) -> None:
        """Let the makers go."""
        self._pool.shutdown(cancel_futures=True)


_opened: Batches
_told: set[str] = set()


def _begin(plan: Plan) -> None:
    """Prepare a process: Ctrl-C is the parent's to answer, and nobody outlives the parent."""
    global _opened  # a pool hands its processes no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _opened = plan.open()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _made_elsewhere(wanted: Wanted) -> tuple[Batch, dict[str, str]]:
    batch = _opened.get(*wanted)
    news = {name: why for name, why in _opened.photos.broken.items() if name not in _told}
    _told.update(news)
    return batch, news
