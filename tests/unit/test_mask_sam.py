"""Segment Anything behind a click, with tiny models that have its inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lacuna import masks
from lacuna.errors import MaskError, MissingDependencyError, WeightsError, WeightsNotFoundError
from lacuna.image import open_image
from lacuna.masks import sam
from lacuna.onnx_io import Port

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

RADII = (20.0, 60.0, 100.0, 300.0)
SCORES = (0.99, 0.6, 0.9, 0.7)


def save(path: Path, text: str) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Return ``make(takes, full=True, count=4)``: write an encoder and a decoder.

    The decoder's masks are discs around the first point, in the encoder's frame, of `RADII`; the mean of
    what the encoder got must be above -3, or there is no mask at all.
    """

    def write(takes: str = "float[1, 3, 1024, 1024] image", *, full: bool = True, count: int = 4) -> Any:
        cast = "x = Cast <to: int = 1> (image)"
        rank = len(takes.split("]")[0].split(","))
        axes = ", ".join(map(str, range(rank)))
        first = save(
            tmp_path / "encoder.onnx",
            f"net ({takes}) => (float[1, 1, 1, 1] image_embeddings) "
            f"<int64[4] four = {{1, 1, 1, 1}}> {{ {cast} "
            f"mean = ReduceMean <axes: ints = [{axes}], keepdims: int = 0> (x) "
            "image_embeddings = Reshape (mean, four) }",
        )
        radii = ", ".join(str(r * r) for r in RADII[:count])
        scores = ", ".join(map(str, SCORES[:count]))
        size = ", float[2] orig_im_size" if full else ""
        # Positions of the 256 × 256 low-resolution logits in the frame of 1024.
        steps = ", ".join(str(4 * i + 1.5) for i in range(256))
        body = """
          px = Slice (point_coords, zero3, xy_end, axes3)
          py = Slice (point_coords, y_start, y_end, axes3)
          px4 = Reshape (px, four)
          py4 = Reshape (py, four)
          dx = Sub (columns, px4)
          dy = Sub (rows, py4)
          dx2 = Mul (dx, dx)
          dy2 = Mul (dy, dy)
          away = Add (dx2, dy2)
          inside = Sub (squares, away)
          dark = Less (image_embeddings, limit)
          low_res_masks = Where (dark, nothing, inside)
          iou_predictions = Identity (scores)
        """
        if full:
            body += """
              most = ReduceMax <axes: ints = [0], keepdims: int = 1> (orig_im_size)
              scale = Div (side, most)
              exact = Mul (orig_im_size, scale)
              more = Add (exact, half)
              whole = Floor (more)
              small = Cast <to: int = 7> (whole)
              big = Resize <mode = "linear"> (low_res_masks, , , square)
              cut = Slice (big, zero2, small, axes2)
              size = Cast <to: int = 7> (orig_im_size)
              full = Concat <axis: int = 0> (ones, size)
              masks = Resize <mode = "linear"> (cut, , , full)
            """
        else:
            body += "masks = Identity (low_res_masks)"
        second = save(
            tmp_path / "decoder.onnx",
            "net (float[1, 1, 1, 1] image_embeddings, float[1, N, 2] point_coords, "
            f"float[1, N] point_labels, float[1, 1, 256, 256] mask_input, float[1] has_mask_input{size}) => "
            f"(float[1, C, H, W] masks, float[1, {count}] iou_predictions, "
            f"float[1, C, 256, 256] low_res_masks) "
            f"<int64[4] four = {{1, 1, 1, 1}}, int64[3] zero3 = {{0, 0, 0}}, int64[3] axes3 = {{0, 1, 2}}, "
            f"int64[3] xy_end = {{1, 1, 1}}, int64[3] y_start = {{0, 0, 1}}, int64[3] y_end = {{1, 1, 2}}, "
            f"int64[2] zero2 = {{0, 0}}, int64[2] axes2 = {{2, 3}}, int64[2] ones = {{1, {count}}}, "
            f"int64[4] square = {{1, {count}, 1024, 1024}}, float[1] side = {{1024}}, "
            f"float[1] half = {{0.5}}, float[1] limit = {{-3}}, float[1] nothing = {{-1}}, "
            f"float[1, {count}, 1, 1] squares = {{{radii}}}, float[1, {count}] scores = {{{scores}}}, "
            f"float[1, 1, 1, 256] columns = {{{steps}}}, float[1, 1, 256, 1] rows = {{{steps}}}> "
            f"{{ {body} }}",
        )
        return first, second

    return write


def disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.hypot(columns + 0.5 - x, rows + 0.5 - y) < radius


@pytest.mark.parametrize(
    "takes",
    [
        "float[1, 3, 1024, 1024] image",
        "float[N, 3, H, W] image",
        "float[1, 1024, 1024, 3] image",
        "float[H, W, 3] image",
        "uint8[1, 3, 1024, 1024] image",
        "uint8[H, W, 3] image",
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_click_is_answered_at_the_picture_s_size(make: Callable[..., Any], takes: str, full: bool) -> None:
    picture = open_image(np.full((300, 500, 3), 200, dtype=np.uint8))
    mask = masks.click((400, 100), model=sam.load_sam(*make(takes, full=full)))
    hole, notes = mask.draw(picture.shape, picture)
    # One point: of the part, the object and the whole, the one with the best score; 100 pixels of 1024.
    wanted = disc(picture.shape, 400, 100, 100 * 500 / 1024)
    assert (hole != wanted).mean() < 0.003
    assert any("encoder.onnx) is 0.90 sure" in note for note in notes)
    assert str(mask) == "click:400,100"


def test_more_points_leave_no_doubt(make: Callable[..., Any]) -> None:
    picture = open_image(np.full((256, 256), 90, dtype=np.uint8))
    model = sam.load_sam(*make())
    hole, sure = model.select(picture, [(100, 50), (101, 50)], [(5, 5)])
    assert sure == pytest.approx(0.99)
    assert (hole != disc((256, 256), 100, 50, 5)).mean() < 0.003


def test_the_only_mask_is_taken(make: Callable[..., Any]) -> None:
    picture = open_image(np.full((256, 256), 90, dtype=np.uint8))
    hole, sure = sam.load_sam(*make(count=1)).select(picture, [(128, 128)])
    assert sure == pytest.approx(0.99)
    assert (hole != disc((256, 256), 128, 128, 5)).mean() < 0.003


def spy(shape: tuple[int | None, ...], dtype: str = "float32") -> Any:
    """Return an encoder that keeps what it is given."""
    seen: list[np.ndarray] = []

    class Spy(SimpleNamespace):
        def __call__(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            seen.append(feeds["x"])
            return {"y": np.zeros((1, 1, 1, 1), dtype=np.float32)}

    return Spy(path=Path("spy.onnx"), inputs=(Port("x", dtype, shape),), seen=seen)


def test_what_an_encoder_gets(make: Callable[..., Any]) -> None:
    decoder = sam.load_sam(*make()).decoder
    picture = open_image(np.full((30, 60, 3), (255, 0, 51), dtype=np.uint8))
    first = spy((1, 3, 1024, 1024))
    model = sam.Sam(first, decoder)
    for _ in range(2):
        model.select(picture, [(30, 15)])
    assert len(first.seen) == 1  # the embedding is kept
    given = first.seen[0]
    assert (given.shape, given.dtype) == ((1, 3, 1024, 1024), np.float32)
    assert (given[0, :, 512:] == 0).all()
    wanted = (np.array([255, 0, 51]) - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    assert np.allclose(given[0, :, 5, 5], wanted, atol=1e-4)
    model.select(open_image(np.zeros((30, 60), dtype=np.uint8)), [(30, 15)])
    assert len(first.seen) == 2
    raw = spy((None, None, 3))
    sam.Sam(raw, decoder).select(picture, [(30, 15)])
    assert raw.seen[0].shape == (512, 1024, 3)
    assert np.allclose(raw.seen[0][5, 5], [255, 0, 51], atol=1e-3)
    small = spy((1, 256, 256, 3), "uint8")
    sam.Sam(small, decoder)._embedding(picture)
    assert (small.seen[0].shape, small.seen[0].dtype) == ((1, 256, 256, 3), np.uint8)
    assert small.seen[0][0, 3, 3].tolist() == [255, 0, 51]


def test_a_box_is_two_points(make: Callable[..., Any]) -> None:
    places, labels = sam._prompt([(5, 6)], [(1, 2)], (10, 20, 30, 40))
    assert places.tolist() == [[5, 6], [1, 2], [10, 20], [40, 60]]
    assert labels.tolist() == [1, 0, 2, 3]
    assert sam._prompt([(5, 6)], [], None)[1].tolist() == [1, -1]


def test_the_environment_and_a_context_say_which_model(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "none"))
    picture = open_image(np.full((300, 500, 3), 200, dtype=np.uint8))
    click = masks.parse("click:400,100")
    with pytest.raises(MaskError, match="would take 100 %"):
        click.hole(picture.shape, picture)
    first, second = make()
    with sam.using(sam.load_sam(first, second)):
        assert click.hole(picture.shape, picture).any()
    assert sam.current() is None
    monkeypatch.setenv(sam.ENCODER_VARIABLE, str(first))
    with pytest.raises(WeightsError, match="the decoder is missing"):
        click.hole(picture.shape, picture)
    monkeypatch.setenv(sam.DECODER_VARIABLE, str(second))
    assert click.hole(picture.shape, picture).any()
    assert sam.current() is sam.current()


def test_files_that_were_added_are_used(
    make: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from lacuna.cli import main

    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "weights"))
    first, second = make()
    assert main(["weights", "add", "mobile", str(first)]) == 0
    assert "weights of sam-encoder" in capsys.readouterr().out
    assert sam.current() is None  # one is not enough
    assert main(["weights", "add", "decode", str(second)]) == 0
    model = sam.current()
    assert model is not None
    assert model.encoder.path.name == "mobile.onnx"
    with pytest.raises(WeightsError, match="no encoder"):
        sam.load_sam("decode", "mobile")
    assert main(["weights", "add", "another", str(first)]) == 0
    with pytest.raises(WeightsError, match=r"several files .* another, mobile; say --sam-encoder NAME"):
        sam.current()


def test_a_click_outside_is_still_one(make: Callable[..., Any]) -> None:
    picture = open_image(np.full((30, 50, 3), 200, dtype=np.uint8))
    model = sam.load_sam(*make())
    with pytest.raises(MaskError, match="outside the 50x30 picture"):
        masks.click((51, 3), model=model).hole(picture.shape, picture)
    with pytest.raises(MaskError, match="would take 100 %"):
        masks.click((25, 15), (26, 15), without=[(1, 1)], model=_with_radius(make, 700.0)).hole(
            picture.shape, picture
        )


def _with_radius(make: Callable[..., Any], radius: float) -> sam.Sam:
    model = sam.load_sam(*make())
    decoder = model.decoder

    class Larger(SimpleNamespace):
        def __call__(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = decoder(feeds)
            return found | {"masks": found["masks"] + np.float32(radius * radius)}

    model.decoder = Larger(path=decoder.path, inputs=decoder.inputs)
    return model


def test_nothing_found_is_said(make: Callable[..., Any]) -> None:
    dark = spy((1, 3, 1024, 1024))
    model = sam.load_sam(*make())
    object.__setattr__(model, "encoder", dark)
    picture = open_image(np.zeros((30, 50), dtype=np.uint8))

    class Dark(SimpleNamespace):
        def __call__(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"y": np.full((1, 1, 1, 1), -9, dtype=np.float32)}

    model.encoder = Dark(path=Path("dark.onnx"), inputs=dark.inputs)
    with pytest.raises(MaskError, match="finds nothing there"):
        masks.click((25, 15), model=model).hole(picture.shape, picture)


def test_files_that_are_something_else(make: Callable[..., Any], tmp_path: Path) -> None:
    first, second = make()
    with pytest.raises(WeightsError, match="no encoder"):
        sam.load_sam(second, second)
    with pytest.raises(WeightsError, match=re.escape("no decoder of Segment Anything: it takes image;")):
        sam.load_sam(first, first)
    with pytest.raises(WeightsNotFoundError):
        sam.load_sam(first, tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no")
    with pytest.raises(WeightsError, match="truncated or no ONNX"):
        sam.load_sam(tmp_path / "bad.onnx", second)


def test_a_decoder_that_answers_something_else(make: Callable[..., Any]) -> None:
    with pytest.raises(WeightsError, match="expected masks"):
        sam._best({"masks": np.zeros((1, 2, 4, 4))}, 2, Path("x.onnx"))
    with pytest.raises(WeightsError, match="expected masks"):
        sam._best({"masks": np.zeros((1, 2, 4, 4)), "iou_predictions": np.zeros((1, 3))}, 2, Path("x.onnx"))


def test_without_onnxruntime_the_line_to_install_is_said(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lacuna.onnx_io.missing", lambda: "it needs onnxruntime; pip install onnxruntime")
    with pytest.raises(MissingDependencyError, match="pip install onnxruntime"):
        sam.load_sam(*make())
