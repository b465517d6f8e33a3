"""Run every method on every picture and hole, and keep what was found."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lacuna import __version__, registry
from lacuna.errors import LacunaError, OptionError, OutputError
from lacuna.evaluate.cases import Case, find_cases
from lacuna.evaluate.drawn import mask_source
from lacuna.evaluate.environment import describe
from lacuna.evaluate.features import FeatureStore
from lacuna.evaluate.folder import FILLS, Ledger, Row, Run, load_run, open_ledger
from lacuna.evaluate.memory import check_memory_limit
from lacuna.evaluate.pool import Job, Limits, run_jobs
from lacuna.evaluate.scoring import Scorer
from lacuna.progress import report
from lacuna.types import OnStep

TIME_LIMIT = 600.0
ALL = "all"


@dataclass(frozen=True)
class Entry:
    """A method in the tables: ``patchmatch``, or ``patchmatch@small`` with options of its own."""

    label: str
    options: dict[str, str]

    @property
    def method(self) -> str:
        """The registered name."""
        return self.label.partition("@")[0]


def parse_methods(methods: str | Sequence[str], options: Sequence[str] = ()) -> list[Entry]:
    """Return what is to be run.

    Parameters
    ----------
    methods : names, or one text with commas; ``all`` stands for every registered method. ``name@label`` is
        the same method again, for other options.
    options : ``label:key=value``.

    Raises
    ------
    UnknownMethodError
    OptionError : a method named twice, an option of a method that is not run, or one that it does not take.

    Examples
    --------
    >>> [entry.label for entry in parse_methods("telea,telea@wide", ["telea@wide:radius=9"])]
    ['telea', 'telea@wide']
    """
    words = methods.split(",") if isinstance(methods, str) else list(methods)
    labels: list[str] = []
    for word in (word.strip() for word in words):
        labels += [spec.name for spec in registry.list_methods()] if word == ALL else [word]
    if not labels or len(set(labels)) < len(labels):
        raise OptionError(f"methods are {', '.join(labels) or 'none'}; expected names, each once")
    entries = {label: Entry(label, {}) for label in labels}
    for text in options:
        label, _, pair = text.partition(":")
        name, equals, value = pair.partition("=")
        if not equals or label not in entries:
            raise OptionError(f"option {text!r}: expected METHOD:KEY=VALUE with a method that is run")
        entries[label].options[name] = value
    for entry in entries.values():
        spec = registry.get(entry.method)
        registry.parse_options(registry.load_factory(spec.factory), entry.options, owner=spec.name)
    return list(entries.values())


def evaluate(
    images: str | os.PathLike[str],
    masks: str | os.PathLike[str],
    methods: str | Sequence[str],
    output: str | os.PathLike[str],
    *,
    options: Sequence[str] = (),
    seed: int = 0,
    workers: int = 1,
    time_limit: float = TIME_LIMIT,
    memory_limit: int | None = None,
    lpips: str | os.PathLike[str] | None = None,
    inception: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    allow_unmatched: bool = False,
    on_note: Callable[[str], None] = lambda words: None,
    on_step: OnStep | None = None,
) -> Run:
    """Run methods on pictures whose truth is known, and measure them.

    Each method runs in a process of its own and never sees what lies under a hole. A failure is a row. Every
    row is on the disk before the next one starts, so a run that was killed goes on with ``resume``.

    Parameters
    ----------
    images : folder of pictures.
    masks : folder (`lacuna.evaluate.cases.find_cases`), white is missing; or what
        `lacuna.evaluate.drawn.mask_source` takes: random kinds, an expression, a set of masks.
    methods, options : see `parse_methods`.
    output : folder for rows, fills and, later, tables and report.
    seed : handed to every method with every picture; of random masks too.
    workers : processes at once. Seconds of methods that run side by side are longer than alone.
    time_limit : seconds for one fill; beyond it the process is killed and the row says so.
    memory_limit : bytes that a worker may hold, with everything it has loaded and started (Linux alone);
        beyond it, it is killed and the row says so. Looked at four times a second, so that more may be held
        for a moment.
    lpips : weights; None takes what is found, and ``on_note`` hears when that is nothing.
    inception : weights for FID and KID (`lacuna.metrics.Inception`); without, figures of sets are over the
        features of LPIPS's net.
    resume : go on with a run; methods may be added to it, and Inception weights.
    overwrite : throw an earlier run away.
    allow_unmatched : leave out pictures without masks and masks without pictures, instead of refusing.
    on_note : hears, before the run starts, what is left out and why.
    on_step : progress out, cancellation in (it raises).

    Returns
    -------
    The run as it is on the disk; `lacuna.evaluate.write_tables` and `write_report` take it.

    Raises
    ------
    ImageError, MaskError : no pictures, no masks, or they do not match (names listed).
    UnknownMethodError, OptionError, WeightsError
    OutputError : the folder holds another run, or the disk is full.
    """
    limits = Limits(time_limit, memory_limit)
    _check(seed, workers, limits)
    entries = parse_methods(methods, options)
    scorer = Scorer(lpips, inception)
    with mask_source(os.fspath(masks), Path(images), seed) as source:
        cases, left_out = find_cases(Path(images), source.folder, allow_unmatched=allow_unmatched)
        left_out = [f"left out: {words}" for words in left_out]
        for words in (*source.notes, *left_out, *scorer.left_out):
            on_note(words)
        header = _header(Path(images), source.folder, cases, entries, seed, workers, limits, scorer)
        header |= source.facts(Path(output))
        ledger = open_ledger(Path(output), header, resume=resume, overwrite=overwrite)
        holes = source.keep(Path(output))
    missing = _missing(entries, on_note)
    store = FeatureStore(Path(output), scorer.nets)
    bench = _Bench(Path(images), holes, Path(output), seed, workers, scorer, ledger, store)
    jobs = bench.jobs(entries, cases)
    total = len(entries) * len(cases)
    if len(jobs) < total:
        on_note(f"{total - len(jobs)} of {total} rows are there already")
    bench.complete_features(on_step)

    def on_answer(job: Job, answer: dict[str, Any]) -> None:
        bench.keep(job, answer)
        report(on_step, len(ledger.done) / max(total, len(ledger.done)), job.label)

    for job in jobs:
        if job.label in missing:
            reason = missing[job.label]
            on_answer(job, {"status": "missing", "type": "MissingDependencyError", "error": reason})
    runnable = [job for job in jobs if job.label not in missing]
    if runnable:
        run_jobs(runnable, on_answer, workers=workers, limits=limits)
    return load_run(Path(output))


@dataclass(frozen=True)
class _Bench:
    """What turns a case and a method into a job, and an answer into a row."""

    images: Path
    masks: Path
    output: Path
    seed: int
    workers: int
    scorer: Scorer
    ledger: Ledger
    store: FeatureStore

    def jobs(self, entries: Sequence[Entry], cases: Sequence[Case]) -> list[Job]:
        """Return what is still to be done."""
        return [
            self._job(case, entry)
            for entry in entries
            for case in cases
            if (case.image, case.mask, entry.label) not in self.ledger.done
        ]

    def _job(self, case: Case, entry: Entry) -> Job:
        fields = {
            "image": str(self.images / case.image),
            "mask": str(self.masks / case.mask),
            "seed": self.seed,
            "target": str(self.output / FILLS / entry.label / case.fill),
            "case": asdict(case),
        }
        return Job(entry.label, entry.method, entry.options, fields)

    def keep(self, job: Job, answer: dict[str, Any]) -> None:
        """Score what can be scored and append the row.

        Raises
        ------
        OutputError : the fill or the row cannot be written; the run ends, and can be resumed.
        """
        if answer.get("type") == "OutputError":
            raise OutputError(f"{answer['error']}; what is done is kept: go on with --resume")
        row: Row = {**job.fields["case"], "method": job.label, "seed": self.seed, "workers": self.workers}
        row |= answer
        if answer["status"] == "ok":
            fill = Path(answer["fill"])
            row["fill"] = fill.relative_to(self.output).as_posix()
            try:
                images, masks = Path(job.fields["image"]), Path(job.fields["mask"])
                filled, truth, hole = self.scorer.read(images, masks, fill)
                row["figures"], row["skipped"] = self.scorer.score(filled, truth, hole)
                self.store.keep(row, filled, truth)
            except OutputError:
                raise
            except LacunaError as error:
                row |= {"status": "error", "type": type(error).__name__, "error": str(error)}
        self.ledger.add(row)

    def complete_features(self, on_step: OnStep | None) -> None:
        """Look again at the fills of rows that were there before, for a net that was not."""
        for row in [row for row in self.ledger.done.values() if self.store.lacks(row)]:
            report(on_step, 0.0, f"features of {row['method']}")
            try:
                files = self.images / row["image"], self.masks / row["mask"], self.output / row["fill"]
                filled, truth, _ = self.scorer.read(*files)
            except LacunaError:  # fill or picture have gone; the table of sets says how many
                continue
            self.store.keep(row, filled, truth)


def _check(seed: int, workers: int, limits: Limits) -> None:
    if seed < 0:
        raise OptionError(f"seed is {seed}; expected 0 or more")
    if workers < 1:
        raise OptionError(f"workers is {workers}; expected 1 or more")
    if not limits.seconds > 0:
        raise OptionError(f"time_limit is {limits.seconds}; expected more than 0 seconds")
    check_memory_limit(limits.memory)


def _missing(entries: Sequence[Entry], on_note: Callable[[str], None]) -> dict[str, str]:
    """Return why methods cannot run here, by label, and say it."""
    found = {}
    for entry in entries:
        reason = registry.get(entry.method).missing()
        if reason is not None:
            on_note(f"{entry.label} cannot run here: {reason}")
            found[entry.label] = reason
    return found


def _header(
    images: Path,
    masks: Path,
    cases: Sequence[Case],
    entries: Sequence[Entry],
    seed: int,
    workers: int,
    limits: Limits,
    scorer: Scorer,
) -> dict[str, Any]:
    listed = hashlib.sha256()
    for case in cases:
        for path in (images / case.image, masks / case.mask):
            listed.update(f"{path.name} {path.stat().st_size}\n".encode())
    return {
        "version": __version__,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "images": str(images.resolve()),
        "masks": str(masks.resolve()),
        "pictures": len({case.image for case in cases}),
        "cases": {"count": len(cases), "sha256": listed.hexdigest()},
        "methods": [entry.label for entry in entries],
        "options": {entry.label: entry.options for entry in entries},
        "seed": seed,
        "workers": workers,
        "time_limit": limits.seconds,
        "memory_limit": limits.memory,
        "figures": scorer.figures,
        "skipped": scorer.skipped,
        "lpips": scorer.lpips,
        "features": scorer.features,
        "environment": describe(),
    }
