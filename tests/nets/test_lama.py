from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lacuna.nets.lama import FourierUnit, Lama, MultiDilated, PatchDiscriminator


@pytest.mark.parametrize("size", [(5, 5), (4, 6), (7, 2)])
def test_the_fourier_unit_is_numpys(size: tuple[int, int], randomise: Callable[[Any], Any]) -> None:
    unit = randomise(FourierUnit(2, 3))
    x = torch.randn(1, 2, *size)
    waves = np.fft.rfft2(x.numpy()[0].astype(np.float64), norm="ortho")
    stacked = np.stack([waves.real, waves.imag], 1).reshape(4, -1)  # real and imaginary part of each channel
    mixed = unit.conv_layer.weight.numpy()[:, :, 0, 0] @ stacked
    mean, var, gain, bias = (
        t.numpy()[:, None] for t in (unit.bn.running_mean, unit.bn.running_var, unit.bn.weight, unit.bn.bias)
    )
    mixed = np.maximum((mixed - mean) / np.sqrt(var + 1e-5) * gain + bias, 0).reshape(3, 2, *waves.shape[1:])
    expected = np.fft.irfft2(mixed[:, 0] + 1j * mixed[:, 1], s=size, norm="ortho")
    np.testing.assert_allclose(unit(x)[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_one_pixel_is_seen_everywhere() -> None:
    unit, x = FourierUnit(1, 1).eval(), torch.randn(1, 1, 9, 9)
    other = x.clone()
    other[..., 0, 0] += 1
    assert (unit(x) != unit(other)).float().mean() > 0.9


def test_half_precision_is_left_outside() -> None:
    unit, x = FourierUnit(2, 2).eval(), torch.randn(1, 2, 5, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert unit(x.bfloat16()).dtype == torch.bfloat16
        torch.testing.assert_close(unit(x), FourierUnit.forward(unit, x))
    wide = unit(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(unit(x), wide)


def test_gradients() -> None:
    unit = FourierUnit(1, 1).double().eval()
    x = torch.randn(1, 1, 5, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(unit, (x,))


def test_a_five_by_five_example_of_dilations() -> None:
    layer = MultiDilated(2, rates=(1, 2))
    for conv in layer.convs:
        torch.nn.init.ones_(conv.weight)
    x = torch.zeros(1, 2, 5, 5)
    x[..., 2, 2] = 1
    y = layer(x)[0, 0]
    assert y[2, 2] == 2
    assert y[1, 1] == 1
    assert y[0, 0] == 1
    assert y[0, 1] == 0
    with pytest.raises(ValueError, match="shared by 4"):
        MultiDilated(6)


@pytest.mark.parametrize("kind", ["fourier", "dilated"])
def test_the_network(kind: Any, randomise: Callable[[Any], Any]) -> None:
    net = Lama(8, 2, kind)
    config = Lama.config_of(net.state_dict())
    assert config == {key: net.config[key] for key in config}
    image, missing = torch.rand(2, 3, 40, 24), torch.zeros(2, 1, 40, 24)
    missing[..., 10:25, 8:16] = 1
    net(image, missing).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    randomise(net)
    out = net(image, missing)
    assert out.shape == image.shape
    assert 0 <= out.min() <= out.max() <= 1
    assert torch.equal(net(torch.where(missing > 0, 0.3, image), missing), out)


def test_the_published_size() -> None:
    with torch.device("meta"):
        fourier, big = Lama(), Lama(blocks=18)
    assert sum(p.numel() for p in fourier.parameters()) == pytest.approx(27e6, rel=0.02)
    assert sum(p.numel() for p in big.parameters()) == pytest.approx(51e6, rel=0.02)


def test_the_dilated_kind_can_be_traced() -> None:
    net = Lama(8, 1, "dilated").eval().requires_grad_(False)
    given = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    program = torch.export.export(net, given)
    torch.testing.assert_close(program.module()(*given), net(*given))


def test_the_discriminator_returns_its_features() -> None:
    logits, features = PatchDiscriminator(4, 3)(torch.randn(2, 3, 64, 64))
    assert logits.shape[:2] == (2, 1)
    assert [f.shape[1] for f in features] == [4, 8, 16, 32]
