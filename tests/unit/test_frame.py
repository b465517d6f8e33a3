from __future__ import annotations

import time

import numpy as np

from lacuna import frame as framing
from lacuna.frame import Frame, plan
from lacuna.types import Aux


def hole_with(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    hole = np.zeros(shape, dtype=bool)
    for top, left, bottom, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def test_an_empty_hole_has_no_frames() -> None:
    assert plan(np.zeros((30, 40), dtype=bool)) == []


def test_context_is_a_share_of_the_groups_own_sides() -> None:
    hole = hole_with((2000, 2000), (900, 600, 1100, 1000))  # 200 high, 400 wide
    assert plan(hole, context=0.5) == [Frame((800, 400, 1200, 1200))]
    assert plan(hole, context=1.5) == [Frame((600, 0, 1400, 1600))]


def test_a_single_pixel_gets_the_least_context() -> None:
    hole = hole_with((500, 500), (250, 260, 251, 261))
    assert plan(hole) == [Frame((250 - 64, 260 - 64, 251 + 64, 261 + 64))]


def test_boxes_are_cut_at_the_border() -> None:
    hole = hole_with((500, 600), (0, 590, 10, 600))
    assert plan(hole) == [Frame((0, 526, 74, 600))]


def test_whole_image() -> None:
    assert plan(hole_with((500, 600), (0, 0, 1, 1)), whole=True) == [Frame((0, 0, 500, 600))]


def test_distant_holes_get_their_own_frames_in_reading_order() -> None:
    hole = hole_with((1000, 1000), (800, 100, 810, 110), (100, 800, 110, 810), (100, 100, 110, 110))
    assert [frame.box[:2] for frame in plan(hole)] == [(36, 36), (36, 736), (736, 36)]


def test_near_holes_share_a_frame() -> None:
    hole = hole_with((1000, 1000), (500, 400, 510, 410), (500, 500, 510, 510))
    assert plan(hole) == [Frame((436, 336, 574, 574))]


def test_a_frame_inside_another_ones_corner_is_joined_too() -> None:
    # An L and a dot in its notch: the components do not touch, their boxes do.
    hole = hole_with((1500, 1500), (100, 100, 1400, 110), (1390, 100, 1400, 1400), (300, 1200, 301, 1201))
    assert len(plan(hole)) == 1


def test_a_hole_that_fills_its_box_gets_more_surroundings() -> None:
    hole = hole_with((400, 3000), (0, 1400, 400, 1800))  # from edge to edge: known pixels lie left and right
    (only,) = plan(hole, context=0.1)
    top, left, bottom, right = only.box
    assert (top, bottom) == (0, 400)
    assert (right - left - 400) / 400 >= framing.KNOWN_PER_HOLE
    assert right - left < 3000


def test_little_known_means_the_whole_picture() -> None:
    hole = np.ones((300, 300), dtype=bool)
    hole[:5, :5] = False
    assert plan(hole) == [Frame((0, 0, 300, 300))]


def test_unknown_pixels_do_not_count_as_known() -> None:
    hole = hole_with((1000, 1000), (500, 500, 520, 520))
    unknown = np.ones_like(hole)
    unknown[:100] = False
    (only,) = plan(hole, unknown=unknown)
    assert only.box[0] < 100


def test_a_frame_reaches_the_sources() -> None:
    hole = hole_with((1000, 1000), (500, 500, 520, 520))
    sources = hole_with(hole.shape, (0, 0, 50, 50))
    (only,) = plan(hole, sources=sources)
    assert np.count_nonzero(only.crop(sources)) >= framing.KNOWN_PER_HOLE * np.count_nonzero(hole)


def test_dust_is_cheap() -> None:
    rng = np.random.default_rng(1)
    hole = rng.random((3000, 4000)) < 2e-4  # 2,400 specks, a dozen of them alone in their surroundings
    started = time.process_time()
    frames = plan(hole)
    assert time.process_time() - started < 1.0
    assert len(frames) <= framing.MAX_FRAMES


def test_never_more_than_the_limit() -> None:
    hole = np.zeros((4000, 4000), dtype=bool)
    hole[100::250, 100::250] = True  # 256 specks, too far apart to share a frame by themselves
    frames = plan(hole)
    assert 1 <= len(frames) <= framing.MAX_FRAMES
    assert sum(np.count_nonzero(frame.view(hole)) for frame in frames) == 256


def test_endless_context_is_the_whole_picture() -> None:
    assert plan(hole_with((300, 300), (5, 5, 6, 6)), context=float("inf")) == [Frame((0, 0, 300, 300))]


def test_crop_is_contiguous_read_only_and_leaves_the_original_writeable() -> None:
    array = np.arange(24.0).reshape(4, 6)
    part = Frame((0, 0, 4, 6)).crop(array)
    assert part.flags.c_contiguous
    assert not part.flags.writeable
    assert array.flags.writeable
    assert np.shares_memory(part, array)  # the whole picture is not copied


def test_crop_aux_cuts_all_that_is_there() -> None:
    sketch = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    cut = Frame((1, 0, 3, 2)).crop_aux(Aux(sketch=sketch))
    assert cut.guide is None
    assert cut.sources is None
    assert cut.sketch is not None
    assert cut.sketch[..., 0].tolist() == [[4, 5], [8, 9]]
