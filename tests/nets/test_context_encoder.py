from __future__ import annotations

from typing import Any

import pytest
import torch

from lacuna.nets.context_encoder import MEAN, ChannelwiseLinear, ContextEncoder, RegionDiscriminator


def test_a_five_by_five_example_of_a_channelwise_layer() -> None:
    """Each channel has its own matrix: the first is turned around, the second summed into its first pixel."""
    layer = ChannelwiseLinear(2, 5)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0] = torch.eye(25).flip(0)
        layer.weight[1, :, 0] = 1
    x = torch.arange(25.0).view(1, 1, 5, 5).repeat(1, 2, 1, 1)
    y = layer(x)
    assert torch.equal(y[0, 0], x[0, 0].flip(0, 1))
    assert y[0, 1, 0, 0] == 300
    assert y[0, 1].sum() == 300
    assert sum(p.numel() for p in layer.parameters()) == 2 * 25 * 26


@pytest.mark.parametrize(("region", "side"), [("centre", 64), ("random", 128)])
@pytest.mark.parametrize("bottleneck", [8, 0])
def test_the_network(region: Any, side: int, bottleneck: int) -> None:
    net = ContextEncoder(4, bottleneck, region).eval()
    assert ContextEncoder.config_of(net.state_dict()) == net.config
    image, missing = torch.rand(2, 3, 128, 128) * 2 - 1, torch.zeros(2, 1, 128, 128)
    missing[..., 32:96, 32:96] = 1
    out = net(image, missing)
    assert out.shape == (2, 3, side, side)
    mean = torch.tensor(MEAN)[:, None, None]
    assert torch.equal(net(torch.where(missing > 0, mean, image), missing), out)
    out.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = ContextEncoder()
    assert net.bottleneck[0].weight.shape == (4000, 512, 4, 4)


def test_the_discriminators() -> None:
    for side in (64, 128):
        assert RegionDiscriminator(side, 4)(torch.randn(2, 3, side, side)).shape == (2, 1)
    with pytest.raises(ValueError, match="64 or 128"):
        RegionDiscriminator(96)


def test_gradients() -> None:
    layer = ChannelwiseLinear(2, 3).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w, b: torch.func.functional_call(layer, {"weight": w, "bias": b}, x),
        (x, layer.weight, layer.bias),
    )
