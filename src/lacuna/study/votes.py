"""Read the files that voters send back, and leave out those who did not look."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import ConfigError
from lacuna.study.build import TRUTH, Trial

CHOICES = ("left", "right")


@dataclass(frozen=True)
class Vote:
    """One voter preferred one method to another, once."""

    voter: str
    winner: str
    loser: str


@dataclass(frozen=True)
class Votes:
    """All that came back.

    Parameters
    ----------
    votes : of voters who passed the attention checks, without the checks.
    methods : in the order of the study.
    voters : who counted. rejected : who failed half of the checks or more.
    """

    votes: list[Vote]
    methods: list[str]
    voters: list[str]
    rejected: list[str]


def read_votes(key: str | os.PathLike[str], files: Iterable[str | os.PathLike[str]]) -> Votes:
    """Return the votes of every file, with the methods' names.

    Parameters
    ----------
    key : the file that `build_study` wrote beside the folder.
    files : what voters saved. The same voter twice (a file sent again) counts once, as last given.

    Raises
    ------
    ConfigError : unreadable, votes of another study, unknown trials or choices; no file.
    """
    facts = _read(Path(key), "key", ("study", "methods", "trials"))
    try:
        trials = {t["id"]: Trial(**t) for t in facts["trials"]}
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{key} is not the key of a study: {error}") from error
    by_voter: dict[str, list[tuple[Trial, str]]] = {}
    for file in files:
        said = _read(Path(file), "votes", ("study", "voter", "votes"))
        if said["study"] != facts["study"]:
            raise ConfigError(f"{file} holds votes of another study")
        by_voter[str(said["voter"])] = _decoded(Path(file), said, trials)
    if not by_voter:
        raise ConfigError("no file of votes was given")
    rejected = sorted(voter for voter, given in by_voter.items() if not _looked(given))
    voters = sorted(set(by_voter) - set(rejected))
    votes = [
        Vote(voter, *((t.left, t.right) if choice == "left" else (t.right, t.left)))
        for voter in voters
        for t, choice in by_voter[voter]
        if not t.check
    ]
    return Votes(votes, list(facts["methods"]), voters, rejected)


def _decoded(file: Path, said: Mapping[str, Any], trials: Mapping[str, Trial]) -> list[tuple[Trial, str]]:
    given: dict[str, str] = {}
    try:
        for vote in said["votes"]:
            given[vote["trial"]] = vote["choice"]
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file} does not hold votes: {error}") from error
    for trial, choice in given.items():
        if trial not in trials or choice not in CHOICES:
            raise ConfigError(f"{file}: trial {trial!r} with choice {choice!r}; not of this study")
    return [(trials[trial], choice) for trial, choice in given.items()]


def _looked(given: Iterable[tuple[Trial, str]]) -> bool:
    """Whether more than half of the checks were passed; without checks everybody is believed."""
    passed = [(t.left if choice == "left" else t.right) == TRUTH for t, choice in given if t.check]
    return not passed or sum(passed) > len(passed) / 2


def _read(path: Path, what: str, names: Iterable[str]) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a file of {what}: {error}") from error
    absent = [name for name in names if not isinstance(facts, dict) or name not in facts]
    if absent:
        raise ConfigError(f"{path} is not a file of {what}: it lacks {', '.join(absent)}")
    return dict(facts)
