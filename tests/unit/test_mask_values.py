"""Shapes, sources and expressions, against plain definitions of what they mean."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import lacuna
from lacuna import masks
from lacuna.errors import MaskError
from lacuna.image import open_image
from lacuna.masks import Mask, kernels, parse, to_hole

SHAPE = (24, 32)
ROWS, COLUMNS = np.indices(SHAPE) + 0.5

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
units = st.integers(-1000, 4000)


def hole(text: str, picture: Any = None) -> np.ndarray:
    drawn = None if picture is None else open_image(picture)
    return to_hole(text, SHAPE if drawn is None else drawn.shape, picture=drawn)[0]


# The rasteriser


@settings(max_examples=60, deadline=None)
@given(shapes, st.lists(st.tuples(units, units), min_size=3, max_size=7), st.booleans())
def test_a_polygon_is_what_a_ray_to_the_left_says(
    shape: tuple[int, int], points: list[tuple[int, int]], evenodd: bool
) -> None:
    out = np.zeros(shape, dtype=bool)
    new = kernels.polygon(out, np.array(points), np.array([0, len(points)]), evenodd)
    expected = np.zeros(shape, dtype=bool)
    for row, column in np.ndindex(shape):
        y, x = 256 * row + 128, 256 * column + 128
        turns = 0
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            if min(y0, y1) <= y < max(y0, y1) and x0 + Fraction((y - y0) * (x1 - x0), y1 - y0) <= x:
                turns += 1 if y1 > y0 else -1
        expected[row, column] = turns % 2 if evenodd else turns
    np.testing.assert_array_equal(out, expected)
    assert new == out.sum()


@settings(max_examples=60, deadline=None)
@given(shapes, units, units, units, units, st.integers(1, 900))
@example((1, 1), 3, 3, 1, 5, 125)
def test_a_line_is_what_lies_within_its_radius(
    shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int, radius: int
) -> None:
    out = np.zeros(shape, dtype=bool)
    new = kernels.line(out, x0, y0, x1, y1, radius)
    rows, columns = np.indices(shape) * 256.0 + 128
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((columns - x0) * dx + (rows - y0) * dy) / max(dx * dx + dy * dy, 1), 0, 1)
    away = np.hypot(columns - x0 - along * dx, rows - y0 - along * dy)
    assert out[away <= radius - 3].all(), "a unit is 1/256 pixel: three of them are rounding"
    assert not out[away > radius + 3].any()
    assert new == out.sum()


@settings(max_examples=60, deadline=None)
@given(shapes, units, units, st.integers(1, 2000), st.integers(1, 2000))
def test_an_ellipse_is_its_equation(shape: tuple[int, int], x: int, y: int, a: int, b: int) -> None:
    out = np.zeros(shape, dtype=bool)
    kernels.ellipse(out, x, y, a, b)
    rows, columns = np.indices(shape) * 256 + 128
    inside = ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2
    slack = 4 / min(a, b)
    assert out[inside <= 1 - slack].all()
    assert not out[inside > 1 + slack].any()


# Shapes


def test_a_box_is_its_pixels() -> None:
    drawn = hole("box:4,3,10,5")
    assert drawn.sum() == 50
    assert drawn[3:8, 4:14].all()
    np.testing.assert_array_equal(drawn, hole("polygon:4,3,14,3,14,8,4,8"))
    np.testing.assert_array_equal(drawn, hole("svg:'M4,3h10v5H4z'"))
    assert hole("box:-5,-5,7,7").sum() == 4, "what lies outside is cut off"


def test_ellipses_and_circles() -> None:
    circle = (COLUMNS - 16) ** 2 + (ROWS - 12) ** 2 <= 8**2
    np.testing.assert_array_equal(hole("ellipse:16,12,8"), circle)
    wide = ((COLUMNS - 16) / 12) ** 2 + ((ROWS - 12) / 6) ** 2 <= 1
    np.testing.assert_array_equal(hole("ellipse:16,12,12,6"), wide)


def test_a_ring_in_a_polygon_cuts_a_hole() -> None:
    frame = hole("polygon:2,2,22,2,22,22,2,22;7,7,12,7,12,12,7,12")
    assert frame.sum() == 400 - 25


@pytest.mark.parametrize(
    "path",
    [
        "M8 12A8 8 0 0 1 24 12A8 8 0 0 1 8 12Z",
        "M8 12a8 8 0 1 0 16 0a8 8 0 10-16 0z",
        "M 8,12 a 8,8 90 0,0 16,0 a 8,8 33 0,0 -16,0",
        "M8 12C8 7.58 11.58 4 16 4S24 7.58 24 12S20.42 20 16 20S8 16.42 8 12",
        "M8 12A2 2 0 0 1 24 12A2 2 0 0 1 8 12",  # radii too small: scaled up
    ],
)
def test_svg_draws_a_circle_in_five_ways(path: str) -> None:
    circle = (COLUMNS - 16) ** 2 + (ROWS - 12) ** 2 <= 8**2
    drawn = masks.svg(path).hole(SHAPE)
    assert (drawn != circle).sum() <= 6


def test_a_large_and_a_small_arc_lie_on_their_sides() -> None:
    # A chord of half the diameter's height: the large arc holds more than half of the disc.
    large = masks.svg("M10 6A8 8 0 1 0 22 6Z").hole(SHAPE)
    small = masks.svg("M10 6A8 8 0 0 1 22 6Z").hole(SHAPE)
    assert large[11:15, 14:18].all()
    assert not small[11:15, 14:18].any()
    assert abs(int(large.sum() + small.sum()) - math.pi * 64) < 12


def test_quadratic_curves_reflect_their_control() -> None:
    twice = masks.svg("M0 12Q8 0 16 12T32 12V24H0z").hole(SHAPE)
    plain = masks.svg("m0 12q8-12 16 0q8 12 16 0v12h-32z").hole(SHAPE)
    np.testing.assert_array_equal(twice, plain)
    assert twice[8, 8]
    assert not twice[14, 24]


def test_svg_goes_on_after_a_closed_part() -> None:
    again = masks.svg("M2 2h4v4h-4z l4 8 -4 0 z").hole(SHAPE)
    assert again[8, 3]
    assert again[3, 3]


def test_strokes_from_a_file(tmp_path: Path) -> None:
    name = tmp_path / "my strokes.txt"
    name.write_text("# a line and a dot\n4 5,10 25,10  # four wide\n\n6 16,18\n")
    drawn = hole(f"strokes:'{name}'")
    assert drawn[8:12, 5:25].all()
    assert drawn.sum() == 80 + 16 - 4 + 24 + 4 + 4
    assert parse(str(masks.strokes(str(name)))) == masks.strokes(str(name))


# The picture


def test_a_colour_and_what_is_near_it() -> None:
    picture = np.zeros((1, 5, 3), np.uint8)
    picture[0] = [[255, 0, 0], [250, 5, 5], [249, 0, 0], [255, 0, 6], [0, 255, 0]]
    assert hole("color:#f00", picture).tolist() == [[True, False, False, False, False]]
    assert hole("colour:#ff0000~5", picture).tolist() == [[True, True, False, False, False]]
    sixteen = picture.astype(np.uint16) * 257
    np.testing.assert_array_equal(hole("color:#ff0000~5", sixteen), hole("color:#ff0000~5", picture))
    floats = (picture / 255).astype(np.float32)
    np.testing.assert_array_equal(hole("color:#ff0000~5", floats), hole("color:#ff0000~5", picture))
    assert "no pixel" in to_hole("color:#123456", (1, 5), picture=open_image(picture))[1][-1]


def test_transparent_pixels_have_no_colour() -> None:
    picture = np.full((1, 2, 4), 255, np.uint8)
    picture[0, 1, 3] = 0
    assert hole("color:#fff", picture).tolist() == [[True, False]]
    assert hole("alpha", picture).tolist() == [[False, True]]


def test_a_grey_picture_has_grey_colours_only() -> None:
    grey = np.array([[0, 128, 255]], np.uint8)
    assert hole("color:#808080", grey).tolist() == [[False, True, False]]
    with pytest.raises(MaskError, match="the picture is grey"):
        hole("color:#f00", grey)


# COCO


def compressed(counts: list[int]) -> str:
    """Return counts as COCO's text, after the description of the format: five bits a character, signed."""
    text = ""
    for index, value in enumerate(counts):
        rest = value - (counts[index - 2] if index > 2 else 0)
        more = True
        while more:
            five, rest = rest & 31, rest >> 5
            more = rest != (-1 if five & 16 else 0)
            text += chr(48 + five + 32 * more)
    return text


def run_lengths(mask: np.ndarray) -> list[int]:
    column = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], column, [not column[-1]]]).astype(int)) != 0)
    return np.diff([0, *edges]).tolist()


def test_coco_run_lengths_come_back(tmp_path: Path, rng: np.random.Generator) -> None:
    drawn = hole("ellipse:16,12,9,6 - box:10,10,3,3") | (rng.random(SHAPE) < 0.05)
    counts = run_lengths(drawn)
    for form in (counts, compressed(counts)):
        name = tmp_path / "runs.json"
        name.write_text(json.dumps({"size": list(SHAPE), "counts": form}))
        np.testing.assert_array_equal(hole(f"coco:{name}"), drawn)


def test_coco_polygons_annotations_and_data_sets(tmp_path: Path) -> None:
    ring, other = [4, 3, 14, 3, 14, 8, 4, 8], [10, 3, 20, 3, 20, 8, 10, 8]
    one = {"id": 7, "image_id": 1, "segmentation": [ring]}
    two = {"id": 8, "image_id": 1, "segmentation": [other]}
    np.testing.assert_array_equal(masks.coco([ring]).hole(SHAPE), hole("box:4,3,10,5"))
    np.testing.assert_array_equal(masks.coco(one).hole(SHAPE), hole("box:4,3,10,5"))
    both = hole("box:4,3,10,5 + box:10,3,10,5")
    np.testing.assert_array_equal(masks.coco([ring, other]).hole(SHAPE), both, "rings add up")
    np.testing.assert_array_equal(masks.coco([one, two]).hole(SHAPE), both)
    name = tmp_path / "all.json"
    name.write_text(json.dumps({"images": [], "annotations": [one, two]}))
    np.testing.assert_array_equal(hole(f"coco:{name}#8"), hole("box:10,3,10,5"))
    with pytest.raises(MaskError, match="no annotation with the id 9"):
        hole(f"coco:{name}#9")
    with pytest.raises(MaskError, match="annotations of 2 pictures"):
        masks.coco([one, two | {"image_id": 2}])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"size": [24], "counts": [1]}, "need size"),
        ({"size": [24, 32], "counts": [1, 2]}, "add up to 3"),
        ({"size": [24, 32], "counts": [-1, 769]}, "whole numbers"),
        ({"size": [24, 32], "counts": "~"}, "not of compressed"),
        ({"size": [24, 32], "counts": "o"}, "middle of a number"),
        ({"size": [24, 32], "counts": None}, "a text or a list"),
        ([[1, 2, 3, 4]], "three or more pairs"),
        ([[1, 2, 3, 4, 5, "6"]], "three or more pairs"),
        ([[1, 2, 3, 4, 5, float("nan")]], "three or more pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three or more pairs"),
        ("polygon", "no COCO segmentation"),
        (5, "no COCO segmentation"),
        ({}, "no COCO segmentation|need size"),
        ([], "no annotations"),
        ({"annotations": []}, "no annotations"),
        ([{"bbox": [1, 2, 3, 4]}], "without segmentation"),
        ({"segmentation": []}, "no COCO segmentation"),
    ],
)
def test_malformed_coco(tmp_path: Path, data: Any, words: str) -> None:
    name = tmp_path / "bad.json"
    name.write_text(json.dumps(data))
    with pytest.raises(MaskError, match=words):
        hole(f"coco:{name}")


def test_run_lengths_of_another_size() -> None:
    with pytest.raises(MaskError, match="of a 3x2 picture, this one is 32x24"):
        masks.coco({"size": [2, 3], "counts": [0, 6]}).hole(SHAPE)


# Algebra


def test_signs_and_operators_mean_sets() -> None:
    a, b = masks.box(4, 3, 10, 5), masks.ellipse(12, 8, 6)
    A, B = a.hole(SHAPE), b.hole(SHAPE)
    for mask, text, expected in [
        (a | b, "box:4,3,10,5 + ellipse:12,8,6", A | B),
        (a + b, "box:4,3,10,5 + ellipse:12,8,6", A | B),
        (a - b, "box:4,3,10,5 - ellipse:12,8,6", A & ~B),
        (a & b, "box:4,3,10,5 & ellipse:12,8,6", A & B),
        (~a, "!box:4,3,10,5", ~A),
        (~(a | b), "(box:4,3,10,5 + ellipse:12,8,6) | invert", ~(A | B)),
    ]:
        np.testing.assert_array_equal(mask.hole(SHAPE), expected)
        np.testing.assert_array_equal(hole(text), expected)
    a.hole(SHAPE)[:] = True
    np.testing.assert_array_equal(a.hole(SHAPE), A)


def test_and_binds_tighter_and_steps_come_last() -> None:
    a, b, c = (f"box:{x},2,6,6" for x in (2, 6, 10))
    np.testing.assert_array_equal(hole(f"{a} + {b} & {c}"), hole(f"{a} + ({b} & {c})"))
    np.testing.assert_array_equal(hole(f"{a} - {b} + {c}"), hole(f"({a} - {b}) + {c}"))
    np.testing.assert_array_equal(hole(f"{a} + {c}|dilate 2"), hole(f"({a} + {c}) | dilate 2"))
    assert (hole(f"{a} + {c} | dilate 2") != hole(f"{a} + ({c} | dilate 2)")).any()


def test_grow_shrink_and_fill() -> None:
    drawn = hole("box:10,8,9,9 | dilate 3")
    gap = np.maximum(np.maximum(10 - COLUMNS + 0.5, COLUMNS - 18.5), 0)
    rise = np.maximum(np.maximum(8 - ROWS + 0.5, ROWS - 16.5), 0)
    np.testing.assert_array_equal(drawn, gap**2 + rise**2 <= 9)
    np.testing.assert_array_equal(hole("box:10,8,9,9 | dilate 3 | erode 3"), hole("box:10,8,9,9"))
    np.testing.assert_array_equal(
        hole("box:0,0,10,10 | erode 2"), hole("box:0,0,8,8"), "the edge does not bite"
    )
    np.testing.assert_array_equal(hole("box:5,5,9,9 - box:7,7,3,3 | fill"), hole("box:5,5,9,9"))
    assert hole("box:0,5,9,9 - box:0,7,3,3 | fill").sum() == 81 - 9, "a bay is no hole"


sources = st.sampled_from(["box:1,2,9,9", "ellipse:8,8,5", "polygon:1,1,9,2,4,9", "!box:3,3,4,4", "alpha"])
steps = st.sampled_from(["dilate 2", "erode 1", "fill", "invert"])
expressions = st.recursive(
    sources,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-&"), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(inner, steps).map(lambda t: f"({t[0]}) | {t[1]}"),
        inner.map(lambda t: f"!({t})"),
    ),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(expressions)
def test_what_a_mask_says_of_itself_is_read_back_as_itself(text: str) -> None:
    mask = parse(text)
    assert parse(str(mask)) == mask


@pytest.mark.parametrize(
    "name", ["a b.png", "mask.png", "-x.png", "box:1.png", "alpha", "a+b(1).png", "x | y.png"]
)
def test_any_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = hole("box:4,3,10,5")
    Image.fromarray(drawn.astype(np.uint8) * 255).save(tmp_path / name, format="PNG")
    np.testing.assert_array_equal(hole(f"{masks.file(name)} + box:0,0,1,1"), drawn | hole("box:0,0,1,1"))
    if name != "alpha":
        np.testing.assert_array_equal(hole(name), drawn, "a file comes before an expression")


def test_arrays_join_in() -> None:
    drawn = hole("box:4,3,10,5")
    mask = masks.file(drawn) - masks.box(4, 3, 1, 1)
    assert mask.hole(SHAPE).sum() == 49
    assert masks.file(drawn) != masks.file(drawn)
    with pytest.raises(MaskError, match="combined with masks only, got ndarray"):
        masks.box(0, 0, 1, 1) | drawn  # type: ignore[operator]


# Bad input


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("box:1,2,3", "has 3 numbers; expected box:x,y,width,height"),
        ("box:1,2,three,4", "not a list of numbers"),
        ("box:1,2,nan,4", "not finite"),
        ("box:1,2,inf,4", "not finite"),
        ("box:1,2,0,4", "no area"),
        ("box:1,2,-3,4", "no area"),
        ("box:1e9,2,3,4", "number of pixels"),
        ("box:40,2,3,4", "covers no pixel of the 32x24 picture"),
        ("ellipse:1,2", "has 2 numbers"),
        ("ellipse:1,2,0", "no area"),
        ("ellipse:99,99,5", "covers no pixel"),
        ("polygon:1,1,2,2", "three points or more, this has 2"),
        ("polygon:1,1,2,2,3", "expected pairs"),
        ("polygon:50,50,60,50,60,60", "covers no pixel"),
        ("color:red", "not a colour"),
        ("color:#12345", "not a colour"),
        ("color:#fff~x", "not a list of numbers"),
        ("color:#fff~256", "expected 0 to 255"),
        ("color:#fff", "there is none here"),
        ("alpha", "no alpha"),
        ("svg:M0,0", "surrounds nothing"),
        ("svg:'L0 0 1 1'", "must begin with M"),
        ("svg:'M0 0 X1 1'", "must begin with M"),
        ("svg:'M0 0 L1'", "L takes 2 numbers, and number 2 is missing"),
        ("svg:'M0 0h5v5z 5'", "a number where a command"),
        ("svg:'M0 0 A1 1 0 2 0 5 5'", "A takes 7 numbers, and number 4 is missing"),
        ("svg:'M0 0 L#'", "L takes 2 numbers"),
        ("svg:'M0 0h1e30v5z'", "too large"),
        ("strokes:nowhere.txt", "cannot be read: No such file"),
        ("coco:nowhere.json", "cannot be read: No such file"),
        ("bax:1,2,3,4", "no mask of the kind bax:"),
        ("nowhere.png + box:1,1,2,2", "nowhere.png does not exist"),
        ("box:1,1,2,2 +", "ends where a mask was expected"),
        ("+ box:1,1,2,2 - box:1,1,1,1", "has '\\+' at character 1 where a mask"),
        ("(box:1,1,2,2", "ends where a closing bracket"),
        ("box:1,1,2,2 box:1,1,2,2", "where a sign"),
        ("box:1,1,2,2 )", "where a sign"),
        ("box:1,1,2,2 | dilate", "needs a number of pixels, got nothing"),
        ("box:1,1,2,2 | dilate 1.5", "needs a whole number"),
        ("box:1,1,2,2 | dilate -3", "needs a number of pixels"),
        ("box:1,1,2,2 | dilate 9999999", "0 to 1048576"),
        ("box:1,1,2,2 | sharpen 3", "'sharpen' is not a step"),
        ("box:1,1,2,2 | ", "a step is missing"),
        ("(box:1,1,2,2 | feather 2) + box:1,1,2,2", "feather must be the last step"),
        ("box:1,1,2,2 | feather 2 | dilate 2", "feather must be the last step"),
        ("'box:1,1,2,2", "quotation mark without its partner"),
        ("(" * 60 + "box:1,1,2,2" + ")" * 60, "more than 50 brackets"),
        ("!" * 6000 + "box:1,1,2,2", "more than 50 brackets"),
    ],
)
def test_what_cannot_be_drawn_is_told(text: str, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        hole(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no stroke in it"),
        ("5\n", "line 1: '5' is not a stroke"),
        ("# fine\n5 1,2 3\n", "line 2: '5 1,2 3' is not a stroke"),
        ("x 1,2\n", "not a list of numbers"),
        ("0 1,2\n", "width is 0"),
        ("-3 1,2\n", "width is -3"),
        ("3 900,900\n", "covers no pixel"),
    ],
)
def test_malformed_strokes(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "s.txt").write_text(content)
    with pytest.raises(MaskError, match=words):
        hole(f"strokes:{tmp_path / 's.txt'}")


def test_files_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "bin").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "bad.json").write_text("{")
    for text, words in [
        (f"strokes:{tmp_path / 'bin'}", "not a text file"),
        (f"coco:{tmp_path / 'bin'}", "not a text file"),
        (f"coco:{tmp_path / 'bad.json'}", "is not JSON"),
    ]:
        with pytest.raises(MaskError, match=words):
            hole(text)


def test_combined_masks_must_have_the_pictures_size(tmp_path: Path) -> None:
    Image.new("L", (24, 32), 255).save(tmp_path / "m.png")
    with pytest.raises(MaskError, match=r"is 24x32, the picture is 32x24; .*lying on its side"):
        hole(f"{tmp_path / 'm.png'} + box:1,1,2,2")
    with pytest.raises(MaskError, match=r"--resize-mask.*lying on its side"):
        hole(str(tmp_path / "m.png"))


@pytest.mark.parametrize("pixels", [-1, 1.5, True, "2", None])
def test_distances_are_whole_numbers(pixels: Any) -> None:
    with pytest.raises(MaskError, match="expected a whole number of pixels"):
        masks.box(0, 0, 1, 1).dilate(pixels)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="box:1,2 svgMLQaz()!|+-&#~;\"'.polygn", max_size=30))
def test_no_text_raises_anything_but_a_mask_error(text: str) -> None:
    try:
        mask = parse(text)
        assert isinstance(mask, Mask)
    except MaskError:
        pass


# Inside inpaint


def test_a_result_keeps_the_expression(make_picture: Any) -> None:
    picture = make_picture(24, 32)
    result = lacuna.Inpainter("telea").run(picture, "box:4,3,10,5 - box:6,4,2,2 | dilate 1")
    np.testing.assert_array_equal(result.hole, hole("box:4,3,10,5 - box:6,4,2,2 | dilate 1"))
    assert "mask: box:4,3,10,5 - box:6,4,2,2 | dilate 1" in result.notes
    value = masks.box(4, 3, 10, 5) - masks.box(6, 4, 2, 2)
    np.testing.assert_array_equal(lacuna.inpaint(picture, value.dilate(1), "telea"), result.image)


def test_feather_in_a_mask_is_feather(make_picture: Any) -> None:
    picture = make_picture(24, 32)
    soft = lacuna.Inpainter("telea").run(picture, "box:10,8,6,6 | feather 3")
    plain = lacuna.Inpainter("telea").run(picture, "box:10,8,6,6", feather=3)
    assert soft.changed_outside == plain.changed_outside > 0
    np.testing.assert_array_equal(soft.image, plain.image)


def test_alpha_in_an_expression_becomes_opaque(make_picture: Any) -> None:
    picture = make_picture(24, 32, 4)
    picture[5:9, 20:25, 3] = 0
    result = lacuna.Inpainter("telea").run(picture, "alpha | dilate 1")
    assert (result.image[..., 3][result.hole] == 255).all()
    same = lacuna.Inpainter("telea").run(picture, "!alpha & box:20,5,5,4 + box:0,0,1,1")
    np.testing.assert_array_equal(same.image[..., 3], picture[..., 3])
