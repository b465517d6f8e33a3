"""Each loss on numbers that can be followed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from lacuna import losses


def picture(*rows: list[float]) -> Any:
    return torch.tensor(rows, dtype=torch.float32)[None, None]


HOLE = picture([0, 0, 0], [0, 1, 1], [0, 0, 0])
A, B = torch.zeros(1, 1, 3, 3), picture([1, 1, 1], [1, 3, 5], [1, 1, 1])


def test_l1_and_its_regions_add_up() -> None:
    assert losses.l1(A, B) == pytest.approx(15 / 9)
    assert losses.l1(A, B, HOLE) == pytest.approx(8 / 9)  # divided by all values, not by the hole's
    assert losses.l1(A, B, 1 - HOLE) == pytest.approx(7 / 9)


def test_l2() -> None:
    assert losses.l2(A, B) == pytest.approx(41 / 9)
    assert losses.l2(A, B, HOLE) == pytest.approx(34 / 9)


def test_the_overlap_of_context_encoders() -> None:
    hole = torch.zeros(1, 1, 7, 7)
    hole[..., 3, 3] = 1
    weight = losses.overlap_weight(hole, overlap=2)
    assert weight[0, 0, 3, 3] == 1
    assert weight[0, 0, 1, 1] == 10
    assert weight.sum() == 1 + 24 * 10


def test_the_discount() -> None:
    hole = torch.zeros(1, 1, 5, 5)
    hole[..., :4, 1:4] = 1  # it touches the upper edge, beyond which nothing is known
    expected = torch.ones(5, 5)
    expected[:4, 1:4] = 0.5
    expected[:3, 2] = 0.25
    assert torch.equal(losses.discount(hole, 0.5)[0, 0], expected)
    assert torch.equal(losses.discount(torch.ones(1, 1, 3, 3), 0.5), torch.full((1, 1, 3, 3), 0.5))
    assert torch.equal(losses.discount(torch.zeros(1, 1, 3, 3)), torch.ones(1, 1, 3, 3))


def test_the_pyramid() -> None:
    target = picture([0, 2, 4, 4], [4, 2, 4, 4])
    fine, coarse = target + 1, picture([2, 7])  # the target's means are 2 and 4
    assert losses.pyramid_l1([fine, coarse], target) == pytest.approx(1 + 3 / 2)
    with pytest.raises(ValueError, match="no level"):
        losses.pyramid_l1([], target)


def test_perceptual() -> None:
    ours, theirs = [A, torch.ones(1, 2, 1, 1)], [B, torch.full((1, 2, 1, 1), 4.0)]
    assert losses.perceptual(ours, theirs) == pytest.approx(15 / 9 + 3)
    assert losses.perceptual(ours, theirs, power=2) == pytest.approx(41 / 9 + 9)
    with pytest.raises(ValueError, match="shorter"):
        losses.perceptual(ours, theirs[:1])


def test_gram() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # (1, 2, 1, 2)
    assert losses.gram(features)[0].tolist() == [[5 / 4, 3 / 4], [3 / 4, 9 / 4]]
    first = torch.tensor([[[[1.0, 0.0]]]])
    assert losses.gram(features, first)[0].tolist() == [[1 / 2, 3 / 2], [3 / 2, 9 / 2]]
    assert losses.gram(features, torch.zeros(1, 1, 1, 2)).abs().sum() == 0


def test_gram_survives_half_precision() -> None:
    features = torch.full((1, 2, 64, 64), 30.0).half()  # the plain sum of squares is 3.7 million
    assert losses.gram(features).tolist() == [[[450.0, 450.0], [450.0, 450.0]]]


def test_style() -> None:
    one = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
    assert losses.style([one], [torch.zeros_like(one)]) == pytest.approx((5 + 3 + 3 + 9) / 4 / 4)
    second = torch.tensor([[[[0.0, 1.0]]]])
    assert losses.style([one], [torch.zeros_like(one)], second) == pytest.approx(4 / 2 / 4)


def test_feature_matching_does_not_train_the_real_side() -> None:
    fake, real = torch.zeros(1, 1, 2, 2, requires_grad=True), torch.ones(1, 1, 2, 2, requires_grad=True)
    loss = losses.feature_matching([fake, fake], [real, 3 * real])
    assert loss.item() == pytest.approx((1 + 9) / 2)
    loss.backward()
    assert fake.grad is not None
    assert real.grad is None


def test_total_variation_near_the_hole_only() -> None:
    hole = torch.zeros(1, 1, 5, 5)
    hole[..., 2, 2] = 1
    ramp = torch.arange(25.0).view(1, 1, 5, 5)  # a step is 1 across and 5 down
    assert losses.total_variation(ramp, hole) == pytest.approx((6 * 1 + 6 * 5) / 25)


def test_the_terms_of_partial_convolutions() -> None:
    terms = losses.partial_conv_terms(lambda x: [x], A, B, HOLE)
    assert list(terms) == ["valid", "hole", "perceptual", "style", "variation"]
    assert terms["valid"] == pytest.approx(7 / 9)
    assert terms["hole"] == pytest.approx(6 * 8 / 9)
    assert terms["perceptual"] == pytest.approx(0.05 * (15 + 8) / 9)
    assert terms["style"] == pytest.approx(120 * (41 + 34) / 9)  # the composite's Gram matrix is 7/9
    # Composited: ones, and 0 in the hole. All nine pixels are within one pixel of it.
    assert terms["variation"] == pytest.approx(0.1 * (1 + 4) / 9)


LOG = math.log


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("vanilla", LOG(1 + math.exp(-2)) + LOG(1 + math.exp(0.5))),
        ("non-saturating", LOG(1 + math.exp(-2)) + LOG(1 + math.exp(0.5))),
        ("least-squares", 0.5 * 1 + 0.5 * 0.25),
        ("hinge", 0 + 1.5),
        ("wasserstein", 0.5 - 2),
    ],
)
def test_what_discriminators_minimise(kind: Any, expected: float) -> None:
    assert losses.discriminator_loss(kind, torch.tensor([2.0]), torch.tensor([0.5])) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("vanilla", -LOG(1 + math.exp(0.5))),
        ("non-saturating", LOG(1 + math.exp(-0.5))),
        ("least-squares", 0.125),
        ("hinge", -0.5),
        ("wasserstein", -0.5),
    ],
)
def test_what_generators_minimise(kind: Any, expected: float) -> None:
    assert losses.generator_loss(kind, torch.tensor([0.5])) == pytest.approx(expected)


def test_an_unknown_adversary() -> None:
    for loss in (losses.generator_loss, lambda kind, x: losses.discriminator_loss(kind, x, x)):
        with pytest.raises(ValueError, match="unknown adversary"):
            loss("wgan", torch.zeros(1))


def test_the_gradient_penalty() -> None:
    """The critic's gradient is 3 in every pixel: its length is 3·√4 = 6, and 3·√1 inside the hole."""
    real, fake = torch.randn(2, 1, 2, 2), torch.randn(2, 1, 2, 2)
    hole = picture([1, 0], [0, 0])
    critic = torch.nn.Conv2d(1, 1, 2)
    torch.nn.init.constant_(critic.weight, 3)
    assert losses.gradient_penalty(critic, real, fake).item() == pytest.approx(25)
    penalty = losses.gradient_penalty(critic, real, fake, hole)
    assert penalty.item() == pytest.approx(4)
    penalty.backward()
    assert critic.weight.grad is not None


def test_the_gradient_penalty_mixes_by_its_own_generator() -> None:
    def penalty(seed: int) -> float:
        mix = torch.Generator().manual_seed(seed)
        real, fake = torch.ones(4, 1, 1, 1), torch.zeros(4, 1, 1, 1)
        return losses.gradient_penalty(lambda x: x**2, real, fake, generator=mix).item()

    assert penalty(1) == penalty(1) != penalty(2)
    shares = torch.rand(4, generator=torch.Generator().manual_seed(1))
    assert penalty(1) == pytest.approx(((2 * shares - 1) ** 2).mean().item())


def test_r1() -> None:
    real = torch.full((2, 1, 2, 2), 3.0, requires_grad=True)
    assert losses.r1_penalty((real**2).sum((1, 2, 3)), real).item() == pytest.approx(4 * 36)


@pytest.mark.parametrize("loss", [losses.l1, losses.l2, lambda a, b: losses.style([a], [b])])
def test_gradients(loss: Any) -> None:
    a = torch.randn(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    b = torch.randn(1, 2, 3, 3, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda x: loss(x, b), (a,))
