"""The net that Lacuna brings along for `ddpm` and `repaint`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open

from lacuna import weights
from lacuna.diffusion import Noise, cosine, denoiser
from lacuna.nets.loading import load
from lacuna.train import recipe as recipes
from lacuna.train.denoising import facts
from lacuna.train.tasks import task_of

FILE = Path(weights.__file__).parent / "ddpm-64.safetensors"
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_it_is_small_and_of_its_recipe() -> None:
    assert FILE.stat().st_size <= 16e6
    kind, net = load(FILE)
    assert kind == "guided-diffusion"
    assert sum(p.numel() for p in net.parameters()) <= 8e6
    recipe = recipes.read(recipes.find("ddpm-small"))
    with torch.device("meta"):
        assert task_of(recipe).nets["net"].config == net.config
    with safe_open(str(FILE), framework="pt") as file:
        assert json.loads(file.metadata()["lacuna.diffusion"]) == facts(recipe)
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118


def test_it_finds_photos_under_noise() -> None:
    """On photos of this repository, about as well as on those that were kept out of its training."""
    net, schedule = load(FILE)[1], cosine()
    photos = []
    for file in sorted(EXAMPLES.glob("*.jpg")):
        square = cv2.imread(str(file))[:, :, ::-1][:400, :400]
        photos.append(cv2.resize(square, (64, 64), interpolation=cv2.INTER_AREA) / np.float32(127.5) - 1)
    clean = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2)
    assert len(clean) >= 3
    denoise = denoiser(net, schedule, says="velocity")
    noise = Noise.seeded(0, len(clean))(clean)
    for time, most in ((100, 0.009), (300, 0.03), (500, 0.06)):  # twice the card's figures
        left = schedule.at(time)
        found = denoise(left**0.5 * clean + (1 - left) ** 0.5 * noise, time).clean
        assert float(((found - clean) ** 2).mean()) < most
