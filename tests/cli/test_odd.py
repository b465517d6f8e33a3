"""What a newcomer or a script may hand over by mistake is one plain line and a code, before any work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import ImageError, MaskError, MethodError, OptionError, OutputError

RUN = "import sys; from lacuna.cli import main; sys.exit(main(sys.argv[1:]))"


def inpaint(scene: Any, *more: str) -> list[str]:
    given = ["inpaint", scene.path("photo.png"), "--method", "telea"]
    given += [] if "--mask" in more else ["--mask", scene.path("mask.png")]
    return [*given, *([] if "-o" in more else ["-o", scene.path("out.png")]), *more]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        (["-o", "{}/" + "a" * 300 + ".png"], OutputError, "name is too long"),
        (["-o", "{}/photo.png/out.png"], OutputError, "photo.png is a file, not a folder"),
        (["-o", "{}/out"], OutputError, "no ending that tells the format; use one of .png"),
        (["-o", "{}/out.xyz"], OutputError, "no format is called '.xyz'"),
        (["--mask", ""], MaskError, "the mask's name is empty"),
        (["--max-pixels", "-1"], OptionError, "--max-pixels is -1"),
        (["--quality", "500"], OptionError, "quality is 500"),
        (["--quality", "50"], OptionError, "PNG is lossless"),
    ],
)
def test_a_slip_is_told_before_the_work(
    lacuna: Callable, scene: Any, monkeypatch: pytest.MonkeyPatch, more: list[str], error: type, words: str
) -> None:
    monkeypatch.setattr("lacuna.inpainting.Inpainter.run", lambda *_, **__: pytest.fail("work began"))
    before = scene.files
    ran = lacuna(*inpaint(scene, *(text.format(scene.folder) for text in more)))
    assert (ran.code, ran.out) == (exits.EXIT_CODES[error], "")
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert scene.files == before


@pytest.mark.parametrize("command", ["inpaint", "remove", "restore", "clean", "explain"])
def test_an_address_on_the_web_is_not_fetched_and_that_is_said(
    lacuna: Callable, scene: Any, command: str
) -> None:
    more = {"inpaint": ["--mask", "box:1,1,9,9"], "explain": ["--mask", "box:1,1,9,9", "-o", scene.path("e")]}
    ran = lacuna(command, "https://example.org/photo.png", *more.get(command, []))
    assert ran.code == exits.EXIT_CODES[ImageError]
    assert "fetch it first" in ran.err or "does not exist" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_two_outputs_with_one_name_are_refused(lacuna: Callable, scene: Any, overwrite: list[str]) -> None:
    before, same = scene.files, f"{scene.folder}/../{scene.folder.name}/out.png"
    ran = lacuna(*inpaint(scene, "--sheet", same, *overwrite))
    assert (ran.code, "two names" in ran.err) == (exits.EXIT_CODES[OutputError], True)
    out = ["--box", "1,1,5,5", "-o", scene.path("out.png"), "--preview", same]
    ran = lacuna("remove", scene.path("photo.png"), *out, *overwrite)
    assert (ran.code, "two names" in ran.err) == (exits.EXIT_CODES[OutputError], True)
    assert scene.files == before


def test_an_evaluation_in_which_nothing_was_filled_fails_and_says_why(lacuna: Callable, scene: Any) -> None:
    (scene.folder / "photos").mkdir()
    (scene.folder / "photo.png").rename(scene.folder / "photos" / "photo.png")
    args = ["--images", scene.path("photos"), "--masks", "box:5,5,9,9", "--methods", "lama"]
    ran = lacuna("evaluate", *args, "-o", scene.path("run"))
    assert ran.code == exits.EXIT_CODES[MethodError]
    assert "nothing was filled: method 'lama' needs weights" in ran.err
    ran = lacuna("evaluate", *args, "-o", scene.path("run2"), "--json")
    assert (ran.code, ran.json["failed"]) == (exits.EXIT_CODES[MethodError], 1)


@pytest.mark.parametrize("group", ["mask", "weights", "study"])
def test_a_group_without_a_command_says_what_is_missing(lacuna: Callable, group: str) -> None:
    ran = lacuna(group)
    assert ran.code == exits.USAGE
    assert "a command is missing" in ran.err


def test_nothing_known_is_nothing_verified(lacuna: Callable, scene: Any) -> None:
    Image.fromarray(np.full(scene.hole.shape, 255, np.uint8)).save(scene.path("all.png"))
    ran = lacuna("verify", scene.path("photo.png"), scene.path("photo.png"), "--mask", scene.path("all.png"))
    assert (ran.code, ran.out) == (exits.EXIT_CODES[MaskError], "")
    assert "no known pixel to compare" in ran.err


def test_a_series_that_does_not_exist_is_named(lacuna: Callable, scene: Any) -> None:
    ran = lacuna("clean", scene.path("nowhere/"), "-o", scene.path("out"))
    assert ran.code == exits.EXIT_CODES[ImageError]
    assert "nowhere" in ran.err


def test_a_file_is_no_folder_to_evaluate(lacuna: Callable, scene: Any) -> None:
    photo, folder = scene.path("photo.png"), str(scene.folder)
    ran = lacuna("evaluate", "--images", photo, "--masks", folder, "-o", scene.path("run"))
    assert (ran.code, "is a file; expected a folder" in ran.err) == (exits.EXIT_CODES[ImageError], True)
    ran = lacuna("evaluate", "--images", folder, "--masks", photo, "-o", scene.path("run"))
    assert (ran.code, "is a file; expected a folder" in ran.err) == (exits.EXIT_CODES[MaskError], True)


def test_a_folder_that_is_read_only_is_told_before_the_work(
    lacuna: Callable, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    ran = lacuna(*inpaint(scene))
    assert ran.code == exits.EXIT_CODES[OutputError]
    assert "is read-only; name another one: -o FILE" in ran.err
    assert "out.png" not in scene.files


def run_without(scene: Any, closed: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that was started without stdout or stderr."""
    shell = f'exec "$0" "$@" {closed}'
    return subprocess.run(
        ["sh", "-c", shell, sys.executable, "-c", RUN, *args], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stdout_or_stderr_does_not_matter(scene: Any, closed: str) -> None:
    done = run_without(scene, closed, *inpaint(scene))
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert "out.png" in scene.files
    assert run_without(scene, closed, *inpaint(scene)).returncode == exits.EXIT_CODES[OutputError]  # exists


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_a_picture_for_a_closed_stdout_is_refused(scene: Any) -> None:
    done = run_without(scene, ">&-", *inpaint(scene, "-o", "-"))
    assert done.returncode == exits.EXIT_CODES[OutputError]
    assert "stdout, which is closed" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["methods"], ["methods", "--json"], ["methods", "nonsense", "--json"]])
def test_a_full_disk_behind_stdout_is_no_bug(scene: Any, args: list[str]) -> None:
    done = run_without(scene, ">/dev/full", *args)
    assert done.returncode in (exits.EXIT_CODES[OutputError], 20)
    assert "a bug" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("\n") == 1
