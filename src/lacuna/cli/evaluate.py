"""``lacuna evaluate``: every method on every picture, measured, in tables and one report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacuna.cli import exits, options, render
from lacuna.errors import ImageError, MaskError, MethodError

if TYPE_CHECKING:
    from lacuna.evaluate import Run

_DATA, _RUN = "What is measured", "The run"

Images = Annotated[
    str | None,
    typer.Option("--images", metavar="DIR", help="Whole pictures: the truth.", rich_help_panel=_DATA),
]
Masks = Annotated[
    str | None,
    typer.Option(
        "--masks",
        metavar="MASKS",
        help="A folder of masks with the stems of the pictures, white is missing; folders in it (narrow, "
        "wide, …) are kinds of holes with a table each. Or kinds of random masks, as in "
        "[bold]irregular:.1-.2,wide[/]; or a mask expression; or the manifest.json of "
        "[bold]lacuna mask dataset[/].",
        rich_help_panel=_DATA,
    ),
]
Methods = Annotated[
    str,
    typer.Option(
        "--methods",
        metavar="A,B",
        help="Names, or [bold]all[/]. [bold]name@label[/] is a method again, with other options.",
        rich_help_panel=_DATA,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="METHOD:KEY=VALUE",
        help="An option of one of the methods, as often as needed.",
        rich_help_panel=_DATA,
    ),
]
Lpips = Annotated[
    str | None,
    typer.Option(
        "--lpips",
        metavar="FILE",
        help="LPIPS weights (safetensors: squeeze, alex or vgg); unless given, those in LACUNA_SHARED.",
        rich_help_panel=_DATA,
    ),
]
Inception = Annotated[
    str | None,
    typer.Option(
        "--inception",
        metavar="FILE",
        help="Inception weights (pt_inception-2015-12-05, .pth or safetensors) for FID and KID. "
        "Without, figures of sets are over LPIPS's features.",
        rich_help_panel=_DATA,
    ),
]
AllowUnmatched = Annotated[
    bool,
    typer.Option(
        "--allow-unmatched",
        help="Leave out pictures without masks and masks without pictures.",
        rich_help_panel=_DATA,
    ),
]
Folder = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="DIR", help="The folder of the report.", rich_help_panel=_RUN),
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        help="Processes at once. For seconds to be trusted, one.",
        rich_help_panel=_RUN,
    ),
]
TimeLimit = Annotated[
    float,
    typer.Option(
        "--time-limit", metavar="S", help="Seconds after which a fill is stopped.", rich_help_panel=_RUN
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        metavar="SIZE",
        help="Memory, such as [bold]8GiB[/], beyond which a fill is stopped: all that the method's process "
        "and its programs hold. Linux alone.",
        rich_help_panel=_RUN,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the run in that folder.", rich_help_panel=_RUN),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Throw the run in that folder away.", rich_help_panel=_RUN),
]
Pictures = Annotated[
    int,
    typer.Option(
        "--pictures",
        metavar="N",
        min=0,
        help="Worst and best cases in the report, so many of each.",
        rich_help_panel=_RUN,
    ),
]
Compare = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--compare",
        metavar="RUN_A RUN_B",
        help="Run nothing; say what changed between two reports, and whether it is more than chance.",
    ),
]


def evaluate(
    images: Images = None,
    masks: Masks = None,
    methods: Methods = "all",
    output: Folder = None,
    option: Settings = None,
    seed: options.Seed = 0,
    lpips: Lpips = None,
    inception: Inception = None,
    allow_unmatched: AllowUnmatched = False,
    workers: Workers = 1,
    time_limit: TimeLimit = 600.0,
    memory_limit: MemoryLimit = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    pictures: Pictures = 3,
    compare: Compare = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Run methods on pictures whose truth is known, measure them, and write tables and a report.

    Each method works in a process of its own; what fails is a row. A run that was stopped goes on with
    [bold]--resume[/].
    """
    if compare is not None:
        return _compare(*compare, as_json=as_json)
    if images is None or masks is None or output is None:
        raise typer.BadParameter("--images, --masks and -o are needed, or --compare RUN_A RUN_B")
    if resume and overwrite:
        raise typer.BadParameter("--resume and --overwrite exclude each other")
    _check_folders(images, masks)
    from lacuna.evaluate import evaluate as run_all
    from lacuna.evaluate import write_report, write_tables
    from lacuna.evaluate.memory import parse_bytes

    try:
        with render.progress(quiet=quiet) as on_step:
            run = run_all(
                images,
                masks,
                methods,
                output,
                options=option or (),
                seed=seed,
                workers=workers,
                time_limit=time_limit,
                memory_limit=None if memory_limit is None else parse_bytes(memory_limit),
                lpips=lpips,
                inception=inception,
                resume=resume,
                overwrite=overwrite,
                allow_unmatched=allow_unmatched,
                on_note=lambda words: render.say(words, quiet=quiet),
                on_step=on_step,
            )
    except KeyboardInterrupt:
        render.say(f"what is done is kept in {output}; --resume goes on with it", quiet=quiet)
        raise
    written = [*write_tables(run), write_report(run, pictures=pictures)]
    if as_json:
        render.emit(_facts(run, [str(path) for path in written]))
    elif not quiet:
        _print(run)
        render.say(f"wrote {', '.join(str(path) for path in written)}")
    if any(row["status"] == "ok" for row in run.rows):
        return exits.OK
    # Nothing to compare came of it, which a script should notice.
    nothing = MethodError(f"nothing was filled: {_why(run)}; rows.csv has a line for each")
    code = exits.exit_code(nothing)
    return code if as_json else render.failure(nothing, code, as_json=False)


def _why(run: Run) -> str:
    """Return the first reason of a row that failed."""
    return next((str(row["error"]) for row in run.rows if row.get("error")), "there was nothing to fill")


def _compare(first: str, second: str, *, as_json: bool) -> int:
    from lacuna.evaluate import compare_runs

    found = compare_runs(first, second)
    if as_json:
        changes = [
            {
                "kind": c.kind,
                "method": c.method,
                "figure": c.figure,
                "count": c.count,
                "difference": c.interval.mean,
                "low": c.interval.low,
                "high": c.interval.high,
                "p": c.p,
                "verdict": c.verdict,
            }
            for c in found.changes
        ]
        render.emit({"notes": found.notes, "changes": changes})
    else:
        render.stdout().print(found.markdown(), markup=False, soft_wrap=True)
    return 0


def _check_folders(images: str, masks: str) -> None:
    """Refuse one picture where many are expected, with words about that."""
    for name, option, error in ((images, "--images", ImageError), (masks, "--masks", MaskError)):
        if Path(name).suffix.lower() != ".json" and Path(name).is_file():
            raise error(f"{option} {name} is a file; expected a folder, with the file in it")


def _facts(run: Run, written: list[str]) -> dict[str, Any]:
    from lacuna.evaluate.sets import nets, set_lines
    from lacuna.evaluate.summary import lines, tables

    sets = [line for table in tables(run) for net in nets(run) for line in set_lines(run, table, net)]
    found = [line for table in tables(run) for line in lines(table, run.header["figures"])]
    return {
        "version": run.header["version"],
        "rows": len(run.rows),
        "failed": sum(row["status"] != "ok" for row in run.rows),
        "skipped": run.header["skipped"],
        "written": written,
        "methods": [
            {
                "kind": line.kind,
                "name": line.method,
                "count": line.count,
                "figures": {name: list(value) for name, value in line.figures.items()},
                "seconds": None if line.count == 0 else line.seconds,
                "memory_mb": None if line.count == 0 else line.memory_mb,
                "failed": line.failed,
                "missing": line.missing,
            }
            for line in found
        ],
        "sets": [asdict(line) for line in sets],
    }


def _print(run: Run) -> None:
    from rich.table import Table
    from rich.text import Text

    from lacuna.evaluate.summary import TESTED, lines, tables
    from lacuna.evaluate.tables import number, remarks
    from lacuna.metrics import FACTS

    shown = [figure for figure in TESTED if figure in run.header["figures"]]
    out = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in (
        "holes",
        "method",
        "n",
        *(f"{FACTS[f].title} {FACTS[f].arrow}" for f in shown),
        "s",
        "MB",
        "",
    ):
        out.add_column(head, overflow="fold")
    odd: list[str] = []
    for table in tables(run):
        for line in lines(table, shown):
            means = [f"{line.figures[f].mean:{FACTS[f].form}}" if f in line.figures else "–" for f in shown]
            ends = [number(line.seconds, ".2f"), number(line.memory_mb, ".0f")]
            if remarks(line):
                odd.append(f"{line.kind or 'all holes'}, {line.method}: {remarks(line)}")
            cells = [line.kind or "all", line.method, str(line.count), *means, *ends]
            out.add_row(*(Text(cell) for cell in cells))
    console = render.stdout()
    console.print(out)
    for words in odd:
        console.print(Text(words, "red"), soft_wrap=not console.is_terminal)
