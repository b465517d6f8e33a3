"""Jobs on the command line: say what was found, then fill, write and report it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def test_remove_says_what_it_selected_before_it_fills(lacuna: Callable[..., Any], scene: Any) -> None:
    ran = lacuna("remove", scene.path("photo.png"), "--box", "20,12,14,10", "-o", scene.path("out.png"))
    assert ran.code == 0
    lines = ran.err.splitlines()
    assert lines[0].startswith("box:20,12,14,10 selected 140 pixels (6.2 % of the picture)")
    assert any("0 of 2,100 known pixels changed" in line for line in lines[1:])
    after = scene.read("out.png")
    assert np.array_equal(after[~scene.hole], scene.picture[~scene.hole])


def test_the_name_of_the_output_says_what_was_done(lacuna: Callable[..., Any], scene: Any) -> None:
    lacuna("remove", scene.path("photo.png"), "--box", "20,12,14,10", "-q")
    lacuna("outpaint", scene.path("photo.png"), "--left", "8", "-q")
    assert {"photo.removed.png", "photo.extended.png"} <= scene.files


@pytest.mark.parametrize(
    "command", [["remove", "--box", "20,12,14,10"], ["outpaint", "--aspect", "2:1"]], ids=lambda c: c[0]
)
def test_a_dry_run_writes_nothing_but_the_preview(
    lacuna: Callable[..., Any], scene: Any, command: list[str]
) -> None:
    before = scene.files
    name, *rest = command
    ran = lacuna(name, scene.path("photo.png"), *rest, "--dry-run", "--json")
    assert ran.code == 0
    assert ran.json["dry_run"] is True
    assert ran.json["output"] is None
    assert ran.json["missing"] > 0
    assert scene.files == before
    lacuna(name, scene.path("photo.png"), *rest, "--dry-run", "--preview", scene.path("look.png"))
    assert scene.files == before | {"look.png"}


def test_outpaint_counts_the_pixels_at_their_new_place(lacuna: Callable[..., Any], scene: Any) -> None:
    out = scene.path("wide.png")
    ran = lacuna("outpaint", scene.path("photo.png"), "--right", "50%", "-o", out)
    assert "0 of 2,240 original pixels differ at their new place" in ran.err
    assert np.array_equal(scene.read("wide.png")[:, :56], scene.picture)
    ran = lacuna("outpaint", scene.path("photo.png"), "--right", "9", "-o", out, "--overwrite", "--json")
    assert ran.json["moved"] == 0
    assert ran.json["found"]["box"] == [0, 0, 56, 40]
    assert ran.json["changed_in_file"] == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["remove", "photo.png"], 12, "nothing to remove"),
        (["remove", "photo.png", "--click", "900,2"], 12, "outside the 56x40 picture"),
        (["remove", "photo.png", "--mask", "polygon:1,1,5,5"], 12, "polygon"),
        (["remove", "none.png", "--box", "1,1,5,5"], 11, "does not exist"),
        (["outpaint", "photo.png"], 13, "nothing to add"),
        (["outpaint", "photo.png", "--left", "99999"], 60, "8 times is the limit"),
        (["outpaint", "photo.png", "--left", "5", "-o", "mask.png"], 50, "exists already"),
    ],
)
def test_what_cannot_be_is_one_line(
    lacuna: Callable[..., Any],
    scene: Any,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(scene.folder)
    before = scene.files
    ran = lacuna(*args)
    assert ran.code == code
    assert words in ran.err
    assert len(ran.err.splitlines()) == 1
    assert scene.files == before


def test_straighten_says_what_it_found(lacuna: Callable[..., Any], scene: Any) -> None:
    out = scene.path("out.png")
    ran = lacuna("straighten", scene.path("photo.png"), "--angle", "5", "-o", out, "--json")
    assert ran.json["found"] == {"angle": 5.0, "crop": False}
    assert ran.json["width"] > 56
    corners = ["--corners", "5,5", "50,3", "52,36", "4,35"]
    ran = lacuna("straighten", scene.path("photo.png"), *corners, "-o", out, "--overwrite")
    assert ran.code == 0
    assert "the four corners become a rectangle" in ran.err
    ran = lacuna("straighten", scene.path("photo.png"), "--angle", "5", "--crop", "-o", out, "--overwrite")
    assert "cut to the largest full rectangle" in ran.err
    assert scene.read("out.png").shape[0] < 40


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--angle", "90"], 13, "from -45 to 45"),
        (["--angle", "auto"], 11, "the tilt cannot be told"),
        (["--corners", "1,1", "2", "3,3", "4,4"], 13, "expected x,y"),
        (["--corners", "1,1", "2,2"], 13, "expected x,y"),
    ],
)
def test_a_turn_that_cannot_be(
    lacuna: Callable[..., Any], scene: Any, args: list[str], code: int, words: str
) -> None:
    ran = lacuna("straighten", scene.path("photo.png"), *args, "-o", scene.path("out.png"))
    assert ran.code == code
    assert words in ran.err
    assert "out.png" not in scene.files


def test_augment_says_what_it_will_do_and_did(lacuna: Callable[..., Any], scene: Any, tmp_path: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/photo.png").write_bytes((scene.folder / "photo.png").read_bytes())
    (tmp_path / "in/bad.png").write_bytes(b"no")
    command = ["augment", tmp_path / "in", "-o", tmp_path / "out", "-n", "2", "--method", "telea"]
    ran = lacuna(*command, "--dry-run", "--preview", tmp_path / "look.png")
    assert ran.err.splitlines()[0] == "2 pictures × 2 variations = 4; taken out: blobs:0.02-0.25"
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "look.png").exists()
    ran = lacuna(*command, "--json")
    assert (ran.code, ran.json["counts"]) == (0, {"made": 2, "failed": 2})
    ran = lacuna(*command)
    assert (ran.code, "--resume" in ran.err) == (50, True)
    assert "2 made, 2 failed" in lacuna(*command, "--resume").err


def test_segment_anything_needs_both_files(lacuna: Callable[..., Any], scene: Any) -> None:
    command = [scene.path("photo.png"), "--sam-encoder", scene.path("encoder.onnx")]
    for name, *rest in (["remove", "--click", "5,5"], ["inpaint", "--mask", "click:5,5"]):
        ran = lacuna(name, *command, *rest, "-o", scene.path("out.png"))
        assert ran.code == 30
        assert "the decoder is missing" in ran.err
    ran = lacuna("mask", "draw", *command, "click:5,5", "-o", scene.path("out.png"))
    assert ran.code == 30
    assert "out.png" not in scene.files


def test_stitch_names_what_does_not_overlap(lacuna: Callable[..., Any], scene: Any) -> None:
    ran = lacuna("stitch", scene.path("photo.png"), scene.path("mask.png"), "-o", scene.path("out.png"))
    assert ran.code == 11
    assert "no overlap is found between" in ran.err
    assert lacuna("stitch", scene.path("photo.png"), "-o", scene.path("out.png")).code == 13
    assert "out.png" not in scene.files
