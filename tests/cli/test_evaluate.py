from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import (
    ConfigError,
    ImageError,
    MaskError,
    OptionError,
    OutputError,
    UnknownMethodError,
    WeightsNotFoundError,
)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LACUNA_SHARED", raising=False)
    rng = np.random.default_rng(0)
    for folder in ("images", "masks", "empty"):
        (tmp_path / folder).mkdir()
    hole = np.zeros((40, 50), dtype=bool)
    hole[10:20, 10:20] = True
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "images" / name)
        Image.fromarray(hole).save(tmp_path / "masks" / name)
    return tmp_path


def command(folders: Path, *more: str, masks: str = "masks", images: str = "images") -> list[str]:
    inputs = ["--images", str(folders / images), "--masks", str(folders / masks)]
    return ["evaluate", *inputs, "-o", str(folders / "report"), "--methods", "telea", *more]


def test_it_writes_tables_and_a_report_and_compares(lacuna: Callable, folders: Path) -> None:
    ran = lacuna(*command(folders))
    assert ran.code == 0
    assert "telea" in ran.out
    assert "lpips is left out" in ran.err
    names = {path.name for path in (folders / "report").iterdir()}
    assert names == {"run.json", "rows.jsonl", "fills", "rows.csv", "summary.csv", "tables.md", "report.html"}
    again = lacuna(*command(folders, "--resume", "--json"))
    assert (again.json["rows"], again.json["failed"]) == (2, 0)
    assert again.json["methods"][0]["figures"]["psnr_hole"][0] > 0
    report = str(folders / "report")
    compared = lacuna("evaluate", "--compare", report, report)
    assert (compared.code, "unchanged" in compared.out) == (0, True)
    assert lacuna("evaluate", "--compare", report, report, "--json").json["changes"]


@pytest.mark.parametrize(
    ("more", "how", "code"),
    [
        (["--methods", "tele"], {}, exits.EXIT_CODES[UnknownMethodError]),
        (["--memory-limit", "lots"], {}, exits.EXIT_CODES[OptionError]),
        (["--inception", "none.pth"], {}, exits.EXIT_CODES[WeightsNotFoundError]),
        ([], {"images": "empty"}, exits.EXIT_CODES[ImageError]),
        ([], {"masks": "empty"}, exits.EXIT_CODES[MaskError]),
        (["--resume", "--overwrite"], {}, exits.USAGE),
        (["--compare", "nowhere", "nowhere"], {}, exits.EXIT_CODES[ConfigError]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    lacuna: Callable, folders: Path, more: list[str], how: dict[str, str], code: int
) -> None:
    ran = lacuna(*command(folders, *more, **how))
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert not (folders / "report").exists()


def test_names_that_do_not_match_are_listed(lacuna: Callable, folders: Path) -> None:
    (folders / "masks/b.png").rename(folders / "masks/stray.png")
    ran = lacuna(*command(folders))
    assert ran.code == exits.EXIT_CODES[MaskError]
    assert "1 without a mask: b.png; 1 without a picture: stray.png" in " ".join(ran.err.split())
    assert not (folders / "report").exists()


def test_a_folder_in_use_is_refused(lacuna: Callable, folders: Path) -> None:
    (folders / "report").mkdir()
    (folders / "report/else.txt").touch()
    ran = lacuna(*command(folders, "--overwrite"))
    assert ran.code == exits.EXIT_CODES[OutputError]


def test_what_is_needed_is_said(lacuna: Callable) -> None:
    ran = lacuna("evaluate", "--images", "x")
    assert ran.code == exits.USAGE
    assert "--masks" in ran.err
