from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from lacuna import torch_io
from lacuna.nets import partial_conv
from lacuna.nets.partial_conv import PartialConv2d, PartialConvUNet, count_valid


def naive(x: Any, mask: Any, layer: PartialConv2d) -> tuple[Any, Any]:
    """The paper's equation, position by position; mask (B, C, H, W)."""
    weight, bias = layer.weight, layer.bias
    k, s, p, d = layer.box
    x, mask = F.pad(x, (p, p, p, p)), F.pad(mask, (p, p, p, p))
    reach = d * (k - 1) + 1
    rows, columns = ((n - reach) // s + 1 for n in x.shape[-2:])
    y, seen = torch.zeros(len(x), layer.out_channels, rows, columns), torch.zeros(len(x), 1, rows, columns)
    for b in range(len(x)):
        for i in range(rows):
            for j in range(columns):
                at = (b, slice(None), slice(i * s, i * s + reach, d), slice(j * s, j * s + reach, d))
                total = mask[at].sum()
                if total > 0:
                    factor = k * k * layer.in_channels / total if layer.convention == "authors" else 1 / total
                    y[b, :, i, j] = (weight * (x[at] * mask[at])).sum((1, 2, 3)) * factor + bias
                    seen[b, 0, i, j] = 1
    return y, seen


def ones_layer(**how: Any) -> PartialConv2d:
    layer = PartialConv2d(1, 1, 3, padding=1, **how)
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.constant_(layer.bias, 0.5)
    return layer


def test_a_five_by_five_example() -> None:
    """One valid pixel of value 2: its neighbours see 2 · 9 / 1 + 0.5 each, all others nothing at all."""
    x, mask = torch.full((1, 1, 5, 5), 7.0), torch.zeros(1, 1, 5, 5)
    x[..., 2, 2], mask[..., 2, 2] = 2, 1
    ring = F.pad(torch.ones(3, 3), (1, 1, 1, 1))
    for convention, value in (("authors", 18.5), ("port", 2.5)):
        y, seen = ones_layer(convention=convention)(x, mask)
        assert torch.equal(seen[0, 0], ring)
        assert torch.equal(y[0, 0], ring * value)


def test_the_hole_shrinks_ring_by_ring() -> None:
    layer, mask = ones_layer(), torch.ones(1, 1, 9, 9)
    mask[..., 1:8, 1:8] = 0
    left = []
    for _ in range(4):
        mask = layer(mask, mask)[1]
        left.append(int((mask == 0).sum()))
    assert left == [25, 9, 1, 0]


@pytest.mark.parametrize("convention", ["authors", "port"])
@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (5, 2, 2, 1), (3, 1, 2, 2), (7, 2, 0, 1), (3, 2, 5, 1)])
@pytest.mark.parametrize("shared", [True, False])
def test_it_is_the_equation(convention: Any, shape: tuple[int, ...], shared: bool) -> None:
    kernel, stride, padding, dilation = shape
    layer = PartialConv2d(3, 2, kernel, stride, padding, dilation, convention=convention)
    x = torch.randn(2, 3, 11, 9)
    mask = (torch.rand(2, 1 if shared else 3, 11, 9) > 0.7).float()
    mask[:, :, :7, :7] = 0  # wide enough for an output that sees nothing, whatever the kernel
    expected, covered = naive(x, mask.expand(-1, 3, -1, -1), layer)
    y, seen = layer(x, mask)
    assert seen.shape[1] == (1 if shared else 2)
    assert torch.equal(seen[:, :1], covered)
    assert not covered.all()
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)


def test_what_lies_under_the_hole_is_ignored() -> None:
    layer, x, mask = PartialConv2d(2, 3, 3, padding=1), torch.randn(1, 2, 6, 6), torch.ones(1, 1, 6, 6)
    mask[..., 2:4, 2:4] = 0
    other = torch.where(mask > 0, x, 1e3)
    assert torch.equal(layer(x, mask)[0], layer(other, mask)[0])


def test_without_a_hole_it_is_a_convolution() -> None:
    layer, x = PartialConv2d(2, 3, 3), torch.randn(1, 2, 6, 6)
    torch.testing.assert_close(layer(x, torch.ones(1, 1, 6, 6))[0], torch.nn.Conv2d.forward(layer, x))


def test_a_boolean_mask_and_one_for_the_whole_batch() -> None:
    layer, x, mask = PartialConv2d(2, 3, 3), torch.randn(4, 2, 6, 6), torch.rand(1, 1, 6, 6) > 0.5
    for one, whole in zip(layer(x, mask), layer(x, mask.float().expand(4, -1, -1, -1)), strict=True):
        torch.testing.assert_close(one.expand_as(whole), whole)


def test_half_precision_counts_stay_exact() -> None:
    valid = torch.full((1, 1, 9, 9), 1023.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for dilation in (1, 2):
            assert count_valid(valid, 3, dilation=dilation).max() == 9 * 1023
        y, seen = PartialConv2d(4, 2, 3)(torch.randn(1, 4, 9, 9), torch.ones(1, 1, 9, 9))
    assert y.dtype == torch.bfloat16
    assert seen.dtype == torch.float32


def test_gradients() -> None:
    layer = PartialConv2d(2, 2, 3, 1, 1).double()
    mask = torch.ones(1, 1, 5, 5, dtype=torch.double)
    mask[..., :4, :4] = 0
    x = torch.randn(1, 2, 5, 5, dtype=torch.double, requires_grad=True)

    def run(x: Any, weight: Any, bias: Any) -> Any:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x, mask))[0]

    assert torch.autograd.gradcheck(run, (x, layer.weight, layer.bias))


def reference_unet(state: dict[str, Any], levels: int, image: Any, mask: Any) -> Any:
    """The common PyTorch U-Net with masks repeated per channel and counted by convolutions with ones."""

    def block(name: str, x: Any, m: Any, stride: int, slope: float | None) -> tuple[Any, Any]:
        weight, bias = state[f"{name}.conv.input_conv.weight"], state.get(f"{name}.conv.input_conv.bias")
        pad = weight.shape[-1] // 2
        y = F.conv2d(x * m, weight, None, stride, pad)
        count = F.conv2d(m, state[f"{name}.conv.mask_conv.weight"], None, stride, pad)
        empty = count == 0
        y = y / count.masked_fill(empty, 1)
        y = (y if bias is None else y + bias[:, None, None]).masked_fill(empty, 0)
        if f"{name}.bn.weight" in state:
            facts = [state[f"{name}.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
            y = F.batch_norm(y, *facts)
        return (y if slope is None else F.leaky_relu(y, slope)), (~empty).float()

    stack = [(image, mask.expand(-1, 3, -1, -1))]
    for i in range(1, levels + 1):
        stack.append(block(f"enc_{i}", *stack[-1], 2, 0.0))
    x, m = stack[-1]
    for i in range(levels, 0, -1):
        x, m = (F.interpolate(t, scale_factor=2, mode="nearest") for t in (x, m))
        x, m = (torch.cat([mine, skip], 1) for mine, skip in zip((x, m), stack[i - 1], strict=True))
        x, m = block(f"dec_{i}", x, m, 1, 0.2 if i > 1 else None)
    return x


@pytest.mark.parametrize(("levels", "size"), [(4, (48, 32)), (5, (64, 32)), (7, (128, 128))])
def test_the_unet_is_the_port(levels: int, size: tuple[int, int], randomise: Callable[[Any], Any]) -> None:
    net = randomise(PartialConvUNet(4, levels))
    foreign = {key.replace(".conv.", ".conv.input_conv."): v for key, v in net.state_dict().items()}
    for key, value in list(foreign.items()):
        if key.endswith("input_conv.weight"):
            foreign[key.replace("input_conv", "mask_conv")] = torch.ones_like(value)
    image, mask = torch.randn(2, 3, *size), torch.ones(2, 1, *size)
    mask[0, :, 5:40, 3:25] = 0
    mask[1, :, ::3] = 0
    expected = reference_unet(foreign, levels, image, mask)

    converted = torch_io.convert(foreign)
    again = PartialConvUNet(**PartialConvUNet.config_of(converted)).eval()
    torch_io.load_strict(again, converted)
    out = again(image, mask)
    torch.testing.assert_close(out.image, expected, rtol=1e-4, atol=1e-5)
    assert [tuple(m.shape[-2:]) for m in out.masks] == [
        (size[0] >> i, size[1] >> i) for i in range(levels + 1)
    ]


def test_frozen_norms_stay_frozen() -> None:
    net = PartialConvUNet(4, 4)
    net.freeze_encoder_norm()
    net.train()
    assert not net.enc_2.bn.training
    assert net.dec_2.bn.training
    before = net.enc_2.bn.running_mean.clone()
    net(torch.randn(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    assert torch.equal(net.enc_2.bn.running_mean, before)
    net.freeze_encoder_norm(False)
    assert net.enc_2.bn.training


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = PartialConvUNet()
    assert net.channels == [3, 64, 128, 256, 512, 512, 512, 512]
    with pytest.raises(ValueError, match="levels is 3"):
        PartialConvUNet(4, 3)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("convention", ["authors", "port"])
@pytest.mark.parametrize("kind", ["shared", "per channel", "one for the batch", "counted"])
def test_its_own_gradient_is_the_recorded_one(
    stride: int, convention: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = PartialConv2d(3, 4, 3, stride, 1, convention=convention).double()
    x = torch.randn(2, 3, 7, 9, dtype=torch.float64, requires_grad=True)
    channels = 3 if kind == "per channel" else 1
    mask = (torch.rand(1 if kind == "one for the batch" else 2, channels, 7, 9) > 0.6).double()
    counted = kind == "counted"

    def run(x: Any, weight: Any, bias: Any) -> Any:
        given = x * mask if counted else x
        how = {"weight": weight, "bias": bias}
        return torch.func.functional_call(
            layer, how, (given, 3 * mask if counted else mask), {"counted": counted}
        )[0]

    inputs = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(run, inputs)
    slope = torch.randn_like(run(*inputs))
    ours = torch.autograd.grad(run(*inputs), inputs, slope)
    monkeypatch.setattr(partial_conv, "_trains", lambda *given: False)
    for own, recorded in zip(ours, torch.autograd.grad(run(*inputs), inputs, slope), strict=True):
        torch.testing.assert_close(own, recorded)


def test_gradients_reach_only_what_wants_them() -> None:
    layer = PartialConv2d(3, 4, 3, padding=1, bias=False)
    x, mask = torch.randn(1, 3, 6, 6), torch.ones(1, 1, 6, 6)
    layer(x, mask)[0].sum().backward()
    assert layer.weight.grad is not None
    frozen = PartialConv2d(3, 4, 3, padding=1).requires_grad_(False)
    x.requires_grad_()
    frozen(x, mask)[0].sum().backward()
    assert x.grad is not None
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, mask)[0]
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
