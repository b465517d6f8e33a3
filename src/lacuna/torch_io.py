"""Checkpoints: the only file that opens foreign ones.

safetensors are read as they are; what ``torch.save`` wrote is read with ``weights_only=True``, so that no
code in it runs. Converters are pure functions from names and tensors to names and tensors. Loading is strict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from lacuna.errors import WeightsError, WeightsNotFoundError

State = dict[str, Tensor]
SUFFIX = ".safetensors"
_WRAPPERS = ("state_dict", "G", "generator", "netG", "model", "params", "params_ema", "net")
_PREFIXES = ("module.", "generator.", "netG.")
_SHOWN = 5


class Checkpoint(NamedTuple):
    """A state in our names, and what its file says about itself.

    Parameters
    ----------
    state : names and tensors.
    config : the arguments of the network, as far as the file tells them.
    """

    state: State
    config: dict[str, Any]


def read(path: str | Path) -> Checkpoint:
    """Read a checkpoint, foreign or our own, and give it our names.

    Raises
    ------
    WeightsNotFoundError : no such file.
    WeightsError : truncated, no checkpoint, or a pickle that holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFoundError(f"no weights at {path}")
    if _is_safetensors(path):
        state, config = _read_safetensors(path)
    else:
        state, config = tensors_of(_read_pickle(path), path), {}
    broken = [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise WeightsError(f"{path} holds values that are not finite, in {_some(broken)}")
    return Checkpoint(convert(state), config)


def save(net: nn.Module, path: str | Path, more: Mapping[str, str] | None = None) -> None:
    """Write a network as safetensors, with the arguments that rebuild it in the header.

    Parameters
    ----------
    net : a network of `lacuna.nets`, which has a ``config``.
    more : what else the header says; texts by names.
    """
    Path(path).write_bytes(dump(net, more))


def dump(net: nn.Module, more: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes that `save` writes; ``more`` goes into the header too."""
    state = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    return encode(state, {"lacuna.config": json.dumps(getattr(net, "config", {})), **(more or {})})


def encode(state: Mapping[str, Tensor], header: Mapping[str, str]) -> bytes:
    """Return safetensors: the same bytes for the same tensors and texts.

    The library writes several texts in an order that changes from call to call; here they are sorted.
    """
    data = to_bytes(dict(state), dict(header))
    length = int.from_bytes(data[:8], "little")
    told = json.loads(data[8 : 8 + length])
    told["__metadata__"] = dict(sorted(told["__metadata__"].items()))
    text = json.dumps(told, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def metadata(path: str | Path) -> dict[str, str]:
    """Return what the header of a safetensors file says beside its tensors; nothing for other files.

    Raises
    ------
    WeightsError : a damaged header.
    """
    if not _is_safetensors(Path(path)):
        return {}
    try:
        with safe_open(str(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no complete safetensors file: {error}; fetch it again") from error


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(9)
    return path.suffix == SUFFIX or head[8:9] == b"{"


def _read_safetensors(path: Path) -> tuple[State, dict[str, Any]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            config = json.loads((file.metadata() or {}).get("lacuna.config", "{}"))
            return {key: file.get_tensor(key) for key in file.keys()}, dict(config)  # noqa: SIM118 - no dict
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is no complete safetensors file: {error}; fetch it again") from error


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        begin = file.read(2)
    if not begin.startswith((b"PK", b"\x80")):  # of a zip archive, and of a pickle before torch 1.6
        raise WeightsError(f"{path} is no weights file of PyTorch: see what is in it, or fetch it again")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a foreign file makes torch raise is not listed anywhere
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} cannot be read safely: {reason} If it is a whole pickled object and you trust it, keep "
            "its tensors alone: state = torch.load(FILE, weights_only=False)['state_dict']; "
            "torch.save(dict(state), 'tensors.pt')"
        ) from error


def tensors_of(loaded: Any, path: str | Path = "the file") -> State:
    """Return the names and tensors of a checkpoint, whatever it is wrapped in.

    Raises
    ------
    WeightsError : there are none.
    """
    for _ in range(3):
        if not isinstance(loaded, Mapping):
            break
        if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
            return {str(key): value for key, value in loaded.items()}
        inner = next((loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    raise WeightsError(
        f"{path} holds no names and tensors; expected a state dict, perhaps under 'state_dict'"
    )


def convert(state: Mapping[str, Tensor]) -> State:
    """Give a foreign state our names; ours comes back as it is.

    Raises
    ------
    WeightsError : a constant of the published network has another value than the published one.
    """
    plain = strip_prefix(state)
    for known, converter in CONVERTERS:
        if known in plain:
            return converter(plain)
    return plain


def strip_prefix(state: Mapping[str, Tensor]) -> State:
    """Drop ``module.`` and ``generator.`` before names.

    A training checkpoint holds other networks beside the generator; these are left out.

    Examples
    --------
    >>> sorted(strip_prefix({"generator.model.1.bias": torch.ones(1), "loss.weight": torch.ones(1)}))
    ['model.1.bias']
    """
    current = dict(state)
    for prefix in _PREFIXES:
        cut = {key.removeprefix(prefix): value for key, value in current.items() if key.startswith(prefix)}
        current = cut or current
    return current


def from_deepfill_v2(state: Mapping[str, Tensor]) -> State:
    """Convert the published PyTorch port of DeepFill v2: ours but for the attention's constant kernel."""
    name = "stage2.contextual_attention.fuse_weight"
    kernel = state.get(name)
    if kernel is not None and not torch.equal(kernel, torch.eye(3).view(1, 1, 3, 3).to(kernel)):
        raise WeightsError(f"{name} is not the 3×3 identity; this checkpoint fuses its attention otherwise")
    return {key: value for key, value in state.items() if key != name}


def from_partial_conv(state: Mapping[str, Tensor]) -> State:
    """Convert the common PyTorch U-Net of partial convolutions: without its mask kernels, which are ones."""
    out = {}
    for key, value in state.items():
        if ".mask_conv." in key:
            if not (value == 1).all():
                raise WeightsError(f"{key} is not all ones; partial convolutions count valid pixels")
        else:
            out[key.replace(".input_conv.", ".")] = value
    return out


CONVERTERS: tuple[tuple[str, Callable[[Mapping[str, Tensor]], State]], ...] = (
    ("stage2.contextual_attention.fuse_weight", from_deepfill_v2),
    ("enc_1.conv.input_conv.weight", from_partial_conv),
)
"""A name that gives a foreign layout away, and its converter. big-lama needs its prefix dropped, no more."""


def load_strict(net: nn.Module, state: Mapping[str, Tensor], source: str | Path = "the state") -> None:
    """Put a state into a network; every name and shape must fit.

    Batch norm's counts of batches may be missing: nothing is computed from them.

    Raises
    ------
    WeightsError : lists missing, unexpected and misshapen names.
    """
    own = net.state_dict()
    optional = {key for key in own if key.endswith("num_batches_tracked")}
    missing = [key for key in own if key not in state and key not in optional]
    unexpected = [key for key in state if key not in own]
    misshapen = [
        f"{key} {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in state.items()
        if key in own and value.shape != own[key].shape
    ]
    problems = [
        f"{len(keys)} {word}: {_some(keys)}"
        for word, keys in (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
        if keys
    ]
    if problems:
        kind = type(net).__name__
        raise WeightsError(f"{source} does not fit {kind}: {'; '.join(problems)}")
    net.load_state_dict({**{key: own[key] for key in optional}, **state})


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
