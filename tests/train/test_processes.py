from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import lacuna
from lacuna.train import recipe as recipes
from lacuna.train.recipe import Recipe

SCRIPT = Path(__file__).with_name("one_of_two.py")


def in_two_processes(several: list[Recipe], folder: Path) -> list[dict[str, Any]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(lacuna.__file__).parent.parent),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
    }
    values = json.dumps([recipes.as_dict(recipe) for recipe in several])
    running = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), values],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    told = [one.communicate(timeout=100)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0], "\n".join(told)
    return [load_file(folder / f"{number}.safetensors") for number in range(len(several))]


@pytest.mark.timeout(200)
def test_two_processes_give_the_gradients_of_one_with_twice_the_batch(tiny: Any, tmp_path: Path) -> None:
    plain = {
        "net": {"kind": "partial-conv", "options": {"width": 4, "levels": 4}},
        "critic": {},
        "losses": {"hole": 6.0, "valid": 1.0, "variation": 0.1},
    }
    options = {"width": 32, "multiples": [1, 1], "blocks": 1, "attention": [1], "head": 32}
    noisy = {
        "task": "diffusion",  # draws times and noise
        "net": {"kind": "guided-diffusion", "options": options},
        "critic": {},
        "losses": {},
    }
    changes: list[dict[str, Any]] = [{}, plain, noisy]
    gradients = runpy.run_path(str(SCRIPT))["gradients"]
    ones = [gradients(tiny(**more, data__batch=4), tmp_path)[1] for more in changes]
    twos = in_two_processes([tiny(**more, data__batch=2) for more in changes], tmp_path)
    for one, two in zip(ones, twos, strict=True):
        assert one.keys() == two.keys()
        assert max(float(value.abs().max()) for value in one.values()) > 1e-2
        for name, value in one.items():
            assert float((value - two[name]).abs().max()) < 1e-5, name
