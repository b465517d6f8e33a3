from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna import errors, onnx_io

onnx = pytest.importorskip("onnx")

GRAPH = "<ir_version: 9, opset_import: ['': %d]> g (%s) => (%s) { %s }"
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    onnx_io._load.cache_clear()
    yield
    onnx_io._load.cache_clear()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return ``write(inputs, outputs, nodes)``: a model in ONNX's text syntax becomes a file."""

    def make(
        inputs: str = "float[1,3,h,w] image, float[1,1,h,w] mask",
        outputs: str = "float[1,3,h,w] filled",
        nodes: str = "filled = Mul(image, mask)",
        opset: int = 17,
        name: str = "model.onnx",
    ) -> Path:
        text = (GRAPH % (opset, inputs, outputs, nodes)).replace("'", '"')
        onnx.save(onnx.parser.parse_model(text), tmp_path / name)
        return tmp_path / name

    return make


def ones(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.ones(shape, dtype)


def test_a_model_tells_what_it_takes_and_runs(write: Write) -> None:
    model = onnx_io.load(
        write(
            "uint8[1,n,w,3] image, float16[1] gain",
            "float[1,?,4] y",
            "y0 = Cast<to = 1>(image) c = Constant<value = int64[3] {1, -1, 4}>() y = Reshape(y0, c)",
        )
    )
    assert list(map(str, model.inputs)) == ["image (uint8 1×?×?×3)", "gain (float16 1)"]
    assert model.outputs[0].shape == (1, None, 4)
    assert model.device == "cpu" or model.device.startswith("cuda")
    out = model({"image": ones(1, 2, 4, 3, dtype=np.uint8), "gain": ones(1, dtype=np.float16)})
    assert out["y"].shape == (1, 6, 4)
    assert out["y"].dtype == np.float32


def test_it_is_loaded_once_and_again_when_the_file_changes(write: Write) -> None:
    path = write()
    first = onnx_io.load(path)
    assert onnx_io.load(str(path)) is first
    time.sleep(0.01)
    write(nodes="filled = Add(image, mask)")
    os.utime(path)
    second = onnx_io.load(path)
    feeds = {"image": ones(1, 3, 2, 2), "mask": ones(1, 1, 2, 2)}
    assert (first(feeds)["filled"] == 1).all()
    assert (second(feeds)["filled"] == 2).all()


def test_the_thread_count_is_lacunas(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write()
    monkeypatch.setenv("LACUNA_THREADS", "1")
    one = onnx_io.load(path)
    assert one._session.get_session_options().intra_op_num_threads == 1
    monkeypatch.setattr(onnx_io, "thread_count", lambda: 2)
    assert onnx_io.load(path)._session.get_session_options().intra_op_num_threads == 2
    monkeypatch.undo()
    monkeypatch.setenv("LACUNA_THREADS", "many")
    with pytest.raises(errors.OptionError, match="LACUNA_THREADS"):
        onnx_io.load(path)


def test_arrays_in_any_memory_order_and_several_threads(write: Write) -> None:
    model = onnx_io.load(write())
    image = np.random.default_rng(1).random((1, 5, 4, 3), dtype=np.float32).transpose(0, 3, 1, 2)
    feeds = {"image": image, "mask": ones(1, 1, 5, 4)}
    with ThreadPoolExecutor(4) as pool:
        for out in pool.map(lambda _: model(feeds)["filled"], range(8)):
            assert np.array_equal(out, image)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[: len(data) // 2], "truncated"),
        (lambda data: b"", "fetch it again"),
        (lambda data: b"<html>not found</html>", "fetch it again"),
    ],
)
def test_files_that_are_no_model(write: Write, spoil: Callable[[bytes], bytes], words: str) -> None:
    path = write()
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(errors.WeightsError, match=words) as caught:
        onnx_io.load(path)
    assert "onnxruntime_src" not in str(caught.value)


def test_models_that_cannot_run_here(write: Write, tmp_path: Path) -> None:
    with pytest.raises(errors.WeightsError, match=r"[Oo]pset 99.*newer onnxruntime.*older opset"):
        onnx_io.load(write(opset=99))
    with pytest.raises(errors.WeightsError, match=r"Sorcery.*operators that onnxruntime has"):
        onnx_io.load(write(nodes="filled = Sorcery(image, mask)"))
    with pytest.raises(errors.WeightsNotFoundError, match=r"no weights at .*none\.onnx"):
        onnx_io.load(tmp_path / "none.onnx")


def test_tensors_in_another_file(write: Write, tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(ones(3, 1, 1), "k")
    model = onnx.load(write(nodes="filled = Mul(image, k)"))
    model.graph.initializer.append(weight)
    onnx.save_model(
        model, tmp_path / "two.onnx", save_as_external_data=True, location="two.data", size_threshold=0
    )
    onnx_io.load(tmp_path / "two.onnx")
    (tmp_path / "two.data").unlink()
    os.utime(tmp_path / "two.onnx")
    with pytest.raises(errors.WeightsError, match="make it one"):
        onnx_io.load(tmp_path / "two.onnx")


def test_arrays_that_do_not_fit(write: Write) -> None:
    model = onnx_io.load(write())
    with pytest.raises(errors.MethodError, match=r"image \(float32 1×3×\?×\?\).*failed on image.*1, 4, 5, 5"):
        model({"image": ones(1, 4, 5, 5), "mask": ones(1, 1, 5, 5)})
    with pytest.raises(errors.MethodError, match="float64"):
        model({"image": ones(1, 3, 5, 5, dtype=np.float64), "mask": ones(1, 1, 5, 5)})
    with pytest.raises(errors.MethodError, match="mask"):
        model({"image": ones(1, 3, 5, 5)})


def test_memory_that_runs_out(write: Write) -> None:
    big = "n = Constant<value = int64[3] {70000, 70000, 700}>() z = Expand(image, n) y = ReduceSum(z)"
    with pytest.raises(errors.DeviceOutOfMemoryError, match="smaller picture"):
        onnx_io.load(write("float[1] image", "float[?,?,?] y", big))({"image": ones(1)})


def test_devices(write: Write) -> None:
    path = write()
    assert onnx_io.load(path, "cpu").device == "cpu"
    for name in ("gpu", "cpu:1", "cuda:x", "coreml:0"):
        with pytest.raises(errors.OptionError, match="expected auto, cpu, cuda"):
            onnx_io.load(path, name)
    import onnxruntime

    here = onnxruntime.get_available_providers()
    for name, provider in (("cuda", "CUDAExecutionProvider"), ("coreml", "CoreMLExecutionProvider")):
        if provider not in here:
            with pytest.raises(errors.DeviceUnavailableError, match=provider):
                onnx_io.load(path, name)


def test_a_device_that_fails_is_not_replaced_in_silence(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_io, "choose_device", lambda name: "coreml")
    import onnxruntime

    plain = onnxruntime.InferenceSession

    def fallen(path: str, options: Any, providers: Any) -> Any:
        return plain(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen)
    with pytest.raises(errors.DeviceUnavailableError, match="not usable here"):
        onnx_io.load(write(), "coreml")


def test_it_stops_within_a_layer_or_two(write: Write) -> None:
    steps = " ".join(f"t{i + 1} = MatMul(t{i}, t{i})" for i in range(3000))
    model = onnx_io.load(write("float[512,512] t0", "float[512,512] t3000", steps))
    before = threading.active_count()
    calls: list[float] = []

    def stop(share: float, words: str) -> None:
        calls.append(time.perf_counter())
        if len(calls) == 2:
            raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled):
        model({"t0": np.zeros((512, 512), np.float32)}, on_step=stop)
    assert time.perf_counter() - calls[-1] < 0.5
    assert calls[1] - calls[0] < 0.5
    deadline = time.perf_counter() + 2  # the run itself ends too: nobody's cores are kept busy
    while threading.active_count() > before and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_without_onnxruntime_the_pip_line_is_given(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.MissingDependencyError, match="pip install onnxruntime"):
        onnx_io.load("any.onnx")


def test_importing_it_loads_neither_onnxruntime_nor_torch() -> None:
    code = "import sys, lacuna.onnx_io; print({'onnxruntime', 'torch', 'numba'} & set(sys.modules))"
    where = {"PYTHONPATH": str(Path(onnx_io.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    assert done.stdout.strip() == "set()"
