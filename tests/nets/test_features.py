from __future__ import annotations

import pytest
import torch

from lacuna.errors import WeightsError
from lacuna.nets.features import SqueezeFeatures, VGG16Features


def test_vgg_takes_torchvisions_names_and_leaves_the_rest() -> None:
    own = VGG16Features().state_dict()
    assert sorted({int(key.split(".")[1]) for key in own}) == [0, 2, 5, 7, 10, 12, 14]
    net = VGG16Features()
    net.load({**own, "features.28.weight": torch.ones(1), "classifier.0.weight": torch.ones(1)})
    assert torch.equal(net.features[0].weight, own["features.0.weight"])
    maps = net(torch.rand(1, 3, 32, 40))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 16, 20), (128, 8, 10), (256, 4, 5)]


def test_a_mean_picture_is_zero_to_the_first_layer() -> None:
    net = SqueezeFeatures()
    torch.nn.init.zeros_(net.features[0].bias)
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert net(grey)[0].abs().max() < 1e-5


def test_gradients_pass_to_the_picture_and_not_to_the_weights() -> None:
    net = VGG16Features()
    net.load(net.state_dict())
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    net(image)[-1].sum().backward()
    assert image.grad is not None
    assert not any(p.requires_grad for p in net.parameters())


def test_weights_of_another_network() -> None:
    with pytest.raises(WeightsError, match=r"12 missing.*18 unexpected"):
        VGG16Features().load(SqueezeFeatures().state_dict())
