"""Whole tasks that people have: find what is to be filled, say so, fill it.

Every job has two halves. The first finds out what is missing and returns a `Found`: the picture as it is to
be filled, the hole, and words that say what was found and how sure that is. The second is `Found.fill`, which
is the same for all jobs. Nothing is filled before the caller has seen what was found.
"""

from lacuna.jobs.augment import Augmented, AugmentPlan, augment
from lacuna.jobs.found import Found
from lacuna.jobs.outpaint import outpaint
from lacuna.jobs.remove import remove
from lacuna.jobs.stitch import stitch
from lacuna.jobs.straighten import straighten

__all__ = ["AugmentPlan", "Augmented", "Found", "augment", "outpaint", "remove", "stitch", "straighten"]
