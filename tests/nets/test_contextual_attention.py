from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from lacuna.nets import contextual_attention as ca
from lacuna.nets.contextual_attention import DeepFillV1, LocalGlobalCritics, contextual_attention


def looped(f: Any, b: Any, missing: Any, *, rate: int = 2, scale: float = 10, fuse: int = 3) -> Any:
    """The published way: for each picture, patches as the filters of convolutions."""
    outs = []
    for foreground, background, hole in zip(f.split(1), b.split(1), missing.split(1), strict=True):
        small_f, small_b = foreground[..., ::rate, ::rate], background[..., ::rate, ::rate]
        h, w = small_b.shape[-2:]
        big_h, big_w = small_f.shape[-2:]
        filters = F.unfold(small_b, 3, padding=1)[0].T.reshape(h * w, -1, 3, 3)
        filters = filters / filters.flatten(1).norm(dim=1).clamp(min=1e-4).view(-1, 1, 1, 1)
        scores = F.conv2d(small_f, filters, padding=1)  # (1, h·w, H, W)
        if fuse:
            eye = torch.eye(fuse).view(1, 1, fuse, fuse)
            scores = F.conv2d(scores.view(1, 1, h * w, -1), eye, padding=fuse // 2)
            scores = scores.view(1, h, w, big_h, big_w).permute(0, 2, 1, 4, 3).reshape(1, 1, h * w, -1)
            scores = F.conv2d(scores, eye, padding=fuse // 2)
            scores = scores.view(1, w, h, big_w, big_h).permute(0, 2, 1, 4, 3)
        scores = scores.reshape(1, h * w, big_h, big_w)
        step = hole.shape[-1] // w
        touched = F.unfold(hole[..., ::step, ::step], 3, padding=1).mean(1)  # (1, h·w)
        known = (touched == 0).float().view(1, -1, 1, 1)
        shares = torch.softmax(scores * known * scale, 1) * known
        patches = F.unfold(background, 2 * rate, stride=rate, padding=rate // 2)[0].T
        patches = patches.reshape(h * w, -1, 2 * rate, 2 * rate)
        outs.append(F.conv_transpose2d(shares, patches, stride=rate, padding=rate // 2) / 4)
    return torch.cat(outs)


def holes(batch: int, height: int, width: int) -> Any:
    missing = torch.zeros(batch, 1, height, width)
    missing[..., height // 4 : height // 2, width // 4 : width // 2] = 1
    missing[0, :, : height // 8] = 1
    return missing


@pytest.mark.parametrize(("rate", "fuse"), [(2, 3), (2, 0), (2, 5), (4, 3)])
@pytest.mark.parametrize("shape", [(3, 8, 16, 24), (1, 4, 8, 8)])
def test_it_is_the_loop_of_convolutions(rate: int, fuse: int, shape: tuple[int, ...]) -> None:
    features = torch.randn(shape)
    other = torch.randn(shape)
    missing = holes(shape[0], shape[2] * 4, shape[3] * 4)
    out, shares = contextual_attention(features, other, missing, rate=rate, fuse=fuse)
    expected = looped(features, other, missing, rate=rate, fuse=fuse)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    assert shares.shape == (shape[0], *(n // rate for n in (shape[2:] * 2)))


def test_each_picture_has_its_own_mask() -> None:
    features, missing = torch.randn(2, 4, 16, 16), holes(2, 64, 64)
    both = contextual_attention(features, features, missing)[0]
    for i in range(2):
        one = contextual_attention(features[i : i + 1], features[i : i + 1], missing[i : i + 1])[0]
        torch.testing.assert_close(both[i : i + 1], one)


def test_a_known_patch_is_copied_exactly() -> None:
    """In a picture made of a repeated tile the hole's features are found elsewhere, and copied bit by bit."""
    tile = torch.randn(1, 16, 8, 8)
    features = tile.repeat(1, 1, 3, 3)
    missing = torch.zeros(1, 1, 24, 24)
    missing[..., 8:16, 8:16] = 1
    out, shares = contextual_attention(features, features, missing, scale=1000, fuse=0)
    torch.testing.assert_close(out[..., 10:14, 10:14], tile[..., 2:6, 2:6], rtol=1e-5, atol=1e-5)
    looked = shares.flatten(1, 2)[0, :, 6, 6].nonzero().flatten() // 12 % 4  # rows of the patches, in tiles
    assert set(looked.tolist()) == {6 % 4}


def test_a_five_by_five_example_of_agreement() -> None:
    """Scores of 1 on the diagonal: inside, two neighbours agree along rows and two along columns."""
    total = ca._diagonal_sum(torch.eye(5)[None], 3)[0]
    assert torch.equal(total, torch.diag(torch.tensor([2.0, 3, 3, 3, 2])))
    fused = ca.propagate(torch.eye(25)[None], (5, 5), (5, 5), 3)[0]
    assert fused[12, 12] == 9
    assert fused[0, 0] == 2 + 3  # the place below has a neighbour before it: the end of the first row


def test_patches_that_touch_the_hole_are_not_copied() -> None:
    missing = torch.zeros(1, 1, 20, 20)
    missing[..., 8:12, 8:12] = 1
    known = ca.copyable(missing, (5, 5)).view(5, 5)
    assert torch.equal(known, 1 - F.pad(torch.ones(3, 3), (1, 1, 1, 1)))


def test_a_copyless_softmax_has_logit_zero_not_minus_infinity() -> None:
    scores, known = torch.tensor([[[2.0], [5.0]]]), torch.tensor([[[1.0], [0.0]]])
    shares = ca.choose(scores, known, 1.0).flatten()
    assert shares[0] == pytest.approx(float(torch.sigmoid(torch.tensor(2.0))))
    assert shares[1] == 0


def test_borders_are_divided_by_the_same_constant() -> None:
    out = ca.paste(torch.eye(9)[None], torch.ones(1, 1, 6, 6), 2)[0, 0]
    assert out[0, 0] == 0.25
    assert out[0, 2] == 0.5
    assert torch.equal(out[1:-1, 1:-1], torch.ones(4, 4))


def test_gradients() -> None:
    f = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    b = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    missing = torch.zeros(1, 1, 16, 16)
    missing[..., 8:, 8:] = 1
    assert torch.autograd.gradcheck(lambda f, b: contextual_attention(f, b, missing)[0], (f, b))


def test_the_network() -> None:
    net = DeepFillV1(4).eval()
    image, missing = torch.rand(2, 3, 48, 64) * 2 - 1, torch.zeros(2, 1, 48, 64)
    missing[..., 16:32, 16:40] = 1
    out = net(image, missing)
    assert out.coarse.shape == out.refined.shape == image.shape
    assert out.shares.shape == (2, 6, 8, 6, 8)
    hidden = net(torch.where(missing > 0, 0.77, image), missing)
    assert torch.equal(hidden.refined, out.refined)
    out.refined.sum().backward()
    assert all(p.grad is not None for p in net.refinement.parameters())
    assert DeepFillV1.config_of(net.state_dict()) == net.config


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = DeepFillV1()
    assert net.coarse.encoder[0][0].weight.shape == (32, 5, 5, 5)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(3.0e6, rel=0.25)


def test_the_critics() -> None:
    critics = LocalGlobalCritics(32, 16, width=4)
    whole, local = critics(torch.randn(2, 3, 32, 32), torch.randn(2, 3, 16, 16))
    assert whole.shape == local.shape == (2, 1)
    with torch.device("meta"):
        published = LocalGlobalCritics()
    assert published.whole.score.in_features == 256 * 16 * 16
    assert published.local.score.in_features == 512 * 8 * 8
