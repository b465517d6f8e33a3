"""The loop and its steps on pictures whose distribution is known exactly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lacuna.diffusion import (
    Conditioning,
    Noise,
    NullSpace,
    Prediction,
    RePaint,
    Replacement,
    ancestral,
    cosine,
    ddim,
    denoiser,
    jump_times,
    linear,
    multistep,
    sample,
)
from lacuna.diffusion.conditioning import calls
from lacuna.diffusion.gaussian import Gaussian
from lacuna.errors import Cancelled, OptionError

ROWS = 2000
MODEL = Gaussian.correlated()
HOLE = np.array([0, 0, 1, 1, 1, 0], bool)
KNOWN = np.array([0.3, 0.5, 0, 0, 0, -0.6])
ANSWER = MODEL.given(KNOWN, HOLE)
PINNED = (torch.from_numpy(KNOWN).reshape(1, 1, 1, 6), torch.from_numpy(HOLE).reshape(1, 1, 1, 6))


def draw(model: Gaussian, steps: int, *, rows: int = ROWS, **how: object) -> torch.Tensor:
    schedule, noise = linear().respaced(steps), Noise.seeded(1)
    start = noise(torch.empty(rows, 1, 1, 6, dtype=torch.float64))
    return sample(model.denoiser(schedule), schedule, start, noise=noise, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "steps"), [(ancestral(), 1000), (ancestral("most"), 1000), (ddim(), 300), (multistep(), 300)]
)
def test_samples_have_the_mean_and_covariance_of_the_model(step: object, steps: int) -> None:
    assert max(MODEL.errors(draw(MODEL, steps, step=step))) < 3


def test_doubling_the_steps_halves_or_quarters_the_error() -> None:
    gains = []
    for step in (ddim(), multistep()):
        few, many = (MODEL.errors(draw(MODEL, steps, rows=20000, step=step))[1] for steps in (40, 80))
        gains.append(few / many)
    assert 1.7 < gains[0] < 2.3
    assert 2.8 < gains[1] < 4.5


def test_an_oracle_of_the_conditional_is_exact() -> None:
    assert max(ANSWER.errors(draw(ANSWER, 1000), HOLE)) < 3


def test_more_steps_do_not_mend_replacement() -> None:
    for steps in (50, 400):
        mean, covariance = ANSWER.errors(draw(MODEL, steps, condition=Replacement(*PINNED)), HOLE)
        assert mean > 10
        assert covariance > 5


def test_going_back_mends_replacement() -> None:
    off = [
        sum(ANSWER.errors(draw(MODEL, 50, condition=RePaint(*PINNED, jump=10, resample=r)), HOLE))
        for r in (1, 3, 10)
    ]
    assert off[0] > 1.1 * max(off[1:])


@pytest.mark.parametrize(
    "condition", [Replacement(*PINNED), RePaint(*PINNED, jump=2, resample=2), NullSpace(*PINNED)]
)
@pytest.mark.parametrize("step", [ancestral(), ddim(), multistep()])
def test_known_pixels_come_back_exactly(condition: Conditioning, step: object) -> None:
    out = draw(MODEL, 10, rows=4, condition=condition, step=step)
    assert torch.equal(out[:, 0, 0, ~HOLE], PINNED[0][0, 0, 0, ~HOLE].expand(4, -1))
    assert out[:, 0, 0, HOLE].std(0).min() > 0.01


def test_what_lies_in_the_hole_of_the_known_picture_is_ignored() -> None:
    known = PINNED[0].masked_fill(PINNED[1], torch.nan)
    for kind in (Replacement, NullSpace):
        assert torch.equal(
            draw(MODEL, 10, rows=2, condition=kind(known, PINNED[1])),
            draw(MODEL, 10, rows=2, condition=kind(*PINNED)),
        )


def test_one_way_back_is_one_noising() -> None:
    noised: list[int] = []

    class Count(Noise):
        def __call__(self, like: torch.Tensor) -> torch.Tensor:
            noised.append(1)
            return super().__call__(like)

    schedule = linear().respaced(50)
    asked: list[int] = []

    def denoise(x: torch.Tensor, time: int) -> Prediction:
        asked.append(time)
        return Prediction(0 * x)

    class Jumps(Conditioning):
        def times(self, count: int) -> list[int]:
            return jump_times(count, 5, 3)

    noise = Count.seeded(0)
    x = torch.zeros(1, 1, 2, 2)
    sample(denoise, schedule, x, noise=Count(noise.generators), condition=Jumps(), step=ddim())
    times = jump_times(50, 5, 3)
    ways_back = sum(b > a and c < b for a, b, c in zip(times, times[1:], times[2:], strict=False))
    assert len(noised) == ways_back == 18
    assert len(asked) == 140


def test_noise_added_at_once_is_noise_added_in_steps() -> None:
    """In law: the variances of many small steps and of the one step that replaces them."""
    schedule = linear().respaced(250)
    variance = 0.0
    for time in range(100, 110):
        kept = schedule.at(time + 1) / schedule.at(time)
        variance = kept * variance + 1 - kept
    assert variance == pytest.approx(1 - schedule.at(110) / schedule.at(100))


def test_rows_do_not_depend_on_their_batch() -> None:
    schedule = linear().respaced(8)
    denoise = MODEL.denoiser(schedule)

    def rows(seed: int, count: int) -> torch.Tensor:
        noise = Noise.seeded(seed, count)
        start = noise(torch.empty(count, 1, 1, 6, dtype=torch.float64))
        return sample(denoise, schedule, start, noise=noise, condition=Replacement(*PINNED))

    together = rows(5, 3)
    assert torch.allclose(together, torch.cat([rows(5 + i, 1) for i in range(3)]))
    assert not torch.allclose(together[0], together[1])


def test_sampling_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    draw(MODEL, 5, rows=2)
    assert torch.equal(before, torch.get_rng_state())


def test_a_caller_can_watch_and_cancel() -> None:
    seen: list[float] = []

    def watch(done: float, words: str) -> None:
        seen.append(done)
        if done >= 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        draw(MODEL, 10, rows=2, on_step=watch)
    assert seen == [i / 10 for i in range(6)]


# Times ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "transitions", "down"),
    [((250, 10, 10), 4570, 2410), ((250, 10, 5), 2170, 1210), ((50, 5, 3), 230, 140), ((20, 4, 2), 52, 36)],
)
def test_jumps_add_up(setting: tuple[int, int, int], transitions: int, down: int) -> None:
    times = jump_times(*setting)
    assert (len(times) - 1, calls(times)) == (transitions, down)
    assert set(np.diff(times)) == {-1, 1}
    folder = os.environ.get("LACUNA_SHARED")
    shared = Path(folder) if folder else Path(__file__).parents[3] / "shared"
    lists = shared / "parity" / "repaint_schedules.json"
    if lists.is_file():
        name = "T{}_jump{}_resample{}".format(*setting)
        assert times == json.loads(lists.read_text())[name]["times"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [((10, 11, 2), "jump is 11"), ((10, 0, 2), "jump is 0"), ((10, 2, 0), "resample is 0")],
)
def test_jumps_that_mean_nothing_are_refused(setting: tuple[int, int, int], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        jump_times(*setting)
    with pytest.raises(OptionError, match=words):
        RePaint(*PINNED, jump=setting[1], resample=setting[2]).times(setting[0])


# Schedules and denoisers ----------------------------------------------------------------------------------


def test_a_respaced_schedule_keeps_the_ends() -> None:
    schedule = linear()
    few = schedule.respaced(250)
    assert (len(few), few.steps[0], few.steps[-1]) == (250, 0, 999)
    assert few.at(0) == schedule.at(0)
    assert few.at(249) == schedule.at(999)
    assert few.at(-1) == 1


def test_schedules_are_those_of_the_papers() -> None:
    assert linear().left[0] == pytest.approx(1 - 1e-4)
    assert linear().left[-1] == pytest.approx(4.04e-5, rel=0.01)
    assert cosine().left[499] == pytest.approx(0.4938, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_schedule_has_no_more_steps_than_it_has(count: int) -> None:
    with pytest.raises(OptionError, match=f"steps is {count}; expected 1 to 1000"):
        linear().respaced(count)


def test_what_a_network_says_is_read_alike() -> None:
    schedule = linear().respaced(20)
    clean = torch.rand(2, 3, 4, 4) * 2 - 1
    eps = torch.randn(2, 3, 4, 4)
    left = schedule.at(9)
    x = left**0.5 * clean + (1 - left) ** 0.5 * eps
    velocity = left**0.5 * eps - (1 - left) ** 0.5 * clean
    steps: list[int] = []
    for says, answer in {"noise": eps, "velocity": velocity, "clean": clean}.items():

        def network(x: torch.Tensor, step: torch.Tensor, answer: torch.Tensor = answer) -> torch.Tensor:
            steps.extend(step.tolist())
            return answer

        said = denoiser(network, schedule, says=says)(x, 9)  # type: ignore[arg-type]
        assert torch.allclose(said.clean, clean, atol=1e-5)
        assert said.spread is None
    assert set(steps) == {int(schedule.steps[9])}


def test_a_learned_variance_lies_between_the_least_and_the_most() -> None:
    schedule = linear().respaced(10)
    x = torch.zeros(20000, 1, 1, 1)

    def deviation(spread: float) -> float:
        said = Prediction(x, torch.full_like(x, spread))
        return float(ancestral()(x, said, 5, 4, schedule, Noise.seeded(0)).std())

    kept = schedule.at(5) / schedule.at(4)
    most = (1 - kept) ** 0.5
    least = ((1 - schedule.at(4)) / (1 - schedule.at(5)) * (1 - kept)) ** 0.5
    assert deviation(1) == pytest.approx(most, rel=0.02)
    assert deviation(0) == pytest.approx(least, rel=0.02)
    assert least < deviation(0.5) < most


def test_a_network_with_odd_channels_is_refused() -> None:
    with pytest.raises(OptionError, match="5 channels for 3"):
        denoiser(lambda x, step: torch.zeros(1, 5, 2, 2), linear())(torch.zeros(1, 3, 2, 2), 3)
