"""``lacuna study``: ask people which of two fills looks like the photograph."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lacuna.cli import options, render

study = typer.Typer(
    help="Blind pairwise preference: build a page for voters, and judge their votes.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@study.command()
def build(
    run: Annotated[str, typer.Argument(metavar="REPORT", help="The folder of an evaluation.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="A new folder; its key is written beside it.")
    ],
    methods: Annotated[
        str | None, typer.Option("--methods", metavar="A,B", help="Only these; all that filled unless given.")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="Pairs that every voter judges.")] = 60,
    checks: Annotated[
        int, typer.Option("--checks", metavar="N", help="Attention checks, added to them.")
    ] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, another draw.")] = 0,
    as_json: options.AsJson = False,
) -> int:
    """Make a folder that a browser opens. Hand it out; keep the key, which says who is who."""
    from lacuna.study import build_study

    chosen = methods.split(",") if methods else None
    key = build_study(run, output, methods=chosen, trials=trials, checks=checks, seed=seed)
    if as_json:
        render.emit({"folder": output, "key": str(key)})
    else:
        render.say(f"wrote {output}: hand it out, and have index.html opened; votes come back as files")
        render.say(f"wrote {key}: keep it to yourself until the votes are in")
    return 0


@study.command()
def report(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key that was written beside the folder.")],
    votes: Annotated[list[str], typer.Argument(metavar="VOTES…", help="The files that voters saved.")],
    as_json: options.AsJson = False,
) -> int:
    """Judge votes: shares of every pair, and Bradley–Terry strengths with intervals."""
    from lacuna.study import judge, read_votes

    found = judge(read_votes(key, votes))
    if as_json:
        render.emit(asdict(found))
    else:
        render.stdout().print(found.markdown(), markup=False, soft_wrap=True)
    return 0
