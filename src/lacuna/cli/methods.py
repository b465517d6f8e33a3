"""``lacuna methods``: what there is, what runs here, and which options each method has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from lacuna import __version__
from lacuna.cli import options, render

if TYPE_CHECKING:
    from lacuna.registry import MethodSpec


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="[METHOD]", help="Show this method and its options.")
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """List the methods, or the options of one."""
    from lacuna import registry

    specs = [registry.get(name)] if name else registry.list_methods()
    if as_json:
        render.emit({"version": __version__, "methods": [_facts(spec) for spec in specs]})
    elif name:
        _print_one(specs[0])
    else:
        _print_all(specs)
    return 0


def _facts(spec: MethodSpec) -> dict[str, Any]:
    from lacuna import registry

    missing = spec.missing()
    return {
        "name": spec.name,
        "family": spec.family,
        "summary": spec.summary,
        "reference": spec.reference,
        "aux": sorted(spec.aux),
        "random": spec.random,
        "deterministic": spec.deterministic,
        "weights": spec.weights,
        "slow": spec.slow,
        "available": missing is None,
        "missing": missing,
        "options": [
            {"name": option.name, "type": option.type, "default": option.default, "help": option.help}
            for option in registry.options_of(spec.name)
        ],
    }


def _print_all(specs: list[MethodSpec]) -> None:
    missing = {spec.name: spec.missing() for spec in specs}
    table = _table("method", "what it does", "runs here")
    for spec in specs:
        here = Text("no", "red") if missing[spec.name] else Text("yes", "green")
        table.add_row(Text(spec.name, "bold"), spec.summary, here)
    console = render.stdout()
    console.print(table)
    console.print()
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        if reason:
            reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        console.print(Text(f"{', '.join(names)}: {reason}"), soft_wrap=not console.is_terminal)
    if reasons:
        console.print()
    console.print(Text("lacuna methods METHOD shows the options of one.", "dim"))


def _print_one(spec: MethodSpec) -> None:
    from lacuna import registry

    console = render.stdout()
    console.print(Text.assemble((spec.name, "bold"), f": {spec.summary}"))
    for line in _traits(spec):
        console.print(Text(line))
    known = registry.options_of(spec.name)
    if not known:
        console.print(Text("It has no options."))
        return
    table = _table("option", "values", "default", "what it does")
    for option in known:
        table.add_row(Text(option.name, "bold"), option.type, _shown(option.default), option.help)
    console.print()
    console.print(table)
    console.print()
    example = next((o for o in known if o.default not in (None, "")), known[0])
    console.print(Text(f"Set one with --option {example.name}={_shown(example.default)}", "dim"))


def _traits(spec: MethodSpec) -> list[str]:
    lines = [f"Source: {spec.reference}"] if spec.reference else []
    if spec.random:
        lines.append("Another --seed gives another fill.")
    if not spec.deterministic:
        lines.append("Two runs may differ, even with the same seed.")
    if "sources" in spec.aux:
        lines.append("Takes --sources, a mask of where it may copy from.")
    if "sketch" in spec.aux:
        lines.append("Takes --sketch, white lines that the fill should follow.")
    if "guide" in spec.aux:
        lines.append("Takes --guide, a picture that the fill should resemble from afar.")
    if spec.weights:
        lines.append("Needs weights: --option weights=FILE, or a name from lacuna weights.")
    missing = spec.missing()
    if missing:
        lines.append(f"It cannot run here: {missing}")
    return lines


def _shown(value: Any) -> str:
    """Return a default as one would type it."""
    if value is None:
        return "auto"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("method", "option"))
    return table
