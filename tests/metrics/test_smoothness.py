from __future__ import annotations

import numpy as np
import pytest

from lacuna.errors import OptionError
from lacuna.metrics import diversity, l1, seam, total_variation


def test_total_variation_by_hand_and_in_the_hole() -> None:
    image = np.array([[0.0, 0.5, 0.5], [0.0, 1.0, 0.5]])[..., None]
    right, below = 0.5 + 0 + 1 + 0.5, 0 + 0.5 + 0
    assert total_variation(image) == pytest.approx((right + below) / 7)
    hole = np.zeros((2, 3), dtype=bool)
    hole[0, 0] = True
    assert total_variation(image, hole) == pytest.approx(0.25)
    assert total_variation(image[:1, :1]) == 0


def test_blur_has_less_variation_than_the_texture_it_replaces(rng: np.random.Generator) -> None:
    texture = rng.random((30, 30, 3))
    assert total_variation(np.full_like(texture, 0.5)) < total_variation(texture)


def test_a_seam_is_seen_and_going_on_is_none(rng: np.random.Generator) -> None:
    hole = np.zeros((60, 60), dtype=bool)
    hole[20:40, 20:40] = True
    ramp = np.broadcast_to(np.linspace(0, 1, 60), (60, 60))[..., None].copy()
    assert seam(ramp, hole) == pytest.approx(0, abs=1e-6)
    stepped = ramp + 0.1 * hole[..., None]
    assert seam(stepped, hole) > 10
    texture = rng.random((60, 60, 3))
    assert abs(seam(texture, hole)) < 6


def test_a_hole_of_one_line_has_no_seam_to_measure() -> None:
    hole = np.zeros((5, 5), dtype=bool)
    hole[2] = True
    assert seam(np.zeros((5, 5, 1)), hole) == 0


def test_diversity_is_the_mean_over_pairs() -> None:
    samples = [np.full((2, 2, 1), v) for v in (0.0, 0.5, 1.0)]
    assert diversity(samples, l1) == pytest.approx(2 / 3)
    with pytest.raises(OptionError, match="two or more"):
        diversity(samples[:1], l1)
