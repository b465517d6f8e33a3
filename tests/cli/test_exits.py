from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacuna import errors
from lacuna.cli import exits

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
CONSTANTS = {0, 1, 2, 3, 141, 143}


def descendants(cls: type[errors.LacunaError]) -> Iterator[type[errors.LacunaError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from descendants(child)


def ours() -> list[type[errors.LacunaError]]:
    """Every class of the library; a test elsewhere may have derived its own."""
    return sorted(
        {cls for cls in descendants(errors.LacunaError) if cls.__module__.startswith("lacuna")},
        key=lambda cls: cls.__name__,
    )


@pytest.mark.parametrize("cls", ours(), ids=lambda cls: cls.__name__)
def test_every_error_has_its_own_exit_code(cls: type[errors.LacunaError]) -> None:
    assert exits.exit_code(cls("words")) == exits.EXIT_CODES[cls]


def test_no_two_errors_share_a_code_and_none_looks_like_success() -> None:
    codes = list(exits.EXIT_CODES.values())
    assert len(set(codes)) == len(codes)
    assert not set(codes) & CONSTANTS
    assert all(0 < code < 256 for code in codes)


def test_an_error_of_a_plug_in_gets_the_code_of_its_base() -> None:
    class Fussy(errors.MaskError):
        pass

    assert exits.exit_code(Fussy("words")) == exits.EXIT_CODES[errors.MaskError]


def test_the_documentation_shows_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)`)?", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: int(code) for code, name in rows if name}
    assert documented == {cls.__name__: code for cls, code in exits.EXIT_CODES.items()}
    assert {int(code) for code, name in rows if not name} == CONSTANTS
