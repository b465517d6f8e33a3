from __future__ import annotations

import csv
import errno
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import Cancelled, ConfigError, OptionError, OutputError, UnknownMethodError
from lacuna.evaluate import compare_runs, evaluate, load_run, write_report, write_tables
from lacuna.evaluate.folder import Ledger, Run
from lacuna.evaluate.literature import PUBLISHED
from lacuna.evaluate.plots import Point, curves, scatter
from lacuna.evaluate.run import parse_methods
from lacuna.evaluate.summary import Table, differences, lines, tables
from lacuna.evaluate.tables import markdown
from lacuna.evaluate.worker import covered
from lacuna.metrics import psnr


def run(data: Path, methods: str, output: str = "out", **how: Any) -> Any:
    return evaluate(data / "images", data / "masks", methods, data / output, **how)


def by_method(found: Any) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in found.rows:
        rows.setdefault(row["method"], []).append(row)
    return rows


def test_methods_are_isolated_and_every_failure_is_a_row(plugin: Path, data: Path) -> None:
    (data / "images/p2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    notes: list[str] = []
    found = run(data, "crash,trip,hang,absent,grey", workers=2, time_limit=1.5, on_note=notes.append)
    rows = by_method(found)
    assert {len(of) for of in rows.values()} == {6}
    broken = [row for row in found.rows if row["image"] == "p2.png" and row["method"] in ("trip", "grey")]
    assert {row["type"] for row in broken} == {"ImageError"}
    assert [row["status"] for row in rows["grey"]] == ["ok", "ok", "error"] * 2
    assert all("SIGKILL" in row["error"] for row in rows["crash"])
    trips = [row["error"] for row in rows["trip"] if row["image"] == "p1.png"]
    assert all("tripped" in error for error in trips)
    hung = [row.get("error") for row in rows["hang"] if row["image"] != "p2.png"]
    assert hung == ["stopped after 1.5 s", None] * 2
    assert {(row["status"], row["error"]) for row in rows["absent"]} == {("missing", "install the thing")}
    assert any("absent cannot run here: install the thing" in note for note in notes)
    assert any(note.startswith("lpips is left out") for note in notes)
    page = write_report(found).read_text(encoding="utf-8")
    for words in ("install the thing", "tripped", "SIGKILL", "stopped after 1.5 s"):
        assert words in page


def test_figures_are_those_of_the_fill_and_the_truth_is_hidden(plugin: Path, data: Path) -> None:
    found = run(data, "grey,peek", seed=3)
    row = next(row for row in found.rows if row["method"] == "grey")
    truth = np.asarray(Image.open(data / "images" / row["image"]), dtype=np.float32) / 255
    hole = np.asarray(Image.open(data / "masks" / row["mask"])) > 0
    fill = np.asarray(Image.open(data / "out" / row["fill"]), dtype=np.float32) / 255
    assert (fill[hole] == np.float32(128 / 255)).all()
    assert (fill[~hole] == truth[~hole]).all()
    assert row["figures"]["psnr_hole"] == pytest.approx(psnr(fill, truth, hole), abs=1e-5)
    assert row["hole_ratio"] == pytest.approx(hole.mean())
    assert "ms_ssim" in row["skipped"]
    assert (row["seed"], row["changed_outside"], row["kind"]) == (3, 0, "big")
    assert row["memory_mb"] >= 0
    assert row["border"]
    assert not next(row for row in found.rows if row["kind"] == "small")["border"]
    # A method that gives back what lies under the hole gives back the mean, not the truth.
    assert max(row["figures"]["psnr_hole"] for row in found.rows if row["method"] == "peek") < 30


def test_covering_keeps_known_pixels_and_depth() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(2, 2, 3) * 5000
    hole = np.array([[True, False], [False, False]])
    hidden = covered(pixels, hole)
    assert hidden.dtype == np.uint16
    assert (hidden[~hole] == pixels[~hole]).all()
    assert (hidden[0, 0] == pixels[~hole].mean(axis=0)).all()
    assert (covered(pixels, np.ones((2, 2), dtype=bool)) == pixels).all()


def test_a_run_that_was_stopped_goes_on_without_doing_anything_twice(plugin: Path, data: Path) -> None:
    def stop(share: float, words: str) -> None:
        if share > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run(data, "grey", on_step=stop)
    rows = (data / "out/rows.jsonl").read_text()
    before = len(rows.splitlines())
    assert 0 < before < 6
    (data / "out/rows.jsonl").write_text(rows + '{"image": "torn off by a ki')
    plugin.write_text("")
    with pytest.raises(OutputError, match="--resume"):
        run(data, "grey")
    found = run(data, "grey", resume=True)
    assert len(found.rows) == 6
    assert len(plugin.read_text()) == 6 - before + 1  # and the warm-up
    plugin.write_text("")
    assert run(data, "grey", resume=True).rows == found.rows
    assert plugin.read_text() == ""


def test_resume_adds_methods_and_refuses_another_run(plugin: Path, data: Path) -> None:
    first = run(data, "grey")
    both = run(data, "peek,absent", resume=True, workers=2)
    assert both.header["methods"] == ["grey", "peek", "absent"]
    assert [row for row in both.rows if row["method"] == "grey"] == first.rows
    assert "1 or 2 at a time" in markdown(both)
    assert run(data, "grey", resume=True).rows == both.rows  # what is missing stays a row
    assert len(run(data, "absent", resume=True).rows) == len(both.rows)
    with pytest.raises(OutputError, match="seed differ"):
        run(data, "grey", resume=True, seed=1)
    with pytest.raises(OutputError, match="options of grey differ"):
        run(data, "grey", resume=True, options=["grey:level=0.2"])
    (data / "masks/big/p0.png").unlink()
    with pytest.raises(OutputError, match="cases differ"):
        run(data, "grey", resume=True)
    again = run(data, "grey", overwrite=True)
    assert again.header["methods"] == ["grey"]
    assert not (data / "out/fills/peek").exists()


def test_a_folder_of_something_else_is_left_alone(plugin: Path, data: Path) -> None:
    (data / "out").mkdir()
    (data / "out/thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not the folder of an evaluation"):
        run(data, "grey", overwrite=True)
    assert [path.name for path in (data / "out").iterdir()] == ["thesis.txt"]
    with pytest.raises(ConfigError, match="not the folder of an evaluation"):
        load_run(data / "out")


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(
    plugin: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, path_open = Ledger.add, Path.open

    def full(path: Path, *args: Any, **how: Any) -> Any:
        if path.name == "rows.jsonl" and args == ("ab",):
            raise OSError(errno.ENOSPC, "No space left on device")
        return path_open(path, *args, **how)

    def third(self: Ledger, row: dict[str, Any]) -> None:
        if len(self.done) == 2:
            monkeypatch.setattr(Path, "open", full)
        add(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "add", third)
        with pytest.raises(OutputError, match="No space left on device; what is done is kept"):
            run(data, "grey")
    monkeypatch.setattr(Path, "open", path_open)
    assert len(load_run(data / "out").rows) == 2


def test_a_fill_that_cannot_be_written_ends_the_run_and_keeps_what_is_done(
    plugin: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, "grey")
    (data / "out/fills/peek").write_text("in the way")
    with pytest.raises(
        OutputError, match=r"cannot be written: .*; what is done is kept: go on with --resume"
    ):
        run(data, "peek", resume=True)
    assert len(load_run(data / "out").rows) == 6
    (data / "out/fills/peek").unlink()
    assert len(run(data, "peek", resume=True).rows) == 12


@pytest.mark.parametrize("name", ["run.json", "tables.md", "report.html"])
def test_a_full_disk_leaves_no_half_of_a_file(
    plugin: Path, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write = Path.write_text

    def full(path: Path, text: str, *args: Any, **how: Any) -> int:
        if path.name == f"{name}.part":
            write(path, text[:5], *args, **how)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, *args, **how)

    monkeypatch.setattr(Path, "write_text", full)

    def everything() -> None:
        found = run(data, "grey")
        write_tables(found)
        write_report(found)

    with pytest.raises(OutputError, match=rf"{name} cannot be written: No space left on device"):
        everything()
    assert not (data / "out" / name).exists()
    assert not list((data / "out").rglob("*.part"))


def test_a_broken_mask_is_a_row_like_a_broken_picture(plugin: Path, data: Path) -> None:
    (data / "masks/big/p0.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.new("L", (9, 9), 255).save(data / "masks/big/p1.png")
    Image.new("L", (80, 50), 0).save(data / "masks/big/p2.png")
    rows = run(data, "grey").rows
    assert [row["status"] for row in rows] == ["error"] * 3 + ["ok"] * 3
    assert {row["type"] for row in rows[:3]} <= {"MaskError", "ImageError"}
    assert "is empty: nothing is missing" in rows[2]["error"]


def test_tables_hold_every_row_and_only_common_cases(plugin: Path, data: Path) -> None:
    found = run(data, "grey,trip,grey@dark", options=["grey@dark:level=0.1"])
    write_tables(found)
    with (data / "out/rows.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 18
    assert sum(row["error"] != "" for row in rows) == 2
    table = next(table for table in tables(found) if table.kind == "small")
    assert [image for image, _ in table.complete] == ["p0.png", "p2.png"]
    found_lines = {line.method: line for line in lines(table, ["psnr_hole"])}
    assert {line.count for line in found_lines.values()} == {2}
    assert found_lines["trip"].failed == 1
    values = table.values("grey", "psnr_hole", table.complete)
    assert found_lines["grey"].figures["psnr_hole"].mean == pytest.approx(values.mean())
    markdown = (data / "out/tables.md").read_text(encoding="utf-8")
    assert "| grey@dark |" in markdown
    assert "1 failed" in markdown
    with (data / "out/summary.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 6


def fake_table(values: dict[str, list[float]]) -> Table:
    common = {"kind": "", "mask": "m", "status": "ok"}
    rows = [
        {**common, "image": f"p{i:02}", "method": method, "figures": {"lpips": value}}
        for method, of in values.items()
        for i, value in enumerate(of)
    ]
    return Table(Run(Path(), {"methods": list(values)}, rows), "")


def test_differences_know_which_side_is_better(rng: np.random.Generator) -> None:
    base = rng.random(20)
    table = fake_table(
        {"good": list(base), "bad": list(base + 0.1 + 0.01 * rng.random(20)), "same": list(base)}
    )
    verdicts = {(d.method, d.rival): d.verdict for d in differences(table, "lpips")}
    assert verdicts == {("good", "bad"): 1, ("good", "same"): 0, ("bad", "same"): -1}


def test_two_runs_are_compared(plugin: Path, data: Path) -> None:
    run(data, "grey,peek", "a")
    run(data, "grey,trip", "b", options=["grey:level=0.05"])
    found = compare_runs(data / "a", data / "b")
    assert {change.method for change in found.changes} == {"grey"}
    change = next(c for c in found.changes if (c.kind, c.figure) == ("small", "psnr_hole"))
    assert (change.count, change.verdict) == (3, "no difference shown")
    assert change.interval.mean < 0
    text = found.markdown()
    for words in (
        "only in the first: peek",
        "only in the second: trip",
        "options of grey: {} → {'level': '0.05'}",
    ):
        assert words in text
    same = compare_runs(data / "a", data / "a")
    assert {change.verdict for change in same.changes} == {"unchanged"}
    run(data, "trip", "c")
    with pytest.raises(ConfigError, match="in common"):
        compare_runs(data / "a", data / "c")


def test_the_report_needs_nothing_else(plugin: Path, data: Path) -> None:
    found = run(data, "grey,peek")
    page = write_report(found, pictures=1).read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert page.count("data:image/webp;base64,") == 2 * 2 * 4  # kinds, worst and best; hole, two fills, truth
    links = set(re.findall(r'href="(fills/[^"]+)"', page))
    assert links
    assert all((data / "out" / link).is_file() for link in links)
    for svg in re.findall(r"<svg.*?</svg>", page):
        ElementTree.fromstring(svg)  # noqa: S314 - our own
    for entry in PUBLISHED:
        assert entry.title.replace("&", "&amp;") in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower()
    bare = write_report(found, pictures=0).read_text(encoding="utf-8")
    assert "data:image" not in bare


def test_a_picture_that_has_gone_is_a_gap_and_not_an_error(plugin: Path, data: Path) -> None:
    found = run(data, "grey")
    for path in (data / "images").iterdir():
        path.unlink()
    assert "no picture" in write_report(found).read_text(encoding="utf-8")


def test_names_in_the_page_are_escaped(plugin: Path, data: Path) -> None:
    for folder in ("images", "masks/big", "masks/small"):
        (data / folder / "p0.png").rename(data / folder / "<b>&.png")
    page = write_report(run(data, "grey")).read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;.png" in page
    assert "<b>&.png" not in page


def test_plots_place_points_where_they_belong() -> None:
    svg = scatter({"a": Point(0.1, 1.0, 0.9, 1.1), "b": Point(10.0, 2.0, 1.5, 2.5)}, "s", "q")
    circle = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    square = re.search(r'<rect x="([\d.]+)" y="([\d.]+)"', svg)
    assert circle
    assert square
    assert float(circle[1]) < float(square[1])  # slower is further right
    assert float(circle[2]) > float(square[2])  # more is higher
    ElementTree.fromstring(curves({"a": [Point(0.05, 1, 1, 1)]}, "x", "y"))  # noqa: S314 - our own


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.title)
def test_published_rows_are_complete(entry: Any) -> None:
    assert {len(row) for row in entry.rows} == {len(entry.columns)}
    assert entry.source
    assert entry.comparable


def test_methods_and_options_are_checked_before_anything_runs(plugin: Path, data: Path) -> None:
    names = [entry.label for entry in parse_methods("all")]
    assert {"patchmatch", "gmic", "grey", "auto"} <= set(names)
    with pytest.raises(UnknownMethodError, match="gray"):
        run(data, "gray")
    for bad in ("grey:level", "peek:level=1", "grey:lebel=1", "grey:level=much"):
        with pytest.raises(OptionError):
            run(data, "grey", options=[bad])
    for how in ({"seed": -1}, {"workers": 0}, {"time_limit": 0}):
        with pytest.raises(OptionError):
            run(data, "grey", **how)
    with pytest.raises(OptionError, match="each once"):
        run(data, "grey,grey")
    assert not (data / "out").exists()


def test_rows_are_strict_json(plugin: Path, data: Path) -> None:
    run(data, "grey")
    rows = (data / "out/rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows
    for line in rows:
        json.loads(line, parse_constant=pytest.fail)
