"""Weights that leave a run: one file, halved, with all that a method must know in its header."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from lacuna import torch_io
from lacuna.errors import WeightsError
from lacuna.image.delivery import write_file

_MOST = torch.finfo(torch.float16).max


def pack(source: Path, target: Path, *, half: bool) -> int:
    """Copy weights that a run wrote, header included.

    Parameters
    ----------
    half : store float16 in place of float32; about 5e-4 of each value is lost, and half of the bytes.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    WeightsError : not such a file, or values that half precision cannot hold.
    OutputError : it cannot be written.
    """
    try:
        with safe_open(str(source), framework="pt") as file:
            header = dict(file.metadata() or {})
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{source} is no safetensors file that a run wrote: {error}") from error
    if half:
        large = [
            key for key, value in state.items() if value.is_floating_point() and value.abs().max() > _MOST
        ]
        if large:
            raise WeightsError(
                f"{source} holds values beyond half precision, in {large[0]}; leave out --half"
            )
        state = {k: v.half() if v.dtype == torch.float32 else v for k, v in state.items()}
    data = torch_io.encode(state, header)
    write_file(target, data)
    return len(data)
