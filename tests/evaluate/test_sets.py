from __future__ import annotations

import csv
import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.errors import ImageError, OutputError, WeightsNotFoundError
from lacuna.evaluate import evaluate, scoring, write_report, write_tables
from lacuna.evaluate.sets import set_lines
from lacuna.evaluate.summary import tables
from lacuna.evaluate.tables import markdown
from lacuna.metrics import frechet_distance, kernel_distance


class Mean:
    """Stand in for Inception: two features, the mean and the spread of a picture."""

    calls = 0
    title = "weights of a test"

    def __init__(self, weights: Path) -> None:
        self.path, self.sha256 = Path(weights), Path(weights).name * 2

    def features(self, image: np.ndarray) -> np.ndarray:
        Mean.calls += 1
        if image.shape[1] == 70 and "narrow" in self.path.name:
            raise ImageError("too small for this net")
        return np.array([image.mean(), image.std()], dtype=np.float64)


@pytest.fixture
def mean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(scoring.metrics, "Inception", Mean)
    Mean.calls = 0
    return tmp_path / "weights"


def run(data: Path, methods: str, **how: Any) -> Any:
    return evaluate(data / "images", data / "masks", methods, data / "out", **how)


def line_of(found: Any, method: str, kind: str = "small") -> Any:
    table = next(table for table in tables(found) if table.kind == kind)
    return next(line for line in set_lines(found, table, "inception") if line.method == method)


def test_figures_are_those_of_the_features_of_fills_and_photographs(
    plugin: Path, data: Path, mean: Path
) -> None:
    found = run(data, "grey,peek,absent", inception=mean)
    assert Mean.calls == 3 + 12  # each photograph once, and each fill
    line = line_of(found, "grey")
    folder = data / "out/features/inception"
    reals = np.stack([np.load(path) for path in sorted((folder / "truth").glob("*.npy"))])
    fakes = np.stack([np.load(folder / f"fills/grey/p{i}.png/small/p{i}.png.npy") for i in range(3)])
    assert (line.pairs, line.pictures, line.columns, line.reasons) == (3, 3, 2, [])
    names = ["p0.png", "p1.png", "p2.png"]
    assert line.figures["frechet"] == pytest.approx(frechet_distance(fakes, reals), rel=1e-6)
    assert line.figures["kernel"] == pytest.approx(kernel_distance(fakes, reals, pictures=(names, names)))
    assert 0 <= line.figures["p_ids"] <= 1
    write_tables(found)
    with (data / "out/sets.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["method"]) for row in rows] == [
        ("big", "grey"),
        ("big", "peek"),
        ("small", "grey"),
        ("small", "peek"),
    ]
    text, page = markdown(found), write_report(found).read_text(encoding="utf-8")
    for words in ("FID ↓", "KID ↓", "weights of a test", "biased by an amount that depends on its size"):
        assert words in text
        assert words in page


def test_several_holes_of_a_picture_are_pairs_but_one_original(plugin: Path, data: Path, mean: Path) -> None:
    for path in (data / "masks/small").iterdir():
        (data / "masks/big" / f"{path.stem}_mask1.png").write_bytes(path.read_bytes())
    line = line_of(run(data, "grey", inception=mean), "grey", "big")
    assert (line.pairs, line.pictures) == (6, 3)


def test_resuming_computes_no_features_twice_and_adds_a_net(plugin: Path, data: Path, mean: Path) -> None:
    assert run(data, "grey").header["features"] == {}
    assert not (data / "out/features").exists()
    plugin.write_text("")
    found = run(data, "grey", inception=mean, resume=True)
    assert plugin.read_text() == ""  # no fill was made again
    assert Mean.calls == 3 + 6
    assert line_of(found, "grey").figures
    run(data, "grey", inception=mean, resume=True)
    assert Mean.calls == 3 + 6
    with pytest.raises(OutputError, match="weights of inception differ"):
        run(data, "grey", inception=mean.with_name("others"), resume=True)
    found = run(data, "peek", resume=True)  # without the weights
    assert line_of(found, "grey").figures
    assert line_of(found, "peek").reasons == ["the features of 3 of its fills are not there"]
    run(data, "grey", overwrite=True)
    assert not (data / "out/features").exists()


def test_too_few_pairs_get_a_dash_and_the_reason(
    plugin: Path, data: Path, mean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mean, "features", lambda self, image: np.arange(5) + image.mean())
    found = run(data, "grey", inception=mean)
    line = line_of(found, "grey")
    assert set(line.figures) == {"frechet", "kernel"}
    assert line.reasons == ["P-IDS and U-IDS need more pairs than features, and there are 3 and 5"]
    assert "| – | – | P-IDS and U-IDS need" in markdown(found)


def test_pictures_too_small_for_the_net_are_left_out(plugin: Path, data: Path, mean: Path) -> None:
    line = line_of(run(data, "grey", inception=mean.with_name("narrow")), "grey")
    assert (line.pairs, line.pictures) == (2, 2)


def test_a_full_disk_ends_the_run_at_the_features_too(
    plugin: Path, data: Path, mean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **how: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lacuna.evaluate.features.np.save", full)
        with pytest.raises(OutputError, match=r"\.npy cannot be written: No space left on device; what is"):
            run(data, "grey", inception=mean)
    assert not list((data / "out").rglob("*.part"))
    assert len(run(data, "grey", inception=mean, resume=True).rows) == 6


def test_weights_that_are_asked_for_and_missing_are_an_error_before_anything(
    plugin: Path, data: Path
) -> None:
    with pytest.raises(WeightsNotFoundError, match="no Inception weights at"):
        run(data, "grey", inception=data / "none.pth")
    with pytest.raises(WeightsNotFoundError, match="no LPIPS weights at"):
        run(data, "grey", lpips=data / "none.safetensors")
    assert not (data / "out").exists()


def test_what_weights_are_missing_for_is_said_before_the_first_fill(plugin: Path, data: Path) -> None:
    heard: list[str] = []

    def hear(words: str) -> None:
        assert plugin.read_text() == ""
        heard.append(words)

    run(data, "grey", on_note=hear)
    assert [words.partition(":")[0] for words in heard] == [
        "lpips is left out",
        "figures of sets are left out",
    ]
