from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from lacuna.nets.gated_conv import DeepFillV2, GatedConv2d, SNPatchDiscriminator


def test_a_five_by_five_example() -> None:
    """Features pass a centred kernel of 1; the gate is σ of the pixel to the left."""
    layer = GatedConv2d(1, 1)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        layer.conv.weight[0, 0, 1, 1] = 1
        layer.conv.weight[1, 0, 1, 0] = 1
    x = torch.arange(-12.0, 13).view(1, 1, 5, 5)
    left = F.pad(x, (1, 0))[..., :-1]
    torch.testing.assert_close(layer(x), F.elu(x) * torch.sigmoid(left))
    assert layer(x)[0, 0, 2, 0].item() == pytest.approx(float(F.elu(torch.tensor(-2.0))) / 2)


def test_gradients() -> None:
    layer = GatedConv2d(2, 2, rate=2).double()
    x = torch.randn(1, 2, 5, 5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    image, missing = torch.rand(2, 3, 40, 48) * 2 - 1, torch.zeros(2, 1, 40, 48)
    missing[..., 10:25, 12:30] = 1
    return image, missing


def test_the_network_sees_known_pixels_only() -> None:
    net = DeepFillV2(8).eval()
    image, missing = scene()
    out = net(image, missing)
    assert out.coarse.shape == out.refined.shape == image.shape
    assert out.shares.shape == (2, 5, 6, 5, 6)
    assert torch.equal(net(torch.where(missing > 0, 0.3, image), missing).refined, out.refined)
    assert out.refined.abs().max() <= 1


def test_a_sketch_matters_to_a_network_that_takes_one() -> None:
    image, missing = scene()
    lines = torch.zeros(2, 1, 40, 48)
    lines[..., 16, :] = 1
    net = DeepFillV2(8, sketch=True).eval()
    assert DeepFillV2.config_of(net.state_dict()) == {"width": 8, "sketch": True}
    none = net(image, missing).coarse
    assert torch.equal(none, net(image, missing, torch.zeros_like(lines)).coarse)
    assert not torch.equal(none, net(image, missing, lines).coarse)


def test_gradients_reach_every_weight() -> None:
    net = DeepFillV2(8)
    out = net(*scene())
    (out.coarse.sum() + out.refined.sum()).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = DeepFillV2()
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(4.1e6, rel=0.02)
    with pytest.raises(ValueError, match="multiple of 4"):
        DeepFillV2(6)


def test_the_discriminator_scores_patches_and_is_normalised() -> None:
    critic = SNPatchDiscriminator(width=4)
    image, missing = torch.randn(2, 3, 128, 128), torch.zeros(2, 1, 128, 128)
    for _ in range(30):  # each call in training mode improves the estimate of the norm
        critic(image, missing)
    assert critic.eval()(image, missing).shape == (2, 16, 2, 2)
    for layer in critic.layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
