from __future__ import annotations

import pytest
import torch

from lacuna.nets.pen_net import PatchDiscriminator, PENNet, transfer


def test_shallow_features_are_copied_from_where_deep_ones_match() -> None:
    deep = torch.randn(1, 16, 4, 4).repeat(1, 1, 3, 3)
    shallow = torch.randn(1, 3, 8, 8).repeat(1, 1, 3, 3)
    missing = torch.zeros(1, 1, 48, 48)
    missing[..., 20:28, 20:28] = 1
    out = transfer(deep, shallow, missing, scale=1000)
    torch.testing.assert_close(out[..., 8:16, 8:16], shallow[..., 8:16, 8:16], rtol=1e-4, atol=1e-4)
    hidden = shallow.clone()
    hidden[..., 10:14, 10:14] = 99  # under the hole, which no copied patch touches
    torch.testing.assert_close(
        transfer(deep, hidden, missing, scale=1000)[..., 10:14, 10:14], out[..., 10:14, 10:14]
    )


def test_gradients() -> None:
    deep = torch.randn(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    shallow = torch.randn(1, 2, 6, 6, dtype=torch.double, requires_grad=True)
    missing = torch.zeros(1, 1, 12, 12)
    missing[..., :4, :4] = 1
    assert torch.autograd.gradcheck(lambda d, s: transfer(d, s, missing), (deep, shallow))


def test_the_network() -> None:
    net = PENNet(4)
    assert PENNet.config_of(net.state_dict()) == net.config
    image, missing = torch.rand(2, 3, 128, 64) * 2 - 1, torch.zeros(2, 1, 128, 64)
    missing[..., 30:60, 20:40] = 1
    out = net(image, missing)
    assert out.image.shape == image.shape
    assert [tuple(level.shape[-2:]) for level in out.pyramid] == [(128 >> i, 64 >> i) for i in range(1, 6)]
    assert torch.equal(net(torch.where(missing > 0, 0.3, image), missing).image, out.image)
    (out.image.sum() + sum(level.sum() for level in out.pyramid)).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_published_size() -> None:
    with torch.device("meta"):
        assert PENNet().channels == [32, 64, 128, 256, 512, 512]
    with pytest.raises(ValueError, match="multiple of 4"):
        PENNet(6)


def test_the_discriminator() -> None:
    assert PatchDiscriminator(4)(torch.randn(2, 3, 64, 64)).shape[:2] == (2, 1)
