"""ONNX models: what they take and give, and runs at the thread count and on the device that Lacuna names.

No pictures here: arrays in, arrays out. Sessions are kept, so that many small fills load a model once.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import (
    DeviceOutOfMemoryError,
    DeviceUnavailableError,
    MethodError,
    MissingDependencyError,
    OptionError,
    WeightsError,
    WeightsNotFoundError,
)
from lacuna.progress import run_interruptible
from lacuna.threads import thread_count
from lacuna.types import OnStep

SUFFIX = ".onnx"
KEPT = 4
"""Sessions that stay loaded."""

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_SILENT = 4  # errors come as exceptions; onnxruntime would print them as well


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Parameters
    ----------
    name : as the file says it.
    dtype : numpy's name, or onnxruntime's (``tensor(bfloat16)``) where numpy has none.
    shape : one number an axis; None is any size.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sides = "×".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} ({self.dtype} {sides or 'scalar'})"


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model; several threads may call it at once.

    Parameters
    ----------
    path : its file.
    inputs, outputs : in the file's order.
    device : ``cpu``, ``cuda:0`` … or ``coreml``: where it runs.
    """

    path: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    device: str
    _session: Any = field(repr=False)

    def __call__(
        self, feeds: Mapping[str, NDArray[Any]], *, on_step: OnStep | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run it.

        Parameters
        ----------
        feeds : one array an input, of its dtype.
        on_step : asked ten times a second; what it raises stops the run at the next layer.

        Returns
        -------
        One array an output.

        Raises
        ------
        MethodError : the model refuses the arrays, or fails on them.
        DeviceOutOfMemoryError : memory ran out.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = _SILENT
        given = {name: np.ascontiguousarray(array) for name, array in feeds.items()}

        def work() -> dict[str, NDArray[Any]]:
            try:
                arrays = self._session.run(None, given, options)
            except Exception as error:  # onnxruntime's exceptions have no common base
                raise self._explained(error, given) from error
            return {port.name: array for port, array in zip(self.outputs, arrays, strict=True)}

        try:
            return run_interruptible(work, on_step, "predicting")
        except BaseException:
            options.terminate = True  # whoever stops waiting stops the work as well
            raise

    def _explained(self, error: Exception, given: Mapping[str, NDArray[Any]]) -> Exception:
        reason = _reason(error)
        sizes = ", ".join(f"{name} ({array.dtype} {array.shape})" for name, array in given.items())
        if re.search("bad alloc|bad_alloc|allocate|out of memory", reason.lower()) or isinstance(
            error, MemoryError
        ):
            return DeviceOutOfMemoryError(
                f"memory ran out in {self.path.name} on {sizes}; give a smaller picture, a smaller hole or a "
                "smaller context"
            )
        wanted = ", ".join(map(str, self.inputs))
        return MethodError(f"{self.path.name} takes {wanted} and failed on {sizes}: {reason}")


def missing() -> str | None:
    """Return None when onnxruntime is installed, else what to install."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "it needs onnxruntime; pip install onnxruntime"
    return None


def load(path: str | Path, device: str = "auto") -> Model:
    """Return a model, ready to run; the same file on the same device is loaded once.

    Parameters
    ----------
    device : ``auto`` (CUDA if onnxruntime has it here, else the CPU), ``cpu``, ``cuda``, ``cuda:N`` or
        ``coreml``.

    Raises
    ------
    WeightsNotFoundError : no such file.
    WeightsError : truncated, no ONNX model, or one that this onnxruntime cannot run.
    DeviceUnavailableError : the device is not here.
    OptionError : not the name of a device.
    """
    reason = missing()
    if reason is not None:
        raise MissingDependencyError(f"ONNX models cannot run here: {reason}")
    path = Path(path).expanduser().absolute()
    try:
        facts = path.stat()
    except OSError as error:
        raise WeightsNotFoundError(f"no weights at {path}") from error
    # Size and time are part of the key: a file that was replaced is loaded again.
    return _load(path, (facts.st_mtime_ns, facts.st_size), choose_device(device), thread_count())


def choose_device(name: str) -> str:
    """Return ``cpu``, ``cuda:N`` or ``coreml``.

    Core ML is taken only if it is asked for: models of which it runs a part alone become slower by it.
    """
    import onnxruntime

    here = onnxruntime.get_available_providers()
    if name == "auto":
        return "cuda:0" if "CUDAExecutionProvider" in here else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "coreml") or (number and (kind != "cuda" or not number.isdecimal())):
        raise OptionError(f"device is {name!r}; expected auto, cpu, cuda, cuda:N or coreml")
    wanted = {"cpu": "CPU", "cuda": "CUDA", "coreml": "CoreML"}[kind] + "ExecutionProvider"
    if wanted not in here:
        how = "; pip install onnxruntime-gpu" if kind == "cuda" else ""
        raise DeviceUnavailableError(
            f"device {name!r}: the onnxruntime here has no {wanted}; use device='cpu' or 'auto'{how}"
        )
    return f"cuda:{int(number or 0)}" if kind == "cuda" else kind


@lru_cache(maxsize=KEPT)
def _load(path: Path, version: tuple[int, int], device: str, threads: int) -> Model:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = _SILENT
    # Threads that wait for the next layer in a loop would take the cores from everything else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    kind, _, number = device.partition(":")
    if kind == "cuda":
        # HEURISTIC: the fastest algorithm of a trial differs from run to run, and so do the last bits.
        how = {"device_id": int(number), "cudnn_conv_algo_search": "HEURISTIC"}
        providers.insert(0, ("CUDAExecutionProvider", how))
    elif kind == "coreml":
        providers.insert(0, "CoreMLExecutionProvider")
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise WeightsError(f"{path} cannot be loaded: {_reason(error)}; {_advice(error)}") from error
    if kind != "cpu" and len(session.get_providers()) < len(providers):
        # onnxruntime goes on with the CPU in silence when a driver or a library is missing.
        raise DeviceUnavailableError(f"device {device!r} is not usable here; use device='cpu'")
    inputs, outputs = (tuple(map(_port, side)) for side in (session.get_inputs(), session.get_outputs()))
    return Model(path, inputs, outputs, device, session)


def _port(arg: Any) -> Port:
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in arg.shape)
    return Port(arg.name, _DTYPES.get(arg.type, arg.type), shape)


def _reason(error: Exception) -> str:
    """Return what onnxruntime says, without its own prefixes, files and line numbers."""
    words = str(error).split("failed:", 1)[-1]
    words = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", words.strip())
    words = re.sub(r"^/?\S+\.(?:h|cc|cpp):\d+ .*?(?:\)|\bwas false\.?|\]) (?=[A-Z])", "", words)
    return " ".join(words.split()).rstrip(".")[:400] or type(error).__name__


def _advice(error: Exception) -> str:
    words = str(error).lower()
    if "opset" in words or "ir version" in words or "ir_version" in words:
        return "install a newer onnxruntime, or export the model again with an older opset"
    if "protobuf" in words or "no graph" in words:
        return "it is truncated or no ONNX model: fetch it again"
    if "external data" in words or "initializer" in words:
        return "if its tensors lie in other files, make it one: onnx.save_model(onnx.load(FILE), NEW)"
    return "export it again with operators that onnxruntime has"
