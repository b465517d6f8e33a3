"""Arguments and options that several commands share, declared once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from lacuna.errors import ImageError, MaskError, OptionError

STREAM = "-"

_HOLE, _FILL, _OUT = "The hole", "The fill", "The output"

Image = Annotated[str, typer.Argument(metavar="IMAGE", help="The picture: a file, or - for stdin.")]
Mask = Annotated[
    str,
    typer.Option(
        "--mask",
        "-m",
        metavar="MASK",
        help="What is missing: a picture in which white (128 or more) is missing; [bold]alpha[/] for the "
        "fully transparent pixels of the picture itself; or an expression such as [bold]'box:10,10,200,80 + "
        "color:#ff0000~20 | dilate 4'[/], see docs/masks.md.",
        rich_help_panel=_HOLE,
    ),
]
Dilate = Annotated[
    int, typer.Option("--dilate", metavar="N", help="Grow the hole by N pixels.", rich_help_panel=_HOLE)
]
Invert = Annotated[
    bool, typer.Option("--invert", help="In this mask, white is what stays.", rich_help_panel=_HOLE)
]
ResizeMask = Annotated[
    bool,
    typer.Option("--resize-mask", help="Accept a mask of another size and resize it.", rich_help_panel=_HOLE),
]
Method = Annotated[
    str,
    typer.Option("--method", metavar="NAME", help="See [bold]lacuna methods[/].", rich_help_panel=_FILL),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="Only this method, as often as needed; every one that runs here unless given.",
        rich_help_panel=_FILL,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="An option of the method, as often as needed; [bold]lacuna methods NAME[/] lists them.",
        rich_help_panel=_FILL,
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="TEXT",
        help="What to draw; for [bold]latent[/].",
        rich_help_panel=_FILL,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Another seed gives another plausible fill.",
        rich_help_panel=_FILL,
    ),
]
Sources = Annotated[
    str | None,
    typer.Option(
        "--sources",
        metavar="MASK",
        help="White is where the fill may be copied from; everywhere unless given.",
        rich_help_panel=_FILL,
    ),
]
Sketch = Annotated[
    str | None,
    typer.Option(
        "--sketch",
        metavar="LINES",
        help="White lines on black that the fill should follow, or a mask expression such as "
        "[bold]strokes:lines.txt[/]; for [bold]gated-conv[/].",
        rich_help_panel=_FILL,
    ),
]
Guide = Annotated[
    str | None,
    typer.Option(
        "--guide",
        metavar="PICTURE",
        help="What the hole may look like, as roughly as you like; for [bold]patchmatch[/] "
        "and [bold]latent[/].",
        rich_help_panel=_FILL,
    ),
]
Blend = Annotated[
    str,
    typer.Option(
        "--blend",
        metavar="HOW",
        help="[bold]hard[/] takes the fill as it is; [bold]membrane[/] shifts its brightness and colour so "
        "that it meets the rim without a step.",
        rich_help_panel=_FILL,
    ),
]
Feather = Annotated[
    float,
    typer.Option(
        "--feather",
        metavar="N",
        help="Fade the fill out over N pixels around the hole. [bold]Changes known pixels.[/]",
        rich_help_panel=_FILL,
    ),
]
Context = Annotated[
    float,
    typer.Option(
        "--context",
        metavar="SHARE",
        help="How much of the surroundings a method sees on each side, as a share of the hole's size.",
        rich_help_panel=_FILL,
    ),
]


def output(word: str, default: str = "") -> Any:
    """Return the declaration of ``--output``, for a command with this word in its `default_output`.

    A command that does not read a picture from a file or stdin says in its own words what its ``default`` is.
    """
    default = default or f"photo.jpg becomes photo.{word}.jpg and stdin goes to stdout"
    return typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help=f"Where to write; its ending chooses the format, - is stdout. Unless given, {default}.",
        rich_help_panel=_OUT,
    )


Output = Annotated[str | None, output("filled")]
SheetOutput = Annotated[
    str,
    typer.Option("--output", "-o", metavar="SHEET", help="Where to write the sheet.", rich_help_panel=_OUT),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        help="Also write a before / mask / after picture.",
        rich_help_panel=_OUT,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        metavar="1-100",
        help="Of JPEG and WebP; the input's own unless given.",
        rich_help_panel=_OUT,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output if it exists.", rich_help_panel=_OUT)
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what was found; fill and write nothing.", rich_help_panel=_OUT),
]
Preview = Annotated[
    str | None,
    typer.Option(
        "--preview",
        metavar="FILE",
        help="Also write a picture of what was found, marked, before it is filled.",
        rich_help_panel=_OUT,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option("--max-pixels", metavar="N", help="Refuse pictures of more pixels; 0 for no limit."),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Also print what [bold]auto[/] expected of each method, from hidden copies of the hole.",
        rich_help_panel=_FILL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, errors included.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


SamEncoder = Annotated[
    str | None,
    typer.Option(
        "--sam-encoder",
        metavar="ONNX",
        help="Let clicks be answered by Segment Anything: its encoder; see docs/masks.md.",
        rich_help_panel=_HOLE,
    ),
]
SamDecoder = Annotated[
    str | None,
    typer.Option("--sam-decoder", metavar="ONNX", help="And its decoder.", rich_help_panel=_HOLE),
]


def sam(encoder: str | None, decoder: str | None) -> AbstractContextManager[None]:
    """Return a context in which clicks use these files, if they are given."""
    if encoder is None and decoder is None:
        return nullcontext()
    from lacuna.masks.sam import both, load_sam, using

    return using(load_sam(*both(encoder, decoder)))


def one_stdin(*names: str | None) -> None:
    """Refuse a command line that would read stdin twice."""
    if names.count(STREAM) > 1:
        raise typer.BadParameter("only one input can be - (stdin)")


def source(name: str) -> str | bytes:
    """Return what the doors open: the file's name, or the bytes that arrive on stdin for ``-``.

    Raises
    ------
    ImageError : nothing is piped in, or the name is an address on the web.
    """
    if name != STREAM:
        _check_local(name)
        return name
    if sys.stdin is None or sys.stdin.isatty():
        raise ImageError("- reads a picture from stdin, and nothing is piped in")
    return sys.stdin.buffer.read()


def _check_local(name: str) -> None:
    """Refuse an address on the web; Lacuna fetches nothing."""
    if re.match("[a-z][a-z0-9+.]+://", name) and not Path(name).exists():
        raise ImageError(
            f"{name} is an address, and Lacuna fetches nothing; fetch it first, or pipe it in as -"
        )


def mask(name: str) -> Any:
    """Return what `lacuna.masks.to_hole` takes: a value, a file's name, or the bytes on stdin for ``-``.

    Raises
    ------
    MaskError : the name is empty, as a variable is that was never set.
    """
    if name == STREAM:
        return source(name)
    if not name.strip():
        raise MaskError(
            "the mask's name is empty; give a file, 'alpha', or an expression such as box:10,10,200,80"
        )
    from lacuna.masks import as_mask

    return as_mask(name)


def limit(max_pixels: int | None) -> dict[str, int | None]:
    """Return the keyword for the doors: nothing (their default), a number, or None for no limit.

    Raises
    ------
    OptionError : a number below 0.
    """
    if max_pixels is None:
        return {}
    if max_pixels < 0:
        raise OptionError(f"--max-pixels is {max_pixels}; expected a number of pixels, or 0 for no limit")
    return {"max_pixels": max_pixels or None}


def pairs(values: Iterable[str]) -> dict[str, str]:
    """Return ``key=value`` texts as a dict.

    Raises
    ------
    OptionError : a text without ``=``, or a key given twice.

    Examples
    --------
    >>> pairs(["patch=7", "texture=0.5"])
    {'patch': '7', 'texture': '0.5'}
    """
    found: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise OptionError(
                f"--option {text!r} is not of the form key=value; for example --option radius=5"
            )
        if key in found:
            raise OptionError(f"--option {key} is given twice: {found[key]!r} and {value!r}")
        found[key] = value
    return found


def asked(values: Iterable[str] | None, prompt: str | None) -> dict[str, str]:
    """Return the options of a method: those of ``--option``, and ``--prompt``, which is one of them.

    Raises
    ------
    OptionError : see `pairs`; the prompt is given twice.
    """
    found = pairs(values or ())
    if prompt is None:
        return found
    if "prompt" in found:
        raise OptionError("the prompt is given twice: by --prompt and by --option prompt")
    return {**found, "prompt": prompt}


def default_output(image: str, word: str = "filled") -> str:
    """Return the name of the output when none is given: the picture's with a word before its ending.

    Formats that can only be read become PNG.

    Examples
    --------
    >>> default_output("photo.jpg"), default_output("party.gif"), default_output("-")
    ('photo.filled.jpg', 'party.filled.png', '-')
    """
    from lacuna.image.writing import SUFFIXES

    if image == STREAM:
        return STREAM
    _check_local(image)
    path = Path(image)
    suffix = path.suffix if path.suffix.lower() in SUFFIXES else ".png"
    return str(path.with_name(f"{path.stem}.{word}{suffix}"))
