"""How far ways of conditioning are off where the right answer is known: a correlated Gaussian (seconds).

::

    python benchmarks/conditioning.py

The denoiser is exact, so what is off is the conditioning. Errors are root mean squares in units of the
standard error of 20,000 samples: about 1 is chance. Writes bench-output/conditioning.md and a plot beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from runners import REPOSITORY

from lacuna.diffusion import Conditioning, Noise, NullSpace, RePaint, Replacement, linear, sample
from lacuna.diffusion.conditioning import calls
from lacuna.diffusion.gaussian import Gaussian

MODEL = Gaussian.correlated()
HOLE = np.array([0, 0, 1, 1, 1, 0], dtype=bool)
KNOWN = np.array([0.3, 0.5, 0, 0, 0, -0.6])
ANSWER = MODEL.given(KNOWN, HOLE)
PINNED = (torch.from_numpy(KNOWN).reshape(1, 1, 1, 6), torch.from_numpy(HOLE).reshape(1, 1, 1, 6))

Row = tuple[str, int, int, float, float]


def measure(name: str, model: Gaussian, steps: int, condition: Conditioning, rows: int) -> Row:
    """Return name, steps, calls of the network, and the errors of mean and covariance."""
    schedule, noise = linear().respaced(steps), Noise.seeded(0)
    start = noise(torch.empty(rows, 1, 1, 6, dtype=torch.float64))
    out = sample(model.denoiser(schedule), schedule, start, noise=noise, condition=condition)
    return (name, steps, calls(condition.times(steps)), *ANSWER.errors(out, HOLE))


def table(rows: int) -> list[Row]:
    """Return all measurements."""
    found = [measure("exact conditional", ANSWER, steps, Conditioning(), rows) for steps in (100, 1000)]
    for name, kind in (("replacement", Replacement), ("DDNM", NullSpace)):
        found += [measure(name, MODEL, steps, kind(*PINNED), rows) for steps in (50, 250, 1000)]
    for steps, jump in ((50, 5), (50, 20), (250, 10)):
        found += [
            measure(f"RePaint, j {jump}, r {r}", MODEL, steps, RePaint(*PINNED, jump=jump, resample=r), rows)
            for r in (2, 5, 10)
        ]
    return found


def plot(found: list[Row], path: Path) -> None:
    """Draw the error of the mean against the calls of the network, as SVG."""
    width, height, pad = 640, 400, 50
    worst, most = max(row[3] for row in found), max(row[2] for row in found)
    colours = {"exact": "#2a9d8f", "repla": "#d62828", "DDNM": "#f4a261", "RePai": "#1d3557"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{width / 2}" y="{height - 8}">calls of the network (logarithmic)</text>',
        '<text x="8" y="16">error of the mean, standard errors</text>',
        f'<path d="M{pad} {pad / 2}V{height - pad}H{width - 10}" fill="none" stroke="#888"/>',
    ]
    for name, _, number, mean, _ in found:
        x = pad + (width - pad - 150) * np.log(number / 40) / np.log(most / 40)
        y = height - pad - (height - 2 * pad) * mean / worst
        colour = next(value for key, value in colours.items() if name.startswith(key))
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>"]))


def main() -> None:
    """Print the table and write it with its plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="samples")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench-output")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = table(args.rows)
    lines = ["| conditioning | T | calls | mean off by | covariance off by |", "|---" * 5 + "|"]
    lines += [f"| {name} | {t} | {n} | {mean:.1f} | {cov:.1f} |" for name, t, n, mean, cov in found]
    print("\n".join(lines))
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "conditioning.md").write_text("\n".join(lines) + "\n")
    plot(found, args.output / "conditioning.svg")


if __name__ == "__main__":
    main()
