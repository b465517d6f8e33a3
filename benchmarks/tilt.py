"""How well `lacuna straighten --angle auto` finds a tilt that was put in.

Every photo is turned by known angles and cut so that no border shows. Its own tilt is not known, so what
counts is whether the angle that is found moves with the turn: the error is the difference between two answers
that were both believed, less the turn between them.

    python benchmarks/tilt.py FOLDER
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from lacuna.image import open_image
from lacuna.jobs import straighten
from lacuna.jobs.tilt import SURE, find_tilt

TURNS = (-6.0, -2.5, 1.5, 4.0, 9.0)


def main(folder: str) -> None:
    """Print how often an angle is believed, and how wrong it then is."""
    errors, asked, sure, believed = [], 0, 0, 0
    paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
    for path in paths:
        picture = open_image(path)
        base = find_tilt(picture)
        believed += base.confidence >= SURE
        for turn in TURNS:
            # `straighten` turns a clockwise tilt back: a negative one puts it in.
            found = find_tilt(straighten(picture, angle=-turn, crop=True).picture)
            asked += 1
            sure += found.confidence >= SURE
            if found.confidence >= SURE and base.confidence >= SURE:
                errors.append(abs(found.angle - base.angle - turn))
    ordered = np.sort(errors)
    print(f"{len(paths)} photos, {asked} turned ones: an angle is believed in {believed} and {sure}")
    if len(ordered):
        print(
            f"of {len(ordered)} pairs: median error {np.median(ordered):.2f}°, 90 % below "
            f"{ordered[math.ceil(0.9 * len(ordered)) - 1]:.2f}°, {int((ordered > 1).sum())} beyond 1°, "
            f"{int((ordered > 2).sum())} beyond 2°"
        )


if __name__ == "__main__":
    main(sys.argv[1])
