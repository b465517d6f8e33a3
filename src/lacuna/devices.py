"""What every method that runs on torch needs to know of the machine: devices, threads, memory.

Importing this module loads no torch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lacuna.errors import DeviceOutOfMemoryError, DeviceUnavailableError, OptionError
from lacuna.sizing import mirror
from lacuna.threads import thread_count

if TYPE_CHECKING:
    import torch

PIP = 'pip install "lacuna[torch]"'
Precision = Literal["float32", "bfloat16", "float16"]


def missing() -> str | None:
    """Return None when torch and safetensors are installed, else what to install."""
    absent = [name for name in ("torch", "safetensors") if importlib.util.find_spec(name) is None]
    return f"it needs {' and '.join(absent)}; {PIP}" if absent else None


def choose_device(name: str) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    OptionError : not the name of a device.
    DeviceUnavailableError : not here.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or not (number == "" or number.isdecimal()):
        raise OptionError(f"device is {name!r}; expected auto, cpu, cuda, cuda:N or mps")
    count = {"cpu": 1, "cuda": torch.cuda.device_count() if cuda else 0, "mps": int(mps)}[kind]
    if int(number or 0) >= count:
        raise DeviceUnavailableError(f"device {name!r} is not here; use device='cpu' or 'auto'")
    return torch.device(name)


@contextmanager
def torch_threads() -> Iterator[None]:
    """Let torch use as many threads as Lacuna does, in this thread; the last bits of a result go by it."""
    import torch

    before = torch.get_num_threads()
    if before == thread_count():
        yield
        return
    torch.set_num_threads(thread_count())
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def memory_errors(where: str) -> Iterator[None]:
    """Turn what torch raises when memory runs out into an error that says what to do.

    Parameters
    ----------
    where : what ran out, such as ``method 'lama' on a frame of 512×512``.

    Raises
    ------
    DeviceOutOfMemoryError : memory ran out inside the ``with`` block.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise DeviceOutOfMemoryError(
                f"memory ran out in {where}; give a smaller picture, a smaller hole or a smaller context"
            ) from error
        raise


def as_tensor(array: Any, multiple: int, place: torch.device) -> Any:
    """Return a (1, C, H', W') tensor, mirrored outwards to multiples of a number."""
    import torch

    if array is None:
        return None
    height, width = array.shape[:2]
    below, right = -height % multiple, -width % multiple
    # 16 pixels at least: reflecting convolutions at 1/8 need two.
    below += multiple * (-(-max(16 - height - below, 0) // multiple))
    right += multiple * (-(-max(16 - width - right, 0) // multiple))
    wide = mirror(array, (height + below, width + right)).astype(np.float32)
    # (1, C, H', W'), channels last in memory as they came
    return torch.from_numpy(wide).permute(2, 0, 1)[None].to(place)
