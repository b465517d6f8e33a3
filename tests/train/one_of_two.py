"""One process of `test_processes`: write the gradients of first steps. Run with RANK and WORLD_SIZE set."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lacuna.train import recipe as recipes
from lacuna.train import setup
from lacuna.train.recipe import Recipe


def gradients(recipe: Recipe, folder: Path) -> tuple[bool, dict[str, torch.Tensor]]:
    """Return whether this process is the main one, and the gradients after averaging."""
    run = setup.prepare(recipe, folder)
    run.set_rates()
    for module in run.nets["net"].modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # it mixes the samples of a batch, which two processes do not share
    torch.manual_seed(1)
    samples = run.samples(run.batches.get(*run.wanted(0)))
    found = {}
    for turn in run.task.turns(0):
        terms = run.task.losses(turn, samples)
        run.accelerator.backward(torch.stack(list(terms.values())).sum())
        run.average_gradients(turn)
        for name, parameter in run.nets[turn].named_parameters():
            if parameter.grad is not None:
                found[f"{turn}.{name}"] = parameter.grad.clone().contiguous()
        for net in run.nets.values():
            net.zero_grad(set_to_none=True)
    return run.main, found


def main() -> None:
    """Take a folder and recipes; write N.safetensors for each."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for number, values in enumerate(json.loads(sys.argv[2])):
        main_one, found = gradients(recipes.parse(values), folder)
        if main_one:
            save_file(found, folder / f"{number}.safetensors")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    # All is written. Threads that gloo leaves behind abort the interpreter's exit now and then.
    os._exit(0)


if __name__ == "__main__":
    main()
