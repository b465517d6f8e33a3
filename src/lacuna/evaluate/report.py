"""The report: one HTML file with tables, plots and pictures, that needs nothing else to be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from lacuna.evaluate.folder import Run, write_text
from lacuna.evaluate.literature import PUBLISHED
from lacuna.evaluate.pictures import Tile, tiles
from lacuna.evaluate.plots import Point, curves, scatter
from lacuna.evaluate.sets import SET_FACTS, SMALL_SETS, cells, heading, nets, set_lines, set_title
from lacuna.evaluate.summary import (
    TESTED,
    Cell,
    Difference,
    Line,
    Table,
    buckets,
    differences,
    lines,
    main_figure,
    tables,
)
from lacuna.evaluate.tables import SHOWN, facts, number, remarks
from lacuna.metrics import FACTS

NAME = "report.html"
PICTURES = 3


def write_report(run: Run, *, pictures: int = PICTURES) -> Path:
    """Write ``report.html`` into the run's folder and return its path.

    Parameters
    ----------
    pictures : worst and best cases that are shown for each kind of holes, so many of each; 0 for none.

    Raises
    ------
    OutputError : it cannot be written.
    """
    write_text(run.path / NAME, render(run, pictures=pictures))
    return run.path / NAME


def render(run: Run, *, pictures: int = PICTURES) -> str:
    """Return the page."""
    shown = [figure for figure in SHOWN if figure in run.header["figures"]]
    found = tables(run)
    parts = [_head(run)]
    for table in found:
        parts += _kind(run, table, shown, pictures)
    parts += _by_ratio(run, shown)
    parts += [*_failures(run), *_published(), *_environment(run)]
    style, script = (resources.files("lacuna.evaluate").joinpath(name).read_text("utf-8") for name in _FILES)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Lacuna: evaluation</title><style>{style}</style></head><body>"
        + "\n".join(parts)
        + '<div id="viewer" tabindex="-1" role="dialog" aria-label="picture"><img alt=""><p></p></div>'
        + f"<script>{script}</script></body></html>\n"
    )


_FILES = ("report.css", "report.js")


def _head(run: Run) -> str:
    said = "".join(f"<p>{escape(words)}</p>" for words in facts(run))
    kinds = [table.kind or "all holes" for table in tables(run)]
    links = "".join(f'<a href="#{escape(kind)}">{escape(kind)}</a>' for kind in kinds)
    more = '<a href="#published">published rows</a><a href="#environment">environment</a>'
    started = escape(run.header["started"])
    return (
        f'<h1>Evaluation</h1><p class="soft">Lacuna {escape(run.header["version"])}, begun {started}</p>'
        f"<nav>{links}{more}</nav>{said}"
        '<p class="soft">A removed part has many plausible fills, and the truth is one of them. PSNR and '
        "SSIM reward blur, LPIPS rewards texture, and none of them sees what is absurd: look at the "
        "pictures. In the tables, bold is the best mean.</p>"
    )


def _kind(run: Run, table: Table, shown: Sequence[str], pictures: int) -> list[str]:
    name = table.kind or "all holes"
    found = lines(table, shown)
    count = f"{len(table.complete)} holes that every method filled"
    parts = [f'<h2 id="{escape(name)}">{escape(name)}</h2><p class="soft">{count}</p>', _means(found, shown)]
    parts.append(_plots_of_time(found, shown))
    tested = [figure for figure in TESTED if figure in shown]
    matrices = "".join(_matrix(table, differences(table, figure), figure) for figure in tested)
    parts.append(f'<div class="matrices">{matrices}</div>')
    parts += _sets(run, table)
    if pictures and table.complete:
        parts += _cases(run, table, pictures)
    return parts


def _means(found: Sequence[Line], shown: Sequence[str]) -> str:
    heads = [f"{FACTS[f].title} {FACTS[f].arrow}" for f in shown]
    best = {f: _best(found, f) for f in shown}
    rows = []
    for line in found:
        cells = []
        for f in shown:
            if f not in line.figures:
                cells.append("<td>–</td>")
                continue
            mean, low, high = line.figures[f]
            form, mark = FACTS[f].form, ' class="best"' if best[f] == line.method else ""
            cells.append(f"<td{mark}>{mean:{form}}<small>{low:{form}} … {high:{form}}</small></td>")
        cells.append(f"<td>{number(line.seconds, '.2f')}</td><td>{number(line.memory_mb, '.0f')}</td>")
        cells.append(f'<td class="words">{escape(remarks(line))}</td>')
        rows.append(f"<tr><td>{escape(line.method)}</td>{''.join(cells)}</tr>")
    top = "".join(f"<th>{escape(h)}</th>" for h in ["method", *heads, "s", "MB", ""])
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _best(found: Sequence[Line], figure: str) -> str | None:
    better = FACTS[figure].better
    lines_with = [line for line in found if figure in line.figures]
    if not better or not lines_with:
        return None
    return max(lines_with, key=lambda line: better * line.figures[figure].mean).method


def _plots_of_time(found: Sequence[Line], shown: Sequence[str]) -> str:
    drawn = []
    for figure in (figure for figure in TESTED[:2] if figure in shown):
        points = {
            line.method: Point(max(line.seconds, 1e-4), *line.figures[figure])
            for line in found
            if figure in line.figures and not math.isnan(line.seconds)
        }
        if points:
            drawn.append((scatter(points, "seconds, median of one fill", _titled(figure)), figure))
    figures = [
        f"<figure>{svg}<figcaption>{_caption(f)}, against time</figcaption></figure>" for svg, f in drawn
    ]
    return f'<div class="plots">{"".join(figures)}</div>' if figures else ""


def _titled(figure: str) -> str:
    return f"{FACTS[figure].title} {FACTS[figure].arrow}"


def _caption(figure: str) -> str:
    side = {1: "higher", -1: "lower"}[FACTS[figure].better]
    return f"{escape(FACTS[figure].title)} ({side} is better)"


def _matrix(table: Table, found: Sequence[Difference], figure: str) -> str:
    """Return every method (row) minus every other (column), coloured where it is more than chance."""
    if not found:
        return ""
    form = "+" + FACTS[figure].form
    cells: dict[tuple[str, str], str] = {}
    for d in found:
        for a, b, sign in ((d.method, d.rival, 1), (d.rival, d.method, -1)):
            low, high = sorted((sign * d.interval.low, sign * d.interval.high))
            mark = {1: ' class="good"', -1: ' class="bad"', 0: ""}[sign * d.verdict]
            title = f"p = {d.p:.4f}"
            text = f"{sign * d.interval.mean:{form}}<small>{low:{form}} … {high:{form}}</small>"
            cells[a, b] = f'<td{mark} title="{title}">{text}</td>'
    top = "".join(f"<th>{escape(m)}</th>" for m in table.working)
    rows = [
        f"<tr><td>{escape(a)}</td>{''.join(cells.get((a, b), '<td></td>') for b in table.working)}</tr>"
        for a in table.working
    ]
    words = (
        f"{escape(FACTS[figure].title)}: row minus column on the same pictures. Green: the row is better, "
        "red: worse (sign-flip test, Holm's correction, 5 %). Plain: no difference shown."
    )
    return (
        f'<div class="wide"><table><caption>{words}</caption><thead><tr><th></th>{top}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _sets(run: Run, table: Table) -> list[str]:
    parts = []
    for net in nets(run) if table.complete else ():
        heads = ["method", "fills", *(set_title(net, figure) for figure in SET_FACTS), ""]
        rows = []
        for line in set_lines(run, table, net):
            values = "".join(f"<td>{cell}</td>" for cell in [str(line.pairs), *cells(line)])
            words = f'<td class="words">{escape("; ".join(line.reasons))}</td>'
            rows.append(f"<tr><td>{escape(line.method)}</td>{values}{words}</tr>")
        top = "".join(f"<th>{escape(h)}</th>" for h in heads)
        words = f"Figures of the whole set, {heading(run, net)}. {SMALL_SETS}"
        parts.append(
            f'<h3>The whole set</h3><p class="soft">{escape(words)}</p><div class="wide"><table><thead><tr>'
            f"{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )
    return parts


def _cases(run: Run, table: Table, count: int) -> list[str]:
    figure = main_figure(run)
    cases = table.cases(figure)
    if not cases:
        return []
    best = _best(lines(table, [figure]), figure) or table.working[0]
    order = [float(v) * -FACTS[figure].better for v in table.values(best, figure, cases)]
    ranked = [case for _, case in sorted(zip(order, cases, strict=True), reverse=True)]
    worst, good = ranked[:count], ranked[count:][::-1][:count]
    parts = []
    for title, chosen in (("worst", worst), ("best", good)):
        if chosen:
            parts.append(f"<h3>{title} of {escape(best)}, by {escape(FACTS[figure].title)}</h3>")
        parts += [_case(case, tiles(run, table, case, figure, FACTS[figure].form)) for case in chosen]
    return parts


def _case(case: Cell, found: Iterable[Tile]) -> str:
    shown = []
    for tile in found:
        words = f"<b>{escape(tile.title)}</b> {escape(tile.words)}"
        if tile.file:
            words += f' <a href="{escape(tile.file)}">file</a>'
        if tile.data is None:
            body = '<div class="none">no picture</div>'
        else:
            alt = escape(f"{case[0]}: {tile.title} {tile.words}".strip())
            body = f'<button type="button"><img src="{tile.data}" alt="{alt}" loading="lazy"></button>'
        shown.append(f"<figure>{body}<figcaption>{words}</figcaption></figure>")
    name = f"{case[0]} with {case[1]}"
    return (
        f'<div class="case"><p class="soft">{escape(name)}</p><div class="tiles">{"".join(shown)}</div></div>'
    )


def _by_ratio(run: Run, shown: Sequence[str]) -> list[str]:
    parts, drawn = [], []
    for figure in (figure for figure in TESTED[:2] if figure in shown):
        found = buckets(run, figure)
        if not found:
            continue
        whole = [bucket for bucket in found if bucket.border is None]
        methods = list(whole[0].means)
        lines_of = {
            m: [Point((b.low + min(b.high, 1)) / 2, *b.means[m]) for b in whole if m in b.means]
            for m in methods
        }
        svg = curves(lines_of, "share of the picture that is missing", _titled(figure))
        drawn.append(
            f"<figure>{svg}<figcaption>{_caption(figure)}, against the hole ratio</figcaption></figure>"
        )
        form = FACTS[figure].form
        rows = []
        for bucket in found:
            means = [f"{bucket.means[m].mean:{form}}" if m in bucket.means else "–" for m in methods]
            cells = "".join(f"<td>{mean}</td>" for mean in [str(bucket.count), *means])
            rows.append(f"<tr><td>{escape(bucket.title)}</td>{cells}</tr>")
        top = "".join(f"<th>{escape(h)}</th>" for h in ["missing", "holes", *methods])
        parts.append(
            f'<div class="wide"><table><caption>{_caption(figure)}</caption><thead><tr>{top}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )
    if not drawn:
        return []
    return ["<h2>By hole ratio</h2>", f'<div class="plots">{"".join(drawn)}</div>', *parts]


def _failures(run: Run) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in run.rows:
        if row["status"] != "ok":
            groups.setdefault((row["method"], row["error"]), []).append(f"{row['image']} with {row['mask']}")
    if not groups:
        return []
    rows = [
        f'<tr><td>{escape(method)}</td><td>{len(names)}</td><td class="words">{escape(error)}</td>'
        f'<td class="words">{escape(names[0])}{" …" if len(names) > 1 else ""}</td></tr>'
        for (method, error), names in groups.items()
    ]
    top = "<tr><th>method</th><th>rows</th><th>why</th><th>first of them</th></tr>"
    table = f"<table><thead>{top}</thead><tbody>{''.join(rows)}</tbody></table>"
    return [f'<h2>Without a fill</h2><div class="wide">{table}</div>']


def _published() -> list[str]:
    parts = [
        '<h2 id="published">Published rows</h2>',
        "<p>What papers and repositories print. Each says why it does or does not compare.</p>",
    ]
    for entry in PUBLISHED:
        top = "".join(f"<th>{escape(c)}</th>" for c in entry.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(v)}</td>' for v in row)}</tr>" for row in entry.rows)
        parts.append(
            f"<h3>{escape(entry.title)}</h3><p>{escape(entry.protocol)}.</p>"
            f"<p><b>{escape(entry.comparable)}</b></p>"
            f'<p class="soft">Source: {escape(entry.source)}.</p>'
            f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'
        )
    return parts


def _environment(run: Run) -> list[str]:
    header = run.header
    entries = dict(header["environment"])
    entries |= {"images": header["images"], "masks": header["masks"], "seed": header["seed"]}
    if "mask_spec" in header:
        entries["masks were made of"] = header["mask_spec"]
    for method, options in header["options"].items():
        if options:
            entries[f"options of {method}"] = ", ".join(f"{k}={v}" for k, v in options.items())
    if header["lpips"]:
        entries["LPIPS weights"] = f"{header['lpips']['file']}, sha256 {header['lpips']['sha256']}"
    rows = "".join(
        f'<tr><td>{escape(str(name))}</td><td class="words">{escape(str(value))}</td></tr>'
        for name, value in entries.items()
    )
    return [f'<h2 id="environment">Environment</h2><table><tbody>{rows}</tbody></table>']
