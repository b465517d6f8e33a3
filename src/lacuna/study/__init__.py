"""Blind pairwise preference: which of two fills people take for the photograph.

`build_study` makes a folder that a browser opens, from an evaluation; `read_votes` and `judge` turn the votes
that come back into shares and Bradley–Terry strengths.
"""

from lacuna.study.build import build_study
from lacuna.study.preference import Judgement, Share, Strength, fit_bradley_terry, judge
from lacuna.study.votes import Vote, read_votes

__all__ = [
    "Judgement",
    "Share",
    "Strength",
    "Vote",
    "build_study",
    "fit_bradley_terry",
    "judge",
    "read_votes",
]
