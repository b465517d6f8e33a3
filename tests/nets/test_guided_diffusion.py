from __future__ import annotations

from typing import Any

import pytest
import torch

from lacuna.nets.guided_diffusion import Attention, GuidedDiffusionUNet, embedding

SMALL: dict[str, Any] = {"width": 32, "multiples": (1, 2), "blocks": 1, "attention": (1,), "head": 32}


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        {**SMALL, "multiples": (1, 2, 2), "blocks": 2, "attention": (0, 2), "outputs": 3},
        {**SMALL, "scaled": False, "resizing": False, "classes": 7, "inputs": 7},
        {**SMALL, "multiples": (2,), "attention": (), "blocks": 3},
    ],
)
def test_a_state_tells_how_its_net_was_built(config: dict[str, Any]) -> None:
    with torch.device("meta"):
        net = GuidedDiffusionUNet(**config)
    told = GuidedDiffusionUNet.config_of(net.state_dict())
    untold = {"head": net.config["head"], "dropout": 0.0}  # no weight tells them
    assert {**told, **untold} == net.config


def test_the_published_size() -> None:
    """The unconditional 256-pixel net of the paper has 552.8 million parameters."""
    with torch.device("meta"):
        net = GuidedDiffusionUNet()
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 552.8
    assert net.multiple == 32


def test_a_new_net_says_nothing_and_learns() -> None:
    net = GuidedDiffusionUNet(**SMALL)
    x, step = torch.randn(2, 3, 16, 16), torch.tensor([3, 700])
    y = net(x, step)
    assert y.shape == (2, 6, 16, 16)
    assert not y.any()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = (net(x, step)[:, :3] - x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_the_step_matters() -> None:
    net = GuidedDiffusionUNet(**SMALL).requires_grad_(False)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, 0, 0.05)
    x = torch.randn(1, 3, 16, 16)
    early, late = (net(x, torch.tensor([t])) for t in (1, 900))
    assert (early - late).abs().max() > 1e-3


def test_attention_is_the_softmax_of_products() -> None:
    layer = Attention(32, 16).requires_grad_(False)
    torch.nn.init.normal_(layer.proj_out.weight, 0, 0.1)
    x = torch.randn(1, 32, 3, 4)
    mixed = layer.qkv(layer.norm(x.flatten(2)))[0]
    seen = []
    for i in range(2):
        q, k, v = mixed[48 * i : 48 * (i + 1)].split(16)
        seen.append(v @ torch.softmax(q.T @ k / 4, dim=1).T)
    expected = x + layer.proj_out(torch.cat(seen)[None]).view_as(x)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_the_embedding_of_a_step() -> None:
    out = embedding(torch.tensor([0, 5]), 4)
    assert out[0].tolist() == [1, 1, 0, 0]
    angles = torch.tensor([5.0, 0.05])
    assert torch.allclose(out[1], torch.cat([angles.cos(), angles.sin()]))


def test_labels_are_for_nets_with_classes() -> None:
    x, step = torch.zeros(1, 3, 8, 8), torch.tensor([1])
    with pytest.raises(ValueError, match="takes none"):
        GuidedDiffusionUNet(**SMALL)(x, step, torch.tensor([1]))
    with pytest.raises(ValueError, match="needs labels"):
        GuidedDiffusionUNet(**SMALL, classes=3)(x, step)


@pytest.mark.parametrize("wrong", [{"width": 40}, {"multiples": ()}, {"blocks": 0}, {"head": 48}])
def test_sizes_that_cannot_be_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cannot be built|do not divide"):
        GuidedDiffusionUNet(**{**SMALL, **wrong})
