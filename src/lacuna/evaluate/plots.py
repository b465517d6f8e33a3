"""Plots as inline SVG: no library, no script, readable by people and by screen readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 620, 380
LEFT, RIGHT, TOP, BOTTOM = 62, 150, 14, 46
COLOURS = ("#3366cc", "#dc6e1e", "#2a9d5c", "#b03a8c", "#8a6d1f", "#1aa0b5", "#c8373b", "#6b5fc7", "#5d6d7e")
MARKS = ("circle", "square", "triangle", "diamond")


@dataclass(frozen=True)
class Point:
    """A mean at a place, with its interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Axis:
    """From values to pixels, on a linear or logarithmic scale."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, 1e-9))
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return round values to be marked."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**k for k in range(first, last + 1)]
        step = _round_step((self.high - self.low) / 5)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def scatter(points: Mapping[str, Point], x_title: str, y_title: str) -> str:
    """Return quality against seconds (logarithmic): one labelled mark per method, with its interval."""
    found = list(points.values())
    low, high = min(p.x for p in found), max(p.x for p in found)
    x = Axis(
        10 ** math.floor(math.log10(low)), 10 ** (math.floor(math.log10(high)) + 1), LEFT, WIDTH - RIGHT, True
    )
    y = _vertical(found)
    out = _frame(x, y, x_title, y_title)
    for index, (name, point) in enumerate(points.items()):
        colour = COLOURS[index % len(COLOURS)]
        px, py = x(point.x), y(point.y)
        out.append(f"<g><title>{escape(name)}: {point.x:.3g} s, {point.y:.4g}</title>")
        out.append(_bar(px, y(point.low), y(point.high), colour) + _mark(px, py, colour, index) + "</g>")
    return _svg(out + _legend(list(points)), f"{y_title} against {x_title}")


def curves(points: Mapping[str, Sequence[Point]], x_title: str, y_title: str) -> str:
    """Return one line per method over positions of 0 to 1 (hole ratios), with intervals."""
    found = [p for line in points.values() for p in line]
    top = min(1.0, math.ceil(10 * max(p.x for p in found) + 1e-9) / 10)
    x, y = Axis(0.0, top, LEFT, WIDTH - RIGHT), _vertical(found)
    out = _frame(x, y, x_title, y_title, percent=True)
    for index, (name, line) in enumerate(points.items()):
        colour = COLOURS[index % len(COLOURS)]
        shift = 2.5 * (index - (len(points) - 1) / 2)  # side by side, so that no interval hides another
        places = [(x(p.x) + shift, p) for p in line]
        path = " ".join(f"{px:.1f},{y(p.y):.1f}" for px, p in places)
        out.append(f'<g><title>{escape(name)}</title><polyline points="{path}" fill="none" ')
        out.append(f'stroke="{colour}" stroke-width="1.8"/>')
        out += [_bar(px, y(p.low), y(p.high), colour) + _mark(px, y(p.y), colour, index) for px, p in places]
        out.append("</g>")
    return _svg(out + _legend(list(points)), f"{y_title} against {x_title}")


def _vertical(found: Sequence[Point]) -> Axis:
    low, high = min(p.low for p in found), max(p.high for p in found)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Axis(low - margin, high + margin, HEIGHT - BOTTOM, TOP)


def _frame(x: Axis, y: Axis, x_title: str, y_title: str, *, percent: bool = False) -> list[str]:
    out = []
    for tick in x.ticks():
        at = x(tick)
        label = f"{tick:.0%}" if percent else f"{tick:g}"
        out.append(f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>')
    for tick in y.ticks():
        at = y(tick)
        out.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
        out.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    centre = (TOP + HEIGHT - BOTTOM) / 2
    turn = f'transform="rotate(-90 14 {centre})"'
    out.append(f'<text x="14" y="{centre}" text-anchor="middle" {turn}>{escape(y_title)}</text>')
    return out


def _legend(names: Sequence[str]) -> list[str]:
    out = []
    for index, name in enumerate(names):
        y = TOP + 12 + 19 * index
        out.append(_mark(WIDTH - RIGHT + 16, y, COLOURS[index % len(COLOURS)], index))
        out.append(f'<text x="{WIDTH - RIGHT + 27}" y="{y + 4}">{escape(name)}</text>')
    return out


def _mark(x: float, y: float, colour: str, index: int) -> str:
    """Return a mark; shapes differ too, for those who do not see the colours."""
    kind, r = MARKS[index % len(MARKS)], 4.5
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{colour}"/>'
    if kind == "square":
        return f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}" fill="{colour}"/>'
    corners: tuple[tuple[float, float], ...]
    if kind == "triangle":
        corners = ((x, y - 1.2 * r), (x + 1.1 * r, y + r), (x - 1.1 * r, y + r))
    else:
        corners = ((x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y))
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return f'<polygon points="{path}" fill="{colour}"/>'


def _bar(x: float, low: float, high: float, colour: str) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}" '
        'stroke-width="1.2" opacity="0.6"/>'
    )


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )
