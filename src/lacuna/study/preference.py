"""Shares and Bradley–Terry strengths, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ConfigError
from lacuna.study.votes import Vote, Votes

PRIOR = 0.5
"""Wins added to each side of every pair, so that a method that never lost has a finite strength."""

RESAMPLES = 1000
Z = 1.959963984540054
STEPS, TOLERANCE = 1000, 1e-10

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """How often one method was preferred to another; Wilson's 95 % interval."""

    method: str
    rival: str
    wins: int
    count: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Wins by count."""
        return self.wins / self.count

    def __str__(self) -> str:
        half = 100 * (self.high - self.low) / 2
        words = f"{self.method} preferred to {self.rival}"
        return f"{words} {100 * self.share:.0f} ± {half:.0f} % (n = {self.count})"


@dataclass(frozen=True)
class Strength:
    """Log-odds of a method against the mean of all, with a 95 % bootstrap interval over voters."""

    method: str
    strength: float
    low: float
    high: float


@dataclass(frozen=True)
class Judgement:
    """What a study found; strengths from the strongest."""

    shares: list[Share]
    strengths: list[Strength]
    voters: int
    rejected: int
    notes: list[str]

    def markdown(self) -> str:
        """Return the result as Markdown."""
        out = [
            f"{self.voters} voters, {sum(s.count for s in self.shares)} votes; {self.rejected} left out for "
        ]
        out[0] += "failing the attention checks."
        out += [*self.notes, ""]
        out += [f"- {share}" for share in self.shares]
        out += ["", "| method | strength (log-odds) | 95 % |", "|---|---|---|"]
        out += [f"| {s.method} | {s.strength:+.2f} | {s.low:+.2f} … {s.high:+.2f} |" for s in self.strengths]
        return "\n".join(out) + "\n"


def judge(votes: Votes, *, resamples: int = RESAMPLES, seed: int = 0) -> Judgement:
    """Return shares of every pair and strengths of every method.

    Parameters
    ----------
    votes : as `read_votes` gives them.
    resamples : of the bootstrap. It draws voters, whose votes belong together; with fewer than five voters it
        draws votes, and says so, since it then tells nothing about other people.

    Raises
    ------
    ConfigError : no vote is left.
    """
    if not votes.votes:
        raise ConfigError("no vote is left: no voter passed the attention checks, or none answered")
    wins = _wins(votes.votes, votes.methods)
    strengths = fit_bradley_terry(wins)
    by_voter = [[v for v in votes.votes if v.voter == voter] for voter in votes.voters]
    few = len(by_voter) < 5
    units = [[vote] for vote in votes.votes] if few else by_voter
    tables = np.stack([_wins(unit, votes.methods) for unit in units])
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = generator.integers(0, len(units), size=(resamples, len(units)))
    fitted = np.stack([fit_bradley_terry(tables[draw].sum(axis=0)) for draw in draws])
    low, high = np.percentile(fitted, [2.5, 97.5], axis=0)
    order = np.argsort(-strengths, kind="stable")
    ranked = [Strength(votes.methods[i], float(strengths[i]), float(low[i]), float(high[i])) for i in order]
    notes = (
        ["Fewer than five voters: the intervals of strengths are over votes, not over people."] if few else []
    )
    return Judgement(_shares(wins, votes.methods), ranked, len(votes.voters), len(votes.rejected), notes)


def fit_bradley_terry(wins: NDArray[np.floating], *, prior: float = PRIOR) -> Doubles:
    """Return log-strengths of mean 0 from a table of wins.

    ``P(i beats j) = exp(sᵢ) / (exp(sᵢ) + exp(sⱼ))``.

    Parameters
    ----------
    wins : (K, K), how often row was preferred to column.
    prior : wins added to each side of every pair, more than 0.

    References
    ----------
    .. [1] Bradley & Terry, Rank Analysis of Incomplete Block Designs, Biometrika 39, 1952.
    .. [2] Hunter, MM Algorithms for Generalized Bradley–Terry Models, Annals of Statistics 32, 2004, eq. 3.

    Examples
    --------
    >>> s = fit_bradley_terry(np.array([[0, 3], [1, 0]]), prior=1e-9)
    >>> round(float(np.exp(s[0] - s[1])), 6)
    3.0
    """
    w = np.asarray(wins, dtype=np.float64) + prior * (1 - np.eye(len(wins)))
    games, won = w + w.T, w.sum(axis=1)
    p = np.ones(len(w))
    for _ in range(STEPS):
        new = won / (games / (p[:, None] + p[None, :])).sum(axis=1)
        new /= np.exp(np.log(new).mean())
        done = np.abs(np.log(new / p)).max() < TOLERANCE
        p = new
        if done:
            break
    return np.asarray(np.log(p))


def wilson(wins: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    References
    ----------
    .. [1] Wilson, Probable Inference, JASA 22, 1927.

    Examples
    --------
    >>> low, high = wilson(5, 10)
    >>> round(low, 4), round(high, 4)
    (0.2366, 0.7634)
    """
    share, z2 = wins / count, Z * Z / count
    centre = (share + z2 / 2) / (1 + z2)
    half = Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count)) / (1 + z2)
    return centre - half, centre + half


def _wins(votes: Sequence[Vote], methods: Sequence[str]) -> Doubles:
    index = {method: i for i, method in enumerate(methods)}
    wins = np.zeros((len(methods), len(methods)))
    for vote in votes:
        wins[index[vote.winner], index[vote.loser]] += 1
    return wins


def _shares(wins: Doubles, methods: Sequence[str]) -> list[Share]:
    found = []
    for i, j in combinations(range(len(methods)), 2):
        count = int(wins[i, j] + wins[j, i])
        if count:
            a, b = (i, j) if wins[i, j] >= wins[j, i] else (j, i)
            won = int(wins[a, b])
            found.append(Share(methods[a], methods[b], won, count, *wilson(won, count)))
    return found
