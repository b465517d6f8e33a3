from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import optimize, stats

from lacuna.errors import ConfigError, OptionError, OutputError
from lacuna.evaluate.folder import write_text
from lacuna.study import build_study, fit_bradley_terry, judge, read_votes
from lacuna.study.build import GREY, TRUTH
from lacuna.study.preference import wilson

METHODS = ("alpha", "beta", "gamma")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Write a run by hand: four pictures, three methods that fill with a grey of their own."""
    rows, hole = [], np.zeros((40, 50), dtype=bool)
    hole[10:20, 12:30] = True
    for folder in ("images", "masks", "run"):
        (tmp_path / folder).mkdir()
    for index in range(4):
        picture = np.random.default_rng(index).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"images/p{index}.png")
        Image.fromarray(hole).save(tmp_path / f"masks/p{index}.png")
        for level, method in enumerate(METHODS):
            fill = f"{method}-{index}.png"
            Image.fromarray(np.where(hole[..., None], np.uint8(40 * level), picture)).save(
                tmp_path / "run" / fill
            )
            case = {"kind": "", "image": f"p{index}.png", "mask": f"p{index}.png", "method": method}
            rows.append({**case, "status": "ok", "fill": fill, "figures": {}})
    folders = {"images": str(tmp_path / "images"), "masks": str(tmp_path / "masks")}
    write_text(tmp_path / "run/run.json", json.dumps({"methods": list(METHODS), **folders}))
    write_text(tmp_path / "run/rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "run"


def page_of(folder: Path) -> dict[str, Any]:
    found = re.search(r"const study = (\{.*?\});\n", (folder / "index.html").read_text(encoding="utf-8"))
    assert found
    page: dict[str, Any] = json.loads(found[1])
    return page


def vote(
    key: dict[str, Any], path: Path, voter: str, ranking: tuple[str, ...], *, awake: bool = True
) -> Path:
    """Write what a voter saves who always prefers the method that comes first in a ranking."""
    order = (TRUTH, *ranking, GREY) if awake else (GREY, *ranking, TRUTH)
    votes = [
        {"trial": t["id"], "choice": min(("left", "right"), key=lambda side: order.index(t[side]))}
        for t in key["trials"]
    ]
    path.write_text(json.dumps({"study": key["study"], "voter": voter, "votes": votes}))
    return path


def test_the_folder_tells_nothing_and_the_key_everything(run: Path, tmp_path: Path) -> None:
    key_path = build_study(run, tmp_path / "study", trials=12, checks=3)
    key, page = json.loads(key_path.read_text()), page_of(tmp_path / "study")
    assert key_path == tmp_path / "study.key.json"
    text = (tmp_path / "study/index.html").read_text(encoding="utf-8")
    names = " ".join(str(path) for path in (tmp_path / "study").rglob("*"))
    for secret in (*METHODS, "truth)", "grey hole", "p0.png"):
        assert secret not in text
        assert secret not in names
    trials = {t["id"]: t for t in key["trials"]}
    assert {t["id"] for t in page["trials"]} == set(trials)
    pairs = Counter(frozenset((t["left"], t["right"])) for t in key["trials"])
    assert sorted(pairs.values()) == [3, 4, 4, 4]
    assert pairs[frozenset((TRUTH, GREY))] == 3
    level = {"alpha": 0, "beta": 40, "gamma": 80, GREY: 128}
    for shown in page["trials"]:
        for side in ("left", "right"):
            method = trials[shown["id"]][side]
            pixels = np.asarray(Image.open(tmp_path / "study" / shown[side]))
            assert method == TRUTH or (pixels[12:18, 14:28] == level[method]).all()
    used = {shown[side] for shown in page["trials"] for side in ("left", "right")}
    assert {f"pictures/{path.name}" for path in (tmp_path / "study/pictures").iterdir()} == used


def test_sides_and_order_are_random_and_seeded(run: Path, tmp_path: Path) -> None:
    keys = [
        json.loads(build_study(run, tmp_path / f"s{i}", trials=12, seed=seed).read_text())
        for i, seed in enumerate((0, 0, 1))
    ]
    assert keys[0] == keys[1]
    assert keys[0]["study"] != keys[2]["study"]
    lefts = Counter(t["left"] for t in keys[0]["trials"])
    assert all(lefts[method] > 0 for method in METHODS)
    places = [i for i, t in enumerate(page_of(tmp_path / "s0")["trials"]) if t["id"] in checks_of(keys[0])]
    assert places != [12, 13, 14, 15]  # checks are not all at the end


def checks_of(key: dict[str, Any]) -> set[str]:
    return {t["id"] for t in key["trials"] if TRUTH in (t["left"], t["right"])}


def test_votes_become_shares_and_strengths(run: Path, tmp_path: Path) -> None:
    key_path = build_study(run, tmp_path / "study", trials=12)
    key = json.loads(key_path.read_text())
    rankings = [("beta", "alpha", "gamma")] * 5 + [("alpha", "beta", "gamma")]
    files = [vote(key, tmp_path / f"v{i}.json", f"v{i}", ranking) for i, ranking in enumerate(rankings)]
    asleep = vote(key, tmp_path / "asleep.json", "asleep", ("gamma", "alpha", "beta"), awake=False)
    votes = read_votes(key_path, [*files, asleep, files[0]])
    assert (len(votes.voters), votes.rejected, len(votes.votes)) == (6, ["asleep"], 72)
    found = judge(votes)
    shares = {(s.method, s.rival): (s.wins, s.count) for s in found.shares}
    assert shares == {("beta", "alpha"): (20, 24), ("alpha", "gamma"): (24, 24), ("beta", "gamma"): (24, 24)}
    assert [s.method for s in found.strengths] == ["beta", "alpha", "gamma"]
    assert all(s.low <= s.strength <= s.high for s in found.strengths)
    assert not found.notes
    assert "beta preferred to alpha 83 ± 15 % (n = 24)" in found.markdown()
    assert judge(read_votes(key_path, files[:1])).notes


def test_bradley_terry_is_the_maximum_that_scipy_finds(rng: np.random.Generator) -> None:
    wins = rng.integers(1, 20, (4, 4)) * (1 - np.eye(4))

    def loss(s: np.ndarray) -> float:
        return float((wins * np.log1p(np.exp(s[None, :] - s[:, None]))).sum() + 1e-6 * s.sum() ** 2)

    expected = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    found = fit_bradley_terry(wins, prior=1e-12)
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)
    assert np.isfinite(fit_bradley_terry(np.array([[0, 9], [0, 0]]))).all()


@pytest.mark.parametrize(("wins", "count"), [(0, 7), (5, 9), (61, 100)])
def test_wilson_is_scipys(wins: int, count: int) -> None:
    theirs = stats.binomtest(wins, count).proportion_ci(method="wilson")
    assert wilson(wins, count) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_bad_studies_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="two or more"):
        build_study(run, tmp_path / "s", methods=["alpha"])
    with pytest.raises(OptionError, match="alpha, beta, gamma"):
        build_study(run, tmp_path / "s", methods=["alpha", "delta"])
    with pytest.raises(OptionError):
        build_study(run, tmp_path / "s", trials=0)
    with pytest.raises(ConfigError):
        build_study(tmp_path, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    build_study(run, tmp_path / "s", trials=2)
    with pytest.raises(OutputError, match="votes for it would be lost"):
        build_study(run, tmp_path / "s")


def test_bad_votes_are_refused(run: Path, tmp_path: Path) -> None:
    key_path = build_study(run, tmp_path / "study", trials=3)
    key = json.loads(key_path.read_text())
    good = vote(key, tmp_path / "v.json", "v", METHODS)
    other = tmp_path / "other.json"
    for change, words in (
        ({"study": "another"}, "another study"),
        ({"votes": [{"trial": "x", "choice": "left"}]}, "not of this study"),
        ({"votes": [{"trial": key["trials"][0]["id"], "choice": "both"}]}, "not of this study"),
        ({"votes": 3}, "does not hold votes"),
    ):
        other.write_text(json.dumps(json.loads(good.read_text()) | change))
        with pytest.raises(ConfigError, match=words):
            read_votes(key_path, [other])
    other.write_text("[]")
    with pytest.raises(ConfigError, match="it lacks study"):
        read_votes(key_path, [other])
    with pytest.raises(ConfigError, match="no file"):
        read_votes(key_path, [])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_votes(key_path, [tmp_path / "nowhere.json"])
    asleep = vote(key, tmp_path / "a.json", "a", METHODS, awake=False)
    with pytest.raises(ConfigError, match="no vote is left"):
        judge(read_votes(key_path, [asleep]))
