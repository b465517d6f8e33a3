from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["build", "report"])
def test_every_option_is_in_the_documentation(lacuna: Callable, command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", lacuna("study", command, "--help").out))
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert options <= set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))


def test_from_an_evaluation_to_a_judgement(
    lacuna: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LACUNA_SHARED", raising=False)
    (tmp_path / "data").mkdir()
    hole = np.zeros((40, 50), dtype=bool)
    hole[10:20, 10:20] = True
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)).save(
        tmp_path / "data/a.png"
    )
    Image.fromarray(hole).save(tmp_path / "data/a.mask.png")
    data, run, folder = (str(tmp_path / name) for name in ("data", "run", "study"))
    how = ["--methods", "telea,navier-stokes", "-o", run, "-q"]
    assert lacuna("evaluate", "--images", data, "--masks", data, *how).code == 0
    built = lacuna("study", "build", run, "-o", folder, "--json").json
    assert (built["folder"], built["key"]) == (folder, f"{folder}.key.json")
    key = json.loads(Path(built["key"]).read_text())
    votes = [
        {"trial": t["id"], "choice": "left" if t["left"] in ("telea", "(truth)") else "right"}
        for t in key["trials"]
    ]
    file = tmp_path / "votes.json"
    file.write_text(json.dumps({"study": key["study"], "voter": "v", "votes": votes}))
    ran = lacuna("study", "report", built["key"], str(file))
    assert ran.code == 0
    assert "telea preferred to navier-stokes 100" in ran.out
    assert lacuna("study", "report", built["key"], str(file), "--json").json["voters"] == 1
    assert lacuna("study", "report", str(file), str(file)).code == exits.EXIT_CODES[ConfigError]
