from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import ImageError, MaskError, OptionError, OutputError, UnknownMethodError

RUN = "import sys; from lacuna.cli import main; sys.exit(main(sys.argv[1:]))"


class Grey:
    """Fill with mid-grey, whatever is around."""

    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        return np.full_like(image, 0.5)


@pytest.fixture
def grey(add_method: Callable[..., str]) -> str:
    return add_method(Grey)


def inpaint(scene: Any, *more: str) -> list[str]:
    return ["inpaint", scene.path("photo.png"), "--mask", scene.path("mask.png"), *more]


def test_the_hole_is_filled_and_nothing_else_changes(lacuna: Callable, scene: Any, grey: str) -> None:
    ran = lacuna(*inpaint(scene, "-o", scene.path("clean.png"), "--method", grey))
    assert (ran.code, ran.out) == (0, "")
    after = scene.read("clean.png")
    assert (after[~scene.hole] == scene.picture[~scene.hole]).all()
    assert (after[scene.hole] == 128).all()
    known = (~scene.hole).sum()
    assert f"0 of {known:,} known pixels changed" in ran.err
    assert "grey" in ran.err
    assert "clean.png" in ran.err


def test_without_a_name_the_output_lies_beside_the_input(lacuna: Callable, scene: Any, grey: str) -> None:
    assert lacuna(*inpaint(scene, "--method", grey)).code == 0
    assert scene.files == {"photo.png", "mask.png", "photo.filled.png"}


def test_quiet_says_nothing_and_still_writes(lacuna: Callable, scene: Any, grey: str) -> None:
    ran = lacuna(*inpaint(scene, "--method", grey, "-q"))
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "photo.filled.png" in scene.files


def test_json_is_one_object_with_everything(lacuna: Callable, scene: Any) -> None:
    out = scene.path("clean.png")
    ran = lacuna(
        *inpaint(scene, "-o", out, "--method", "telea", "--option", "radius=3", "--seed", "5", "--json")
    )
    facts = ran.json
    assert (ran.code, ran.err) == (0, "")
    assert facts["output"] == out
    assert facts["options"]["radius"] == 3
    expected = {"method": "telea", "seed": 5, "width": 56, "height": 40, "missing": 140, "known": 2100}
    assert {key: facts[key] for key in expected} == expected
    assert facts["changed_outside"] == facts["changed_in_file"] == 0
    assert facts["seconds"] > 0


def test_the_same_seed_writes_the_same_file(lacuna: Callable, scene: Any) -> None:
    for name in ("a.png", "b.png"):
        assert lacuna(*inpaint(scene, "-o", scene.path(name), "--seed", "3", "-q")).code == 0
    assert Path(scene.path("a.png")).read_bytes() == Path(scene.path("b.png")).read_bytes()


def test_dilate_invert_and_resize_reach_the_hole(lacuna: Callable, scene: Any, grey: str) -> None:
    Image.fromarray(scene.read("mask.png")).resize((28, 20)).save(scene.path("small.png"))
    Image.fromarray(255 - scene.read("mask.png")).save(scene.path("white-is-known.png"))

    def missing(mask: str, *more: str) -> int:
        names = ["inpaint", scene.path("photo.png"), "--mask", scene.path(mask)]
        ran = lacuna(*names, "--method", grey, "--json", "--overwrite", *more)
        assert ran.code == 0, ran.json
        return int(ran.json["missing"])

    assert missing("mask.png", "--dilate", "1") > 140
    assert missing("white-is-known.png", "--invert") == 140
    assert missing("small.png", "--resize-mask") == 140


def test_alpha_is_a_mask(lacuna: Callable, scene: Any, grey: str) -> None:
    alpha = np.where(scene.hole, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([scene.picture, alpha])).save(scene.path("holed.png"))
    ran = lacuna("inpaint", scene.path("holed.png"), "--mask", "alpha", "--method", grey, "--json")
    assert ran.json["missing"] == 140
    assert (scene.read("holed.filled.png")[..., 3] == 255).all()


def test_feather_changes_known_pixels_and_counts_them(lacuna: Callable, scene: Any, grey: str) -> None:
    ran = lacuna(*inpaint(scene, "--method", grey, "--feather", "3", "--json"))
    after = scene.read("photo.filled.png")
    differs = (after != scene.picture).any(axis=-1) & ~scene.hole
    assert ran.code == 0
    assert ran.json["changed_outside"] == differs.sum() > 0


def test_the_sheet_shows_before_mask_and_after(lacuna: Callable, scene: Any, grey: str) -> None:
    ran = lacuna(*inpaint(scene, "--method", grey, "--sheet", scene.path("sheet.png")))
    assert ran.code == 0
    sheet = scene.read("sheet.png")
    assert (sheet[16:56, 16:72] == scene.picture).all()
    third = 16 + 2 * (240 + 16)
    assert (sheet[16:56, third : third + 56] == scene.read("photo.filled.png")).all()


def test_a_fill_that_changes_known_pixels_is_refused(
    lacuna: Callable, scene: Any, grey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lacuna.inpainting.count_changed", lambda before, after, hole: 7)
    ran = lacuna(*inpaint(scene, "--method", grey))
    assert ran.code == exits.NOT_SACRED
    assert "7 of 2,100 known pixels changed" in ran.err
    assert scene.files == {"photo.png", "mask.png"}
    assert lacuna(*inpaint(scene, "--method", grey, "--json")).json["error"]["exit_code"] == exits.NOT_SACRED


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        (["photo.png", "--mask", "nowhere.png"], MaskError, "nowhere.png"),
        (["nowhere.png", "--mask", "mask.png"], ImageError, "nowhere.png"),
        (["broken.png", "--mask", "mask.png"], ImageError, "broken.png"),
        (["photo.png", "--mask", "small.png"], MaskError, "7"),
        (["photo.png", "--mask", "white.png"], MaskError, "known"),
        (["photo.png", "--mask", "mask.png", "--method", "tele"], UnknownMethodError, "telea"),
        (["photo.png", "--mask", "mask.png", "--option", "radius"], OptionError, "key=value"),
        (
            ["photo.png", "--mask", "mask.png", "--method", "telea", "--option", "radios=3"],
            OptionError,
            "radius",
        ),
        (
            ["photo.png", "--mask", "mask.png", "--method", "telea", "--option", "radius=x"],
            OptionError,
            "'x'",
        ),
        (["photo.png", "--mask", "mask.png", "--blend", "soft"], OptionError, "membrane"),
        (["photo.png", "--mask", "mask.png", "--seed", "-1"], OptionError, "seed"),
        (["photo.png", "--mask", "mask.png", "-o", "photo.png"], OutputError, "--overwrite"),
        (["photo.png", "--mask", "mask.png", "-o", "nowhere/a.png"], OutputError, "nowhere"),
        (["photo.png", "--mask", "mask.png", "-o", "."], OutputError, "folder"),
        (["photo.png", "--mask", "mask.png", "-o", "a.xyz"], OutputError, "xyz"),
    ],
)
def test_bad_input_is_one_line_a_code_and_no_file(
    lacuna: Callable,
    scene: Any,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.chdir(scene.folder)
    Path("broken.png").write_bytes(Path("photo.png").read_bytes()[:100])
    Image.new("L", (7, 9), 255).save("small.png")
    Image.new("L", (56, 40), 255).save("white.png")
    before = scene.files
    ran = lacuna("inpaint", *args)
    assert ran.code == exits.EXIT_CODES[error]  # type: ignore[index]
    assert ran.out == ""
    assert ran.err.startswith("lacuna: error: ")
    assert ran.err.count("\n") == 1
    assert words in ran.err
    told = lacuna("inpaint", *args, "--json").json["error"]
    assert (told["type"], told["exit_code"]) == (error.__name__, ran.code)
    assert scene.files == before


def test_too_many_pixels_are_refused_and_the_limit_can_be_lifted(
    lacuna: Callable, scene: Any, grey: str
) -> None:
    from lacuna.errors import LimitError

    refused = lacuna(*inpaint(scene, "--method", grey, "--max-pixels", "1000"))
    assert refused.code == exits.EXIT_CODES[LimitError]
    assert lacuna(*inpaint(scene, "--method", grey, "--max-pixels", "0")).code == 0


def test_an_existing_output_is_noticed_before_the_work(
    lacuna: Callable, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lacuna.inpainting.Inpainter.run", lambda *args, **how: pytest.fail("worked"))
    ran = lacuna(*inpaint(scene, "-o", scene.path("photo.png")))
    assert ran.code == exits.EXIT_CODES[OutputError]
    assert lacuna(*inpaint(scene, "--sheet", scene.path("mask.png"))).code == ran.code


def test_the_input_may_be_overwritten_on_request(lacuna: Callable, scene: Any, grey: str) -> None:
    ran = lacuna(*inpaint(scene, "-o", scene.path("photo.png"), "--overwrite", "--method", grey))
    assert ran.code == 0
    assert (scene.read("photo.png")[scene.hole] == 128).all()


def test_a_pipe_goes_in_and_out(scene: Any) -> None:
    args = [sys.executable, "-c", RUN, "inpaint", "-", "--mask", scene.path("mask.png"), "--method", "telea"]
    done = subprocess.run(
        args, input=Path(scene.path("photo.png")).read_bytes(), capture_output=True, check=True
    )
    with Image.open(io.BytesIO(done.stdout)) as after:
        assert after.format == "PNG"
        assert (np.asarray(after)[~scene.hole] == scene.picture[~scene.hole]).all()
    assert b"0 of 2,100 known pixels changed" in done.stderr


def test_the_mask_may_come_from_the_pipe(scene: Any) -> None:
    out = scene.path("clean.png")
    args = [sys.executable, "-c", RUN, *inpaint(scene)[:2], "--mask", "-", "-o", out, "--method", "telea"]
    subprocess.run(args, input=Path(scene.path("mask.png")).read_bytes(), capture_output=True, check=True)
    assert (scene.read("clean.png")[~scene.hole] == scene.picture[~scene.hole]).all()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-", "--mask", "-", "-o", "a.png"], "stdin"),
        (["photo.png", "--mask", "mask.png", "-o", "-", "--json"], "stdout"),
    ],
)
def test_one_pipe_cannot_carry_two_things(lacuna: Callable, args: list[str], words: str) -> None:
    ran = lacuna("inpaint", *args)
    assert ran.code == exits.USAGE
    assert words in ran.err + ran.out


SLOW = """
import sys, time
import lacuna
from lacuna.cli import main
from lacuna.progress import report
from dataclasses import dataclass

@dataclass(frozen=True)
class Slow:
    def fill(self, image, hole, *, aux, seed, on_step=None):
        print("started", file=sys.stderr, flush=True)
        for _ in range(600):
            time.sleep(0.05)
            report(on_step, 0.5)
        return image

lacuna.register(lacuna.MethodSpec("slow", "test", "takes half a minute", "__main__:Slow"))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, exits.INTERRUPTED), (signal.SIGTERM, exits.TERMINATED)]
)
def test_a_stopped_fill_ends_soon_and_leaves_no_file(scene: Any, number: int, code: int) -> None:
    args = [sys.executable, "-c", SLOW, *inpaint(scene, "--method", "slow")]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "started\n"
        process.send_signal(number)
        started = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert process.returncode == code
    assert err.strip().splitlines()[-1] == "lacuna: error: stopped; no partial file is left"
    assert "Traceback" not in err
    assert scene.files == {"photo.png", "mask.png"}


def test_a_format_that_is_only_read_becomes_png(lacuna: Callable, scene: Any, grey: str) -> None:
    Image.fromarray(scene.picture).save(scene.path("party.gif"))
    ran = lacuna("inpaint", scene.path("party.gif"), "--mask", scene.path("mask.png"), "--method", grey)
    assert ran.code == 0
    assert "party.filled.png" in scene.files


def test_a_reader_that_goes_away_is_no_error_message(scene: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        args = [sys.executable, "-c", RUN, *inpaint(scene, "-o", "-", "--method", "telea")]
        done = subprocess.run(args, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (exits.BROKEN_PIPE, b"")


def test_explain_prints_what_auto_expected_of_each_method(lacuna: Callable, large_scene: Any) -> None:
    words = inpaint(large_scene, "--overwrite")
    brief, full = lacuna(*words), lacuna(*words, "--explain")
    assert brief.code == full.code == 0
    assert "auto chose" in brief.err
    assert "expected of" not in brief.err
    told = " ".join(full.err.split())
    for name in ("patchmatch", "guided", "guided least=0.5"):
        assert f"expected of {name}: hole-PSNR" in told
    notes = lacuna(*words, "--json").json["notes"]
    assert sum("expected of" in note for note in notes) == 4
