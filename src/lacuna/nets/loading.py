"""From a checkpoint to a network: which one it is, how large, and the strict load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lacuna import torch_io
from lacuna.errors import WeightsError
from lacuna.nets.context_encoder import ContextEncoder
from lacuna.nets.contextual_attention import DeepFillV1
from lacuna.nets.gated_conv import DeepFillV2
from lacuna.nets.guide import GuideNet
from lacuna.nets.guided_diffusion import GuidedDiffusionUNet
from lacuna.nets.lama import Lama
from lacuna.nets.partial_conv import PartialConvUNet
from lacuna.nets.pen_net import PENNet

NETS: dict[str, Any] = {
    "partial-conv": PartialConvUNet,
    "gated-conv": DeepFillV2,
    "contextual-attention": DeepFillV1,
    "lama": Lama,
    "context-encoder": ContextEncoder,
    "pen-net": PENNet,
    "guide": GuideNet,
    "guided-diffusion": GuidedDiffusionUNet,
}
"""The generator of each method, and two that are no methods: `GuideNet`, trained and exported, and the
UNet that `lacuna.diffusion` samples from."""

# A name that no other network has.
_MARKS = {
    "enc_1.conv.weight": "partial-conv",
    "stage1.conv1.conv.weight": "gated-conv",
    "coarse.encoder.0.0.weight": "contextual-attention",
    "model.1.ffc.convl2l.weight": "lama",
    "model.13.body.0.convs.0.weight": "lama",
    "bottleneck.0.weight": "context-encoder",
    "attention.0.branches.0.0.weight": "pen-net",
    "stem.conv.weight": "guide",
    "time_embed.0.weight": "guided-diffusion",
}


def identify(state: Mapping[str, Tensor]) -> str | None:
    """Return the method whose network a state belongs to, or None."""
    return next((method for mark, method in _MARKS.items() if mark in state), None)


def load(
    path: str | Path, method: str | None = None, *, more: Mapping[str, Any] | None = None
) -> tuple[str, nn.Module]:
    """Read a checkpoint and build the network that it is for, ready to predict.

    Parameters
    ----------
    method : what it is expected to be; None takes whatever it is.
    more : arguments of the network that foreign files do not tell, such as ``head`` of guided-diffusion.

    Returns
    -------
    The name of the method and the network, in evaluation mode, without gradients.

    Raises
    ------
    WeightsNotFoundError : no such file.
    WeightsError : no network of ours, another one than expected, or one that does not fit.
    """
    state, told = torch_io.read(path)
    kind = identify(state)
    if kind is None:
        names = ", ".join(list(state)[:3]) or "none"
        raise WeightsError(f"{path} is of no network that Lacuna has; its first names are: {names}")
    if method is not None and kind != method:
        raise WeightsError(f"{path} holds weights of {kind!r}, not of {method!r}")
    try:
        config = NETS[kind].config_of(state)
        net: nn.Module = NETS[kind](**{**told, **(more or {}), **config})
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise WeightsError(f"{path} looks like weights of {kind!r}, but is incomplete: {error}") from error
    torch_io.load_strict(net, state, path)
    return kind, net.eval().requires_grad_(False)
