"""A denoising net on a device: known pixels and seeds in, whole pictures out. Tensors only."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from lacuna.devices import Precision
from lacuna.diffusion import Conditioning, Noise, Schedule, cosine, denoiser, linear, sample
from lacuna.diffusion.conditioning import calls
from lacuna.diffusion.graphs import Network, captured
from lacuna.diffusion.sampling import Step
from lacuna.diffusion.schedules import of_betas
from lacuna.nets.denoising import Denoising, DiffusionFacts
from lacuna.progress import note, report
from lacuna.types import OnStep

WORTH_A_GRAPH = 20
"""Calls of one shape from which on a CUDA graph saves more time than its capture takes."""

Condition = Callable[[Tensor, Tensor], Conditioning]
"""``(known, hole) → Conditioning``: what a method makes of known pixels."""


def schedule_of(facts: DiffusionFacts) -> Schedule:
    """Return the schedule that a net was trained with."""
    if facts.schedule == "cosine":
        return cosine(facts.steps)
    if facts.schedule == "scaled-linear":
        return of_betas(np.linspace(facts.first**0.5, facts.last**0.5, facts.steps) ** 2)
    if (facts.first, facts.last) == (1e-4, 0.02):
        return linear(facts.steps)
    return of_betas(np.linspace(facts.first, facts.last, facts.steps))


@dataclass(frozen=True, eq=False)
class Sampler:
    """A net, ready to draw.

    Parameters
    ----------
    model : the net in float32 and how it was trained; moved to the device when it is used there.
    place : where it runs.
    precision : of the net; the steps are always float32.
    graphs : replay CUDA graphs, where there are any and it is worth it.
    """

    model: Denoising
    place: torch.device
    precision: Precision = "float32"
    graphs: bool = True
    _nets: dict[str, nn.Module] = field(default_factory=dict, init=False)
    _captured: dict[tuple[str, tuple[int, ...]], Network] = field(default_factory=dict, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def draw(
        self,
        known: Tensor,
        hole: Tensor,
        noise: Noise,
        *,
        steps: int,
        condition: Condition | None = None,
        step: Step | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Return pictures that agree with the known pixels, one for each generator of the noise.

        Parameters
        ----------
        known : (1 or B, 3, H, W), −1 … 1, sides multiples of the net's. What lies in the hole is ignored.
        hole : (1 or B, 1, H, W), bool. True is missing.
        noise : one generator for each of B pictures; the same generators give the same pictures.
        steps : T, 1 to the steps of the training.
        condition : how known pixels take part; None where nothing is known.
        step : see `lacuna.diffusion.sample`.

        Returns
        -------
        (B, 3, H, W), −1 … 1, equal to ``known`` outside the hole.

        Raises
        ------
        OptionError : numbers of steps or jumps that do not fit.
        """
        states = [generator.get_state() for generator in noise.generators]

        def run(precision: Precision) -> tuple[Tensor, bool]:
            for generator, state in zip(noise.generators, states, strict=True):
                generator.set_state(state)
            return self._draw(known, hole, noise, steps, condition, step, on_step, precision)

        out, sound = run(self.precision)
        if not sound:
            note(f"{self.precision} overflowed in the denoising net; drawn again in float32")
            out, _ = run("float32")
        return out

    def _draw(
        self,
        known: Tensor,
        hole: Tensor,
        noise: Noise,
        steps: int,
        condition: Condition | None,
        step: Step | None,
        on_step: OnStep | None,
        precision: Precision,
    ) -> tuple[Tensor, bool]:
        """Return the pictures, and whether all that the net said was finite."""
        schedule = schedule_of(self.model.facts).respaced(steps)
        known, hole = known.to(self.place), hole.to(self.place)
        known = known.masked_fill(hole, 0.0)
        conditioning = condition(known, hole) if condition is not None else Conditioning()
        shape = (len(noise.generators), *known.shape[1:])
        number = calls(conditioning.times(steps))
        # What a clamp would hide must be noticed before it: one flag on the device, read once at the end.
        sound = torch.ones((), dtype=torch.bool, device=self.place)
        with self._lock, torch.inference_mode(), _watched(on_step) as told:
            network = self._network(precision, shape, number)
            extra = torch.cat([known, hole.to(known)], dim=1).expand(shape[0], -1, -1, -1)

            def asked(x: Tensor, when: Tensor) -> Tensor:
                given = torch.cat([x, extra], dim=1) if self.model.facts.conditioned else x
                out = network(given, when)
                if precision != "float32":
                    sound.logical_and_(out.isfinite().all())
                return out

            denoise = denoiser(asked, schedule, says=self.model.facts.says)  # type: ignore[arg-type]
            start = noise(torch.empty(shape, device=self.place))
            out = sample(
                denoise, schedule, start, noise=noise, condition=conditioning, step=step, on_step=told
            )
        return out, bool(sound)

    def _network(self, precision: Precision, shape: tuple[int, ...], number: int) -> Network:
        """Return the net in a precision, as a graph where that is worth it; float32 in and out."""
        net, dtype = self._net(precision), getattr(torch, precision)

        def network(x: Tensor, when: Tensor) -> Tensor:
            return net(x.to(dtype), when).float()  # type: ignore[no-any-return]

        if not (self.graphs and self.place.type == "cuda" and number >= WORTH_A_GRAPH):
            return network
        channels = 2 * shape[1] + 1 if self.model.facts.conditioned else shape[1]
        like = torch.zeros((shape[0], channels, *shape[2:]), device=self.place)
        key = (precision, tuple(like.shape))
        if key not in self._captured:
            self._captured.clear()  # a graph holds the memory of all activations
            self._captured[key] = captured(network, like)
        return self._captured[key]

    def _net(self, precision: Precision) -> nn.Module:
        """Return the net on the device; half precision is a copy, so that float32 stays to fall back on."""
        if precision not in self._nets:
            net = self.model.net
            if precision != "float32":
                net = copy.deepcopy(net)
            net.to(self.place, getattr(torch, precision))
            for module in net.modules():
                if not any(module.children()):
                    module.register_forward_hook(_tick)
            self._nets[precision] = net
        return self._nets[precision]


_local = threading.local()


def _tick(module: nn.Module, args: object, output: object) -> None:
    """Run after every layer: a large net takes seconds a call, and cancelling must not wait for it."""
    step = getattr(_local, "step", None)
    if step is not None:
        step()


@contextmanager
def _watched(on_step: OnStep | None) -> Iterator[OnStep | None]:
    """Pass progress on, and repeat the last of it after every layer that runs in this thread."""
    if on_step is None:
        yield None
        return
    last = (0.0, "denoising")

    def told(share: float, words: str) -> None:
        nonlocal last
        last = (share, words)
        report(on_step, share, words)

    _local.step = lambda: report(on_step, *last)
    try:
        yield told
    finally:
        _local.step = None
