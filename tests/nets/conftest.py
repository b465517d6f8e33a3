from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("torch") is None or find_spec("safetensors") is None:
    collect_ignore_glob = ["test_*.py"]  # networks are an extra
else:
    import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Random weights are the same in every run, and other tests' random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        yield


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tiny networks spend more time on starting threads than these save."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of fixtures made by published code."""
    folder = Path(os.environ.get("LACUNA_SHARED", ROOT.parent / "shared")) / "parity"
    if not folder.is_dir():
        pytest.skip(f"no fixtures at {folder}; LACUNA_SHARED names the folder that holds parity/")
    return folder


@pytest.fixture
def randomise() -> Callable[[Any], Any]:
    """Return ``randomise(net)``: evaluation mode, and batch norms whose statistics are not 0 and 1."""

    def apply(net: Any) -> Any:
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.1)
        return net.eval().requires_grad_(False)

    return apply
