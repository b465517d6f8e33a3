from __future__ import annotations

import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from lacuna.cli import main
from lacuna.train.chores import Chores

RECIPE = """
about = "tiny"
[net]
kind = "guide"
options = { width = 4, blocks = 1 }
[data]
batch = 2
sizes = [[0, 16]]
[run]
device = "cpu"
threads = 1
"""


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(1)
    for i in range(4):
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    (tmp_path / "photos" / "9.png").write_bytes(b"broken")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return [
        "train",
        str(tmp_path / "tiny.toml"),
        "--data",
        str(tmp_path / "photos"),
        "-o",
        str(tmp_path / "run"),
    ]


def test_a_run_says_what_it_did(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*given, "--budget", "10"]) == 0
    err = capsys.readouterr().err
    assert "10 samples in 5 steps" in err
    assert "skipped 9.png: not a picture" in err
    assert "1 photos could not be read: 9.png" in err
    assert main([*given, "--budget", "12", "--resume", "auto", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["samples"], told["steps"]) == (12, 6)
    assert Path(told["checkpoint"]).name == "000000006"


def test_ctrl_c_saves_and_exits_130(
    given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    after = Chores.after

    def interrupted(self: Chores, told: dict[str, float]) -> None:
        after(self, told)
        if self.run.progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Chores, "after", interrupted)
    assert main([*given, "--budget", "1h"]) == 130
    assert "--resume auto goes on" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "000000003" / "state.json").is_file()


def test_sigterm_saves_and_exits_143(
    given: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Chores, "after", lambda self, told: signal.raise_signal(signal.SIGTERM))
    assert main([*given, "--budget", "1h"]) == 143
    assert (tmp_path / "run" / "checkpoints" / "000000001" / "state.json").is_file()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--set", "seeed=1"], 14, "unknown key seeed; did you mean seed?"),
        (["--set", "data.batch=two"], 14, "data.batch is 'two'; expected a whole number"),
        (["--budget", "1"], 14, "too small for one step of 2"),
        (["--budget", "soon"], 14, "budget is 'soon'"),
        (["--data", "/nowhere"], 11, "/nowhere does not exist"),
        (["--set", "losses.perceptual=1"], 31, "--set losses.weights=FILE"),
        (["--resume", "/nowhere"], 31, "no checkpoint in /nowhere"),
    ],
)
def test_bad_input(
    more: list[str], code: int, words: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*given, *more]) == code
    assert words in capsys.readouterr().err


def test_an_unknown_recipe_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "lamma"]) == 14
    assert "shipped: context-encoder, context-encoder-small, " in capsys.readouterr().err


def test_export_takes_a_run(given: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    assert main([*given, "--budget", "4"]) == 0
    out = tmp_path / "net.onnx"
    command = ["export", str(tmp_path / "run"), "-o", str(out), "--size", "40x32"]
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["net"], told["size"]) == ("guide", [32, 40])
    assert told["error"] < 1e-4
    assert out.is_file()
    assert main(command) == 50
    assert main([*command, "--overwrite", "--half", "--latest"]) == 0
    assert "guide, " in capsys.readouterr().err
    assert main([*command[:-1], "big", "--overwrite"]) == 2
    assert main(["export", str(tmp_path / "photos"), "-o", str(out), "--overwrite"]) == 31
