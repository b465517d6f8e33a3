"""Recipes: what a training run is, as typed, frozen, flat settings that a TOML file holds."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lacuna.errors import ConfigError
from lacuna.masks.random import KINDS

Precision = Literal["float32", "bf16", "fp16"]


@dataclass(frozen=True)
class Net:
    """The generator.

    Parameters
    ----------
    kind : a name of `lacuna.nets.loading.NETS`.
    options : arguments of its class.
    """

    kind: str = "guide"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Critic:
    """The discriminator.

    Parameters
    ----------
    kind : a name of `lacuna.train.critics.CRITICS`; empty for none.
    options : arguments of its class.
    loss : see `lacuna.losses.discriminator_loss`.
    penalty : of the gradient: ``"none"``, ``"wgan-gp"`` or ``"r1"``.
    penalty_weight : its weight.
    steps : steps of the critic for each one of the generator.
    """

    kind: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    loss: Literal["vanilla", "non-saturating", "least-squares", "hinge", "wasserstein"] = "hinge"
    penalty: Literal["none", "wgan-gp", "r1"] = "none"
    penalty_weight: float = 10.0
    steps: int = 1


@dataclass(frozen=True)
class Data:
    """Photos and holes.

    Parameters
    ----------
    path : a folder, zip, tar or url; see `lacuna.data.open_source`.
    holdout : photos at the end of the sorted names that are never trained on, but validated with.
    masks : a folder of masks to use in place of random ones, each as large as a sample; white is missing.
    holes : kinds of random holes and how often each is drawn.
    share : of the picture that is missing, least and most.
    batch : samples of one step in one process.
    sizes : side of the samples in pixels from a number of samples on: ``[[0, 64], [1000000, 96]]``.
    crop : side of a crop as a share of the photo's shorter side, least and most.
    flip : mirror half of the samples.
    tint : how far gains and gammas of the colours are changed at random, 0 to 1.
    shrink : photos are shrunk to this shorter side when they are decoded; 0 keeps them.
    memory : MB of decoded photos that are kept, in each process that makes batches.
    """

    path: str = ""
    holdout: int = 0
    masks: str = ""
    holes: dict[str, float] = field(default_factory=lambda: {"wide": 1.0})
    share: tuple[float, float] = (0.05, 0.6)
    batch: int = 16
    sizes: tuple[tuple[int, int], ...] = ((0, 64),)
    crop: tuple[float, float] = (0.6, 1.0)
    flip: bool = True
    tint: float = 0.0
    shrink: int = 0
    memory: int = 1000


@dataclass(frozen=True)
class Optimiser:
    """Adam, with decoupled weight decay.

    Parameters
    ----------
    lr, critic_lr : of the generator and the critic.
    betas : of both.
    weight_decay : of the generator.
    clip : largest norm of a gradient; 0 for none.
    warmup : samples over which the rates rise from 0.
    decay : samples between which the rates fall to 0, in a straight line; ``[0, 0]`` for never.
    ema : decay of the average of the generator's weights, per step.
    """

    lr: float = 2e-4
    critic_lr: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip: float = 0.0
    warmup: int = 0
    decay: tuple[int, int] = (0, 0)
    ema: float = 0.999


@dataclass(frozen=True)
class Losses:
    """Weights of the terms; a term of weight 0 is not computed.

    Parameters
    ----------
    hole, valid : L1 inside and outside the hole, each divided by the number of all pixels.
    squared : L2 of the context encoder, the band around the hole weighted by 10.
    discount : γ of the spatially discounted L1 that takes the place of ``hole``; 0 for plain.
    coarse : L1 of the first stage's answer, relative to ``hole`` and ``valid``.
    pyramid : L1 of every level.
    perceptual, style, variation : of the prediction and the composite.
    perceptual_power : 1 or 2; see `lacuna.losses.perceptual`.
    adversarial, matching : of the critic.
    features : ``squeeze`` or ``vgg``.
    weights : file of the feature network.
    """

    hole: float = 1.0
    valid: float = 0.0
    squared: float = 0.0
    discount: float = 0.0
    coarse: float = 0.0
    pyramid: float = 0.0
    perceptual: float = 0.0
    perceptual_power: Literal[1, 2] = 1
    style: float = 0.0
    variation: float = 0.0
    adversarial: float = 0.0
    matching: float = 0.0
    features: Literal["squeeze", "vgg", "lpips"] = "squeeze"
    weights: str = ""


@dataclass(frozen=True)
class Diffusion:
    """Noise and what the net says of it, in recipes whose task is diffusion.

    Parameters
    ----------
    schedule : see `lacuna.diffusion.schedules`.
    steps : of the schedule.
    says : what the net predicts; see `lacuna.diffusion.denoiser`.
    snr : γ of the min-SNR weights, which keep the nearly clean pictures from ruling the loss; 0 for none.
    conditioned : the net is shown the masked picture and the mask, and ``losses.hole`` and ``losses.valid``
        weigh its error inside and outside the hole; otherwise it sees neither, and the error counts alike.
    preview : steps of the sampler for sheets.
    base : folder of a latent diffusion model as diffusers writes it; of latent inpainting alone.
    prompt : what every photo is said to show; of latent inpainting alone.
    """

    schedule: Literal["linear", "cosine"] = "linear"
    steps: int = 1000
    says: Literal["noise", "velocity", "clean"] = "noise"
    snr: float = 0.0
    conditioned: bool = False
    preview: int = 10
    base: str = ""
    prompt: str = ""


@dataclass(frozen=True)
class Run:
    """What may differ between a run and its continuation.

    Parameters
    ----------
    budget : ``30m``, ``2h``, ``90s``, or a number of samples; empty goes on until Ctrl-C.
    checkpoint_minutes, sheet_minutes, validate_minutes : how often; 0 for at the end only.
    keep : checkpoints that are kept.
    workers : processes that make batches; 0 takes a thread, enough for a processor but not for a GPU.
    threads : of torch; 0 takes one for each core, at most ``LACUNA_THREADS``.
    device : ``auto``, ``cpu``, ``cuda``.
    lpips : weights of LPIPS for validation; empty leaves it out.
    compile : let torch compile the net of a diffusion task; for GPUs, and worth minutes only in long runs.
    """

    budget: str = ""
    checkpoint_minutes: float = 10.0
    sheet_minutes: float = 10.0
    validate_minutes: float = 10.0
    keep: int = 2
    workers: int = 0
    threads: int = 0
    device: str = "auto"
    lpips: str = ""
    compile: bool = False


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Parameters
    ----------
    task : a name of `lacuna.train.tasks.TASKS`.
    about : one line.
    seed : of weights, order, crops and holes.
    precision : of the forward pass.
    freeze_norm_at : samples after which the encoder's batch norm is frozen and the rate is ``freeze_lr``,
        as in the second phase of partial convolutions; −1 for never.
    """

    task: str = "inpainting"
    about: str = ""
    seed: int = 0
    precision: Precision = "float32"
    freeze_norm_at: int = -1
    freeze_lr: float = 5e-5
    net: Net = field(default_factory=Net)
    critic: Critic = field(default_factory=Critic)
    data: Data = field(default_factory=Data)
    optimiser: Optimiser = field(default_factory=Optimiser)
    losses: Losses = field(default_factory=Losses)
    diffusion: Diffusion = field(default_factory=Diffusion)
    run: Run = field(default_factory=Run)


FREE = ("run", "data.path", "data.memory", "about", "losses.weights", "diffusion.preview", "diffusion.base")
"""What a continuation may change."""


def read(path: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : of a TOML file.
    settings : ``key=value``, each in place of the file's; ``optimiser.lr=1e-4``.

    Raises
    ------
    ConfigError : no such file, no TOML, an unknown key (the known ones are named) or an ill-typed value.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for setting in settings:
        _put(values, setting)
    return parse(values)


def find(name: str) -> Path:
    """Return the file of a recipe: a path, or the name of a shipped one.

    Raises
    ------
    ConfigError : neither.
    """
    if name.endswith(".toml") or Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for folder in _SHIPPED for path in folder.glob("*.toml")}
    if name not in shipped:
        raise ConfigError(f"there is no recipe {name!r}; shipped: {', '.join(sorted(shipped)) or 'none'}")
    return shipped[name]


# In a wheel the recipes lie inside the package; in a checkout, beside it.
_PACKAGE = Path(__file__).parent.parent
_SHIPPED = (_PACKAGE.parent.parent / "recipes", _PACKAGE / "recipes")


def parse(values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of nested dicts.

    Raises
    ------
    ConfigError
    """
    recipe: Recipe = _build(Recipe, values, "")
    check(recipe)
    return recipe


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """Return nested dicts, fit for JSON: what `parse` takes."""
    return dataclasses.asdict(recipe)


def differences(ours: Recipe, theirs: Recipe) -> list[str]:
    """Return the dotted keys in which two recipes differ, those of `FREE` left out."""
    a, b = flat(as_dict(ours)), flat(as_dict(theirs))
    return [
        key
        for key in sorted(a.keys() | b.keys())
        if a.get(key) != b.get(key) and not any(key == free or key.startswith(f"{free}.") for free in FREE)
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return dotted keys.

    Examples
    --------
    >>> flat({"net": {"kind": "guide"}, "seed": 1})
    {'net.kind': 'guide', 'seed': 1}
    """
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def check(recipe: Recipe) -> None:
    """Refuse values that no run can have.

    Raises
    ------
    ConfigError
    """
    data, optimiser = recipe.data, recipe.optimiser
    rules = (
        ("seed", recipe.seed, recipe.seed >= 0, "0 or more"),
        ("data.batch", data.batch, data.batch >= 1, "1 or more"),
        ("data.holdout", data.holdout, data.holdout >= 0, "0 or more"),
        ("data.share", data.share, 0 <= data.share[0] < data.share[1] <= 1, "two shares, the smaller first"),
        ("data.crop", data.crop, 0 < data.crop[0] <= data.crop[1] <= 1, "two shares, the smaller first"),
        ("data.sizes", data.sizes, _steps(data.sizes), "pairs [samples, side], the first from 0 on, rising"),
        (
            "data.holes",
            data.holes,
            bool(data.holes) and min(data.holes.values()) > 0,
            "kinds and weights > 0",
        ),
        ("optimiser.lr", optimiser.lr, optimiser.lr > 0, "more than 0"),
        ("optimiser.critic_lr", optimiser.critic_lr, optimiser.critic_lr > 0, "more than 0"),
        ("optimiser.betas", optimiser.betas, all(0 <= b < 1 for b in optimiser.betas), "two numbers, 0 to 1"),
        ("optimiser.ema", optimiser.ema, 0 <= optimiser.ema < 1, "0 to 1, less than 1"),
        (
            "optimiser.decay",
            optimiser.decay,
            optimiser.decay[0] <= optimiser.decay[1],
            "first and last sample",
        ),
        ("critic.steps", recipe.critic.steps, recipe.critic.steps >= 1, "1 or more"),
        ("data.tint", data.tint, 0 <= data.tint <= 1, "0 to 1"),
        ("run.workers", recipe.run.workers, recipe.run.workers >= 0, "0 or more"),
        ("run.keep", recipe.run.keep, recipe.run.keep >= 1, "1 or more"),
    )
    unknown = [kind for kind in data.holes if kind not in KINDS]
    if unknown:
        raise ConfigError(f"data.holes names {unknown[0]!r}; expected some of {', '.join(KINDS)}")
    for key, value, right, expected in rules:
        if not right:
            raise ConfigError(f"{key} is {value!r}; expected {expected}")


def _steps(sizes: tuple[tuple[int, int], ...]) -> bool:
    starts = [start for start, _ in sizes]
    return bool(sizes) and starts[0] == 0 and starts == sorted(set(starts)) and min(s for _, s in sizes) >= 8


def _put(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ConfigError(f"setting {setting!r} has no value; expected key=value, such as optimiser.lr=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word needs no quotes
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"setting {setting!r}: {parent} is a value, not a group of values")
    values[last] = value


def _build(cls: Any, values: Any, prefix: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{prefix[:-1]} is {values!r}; expected a table")
    hints = typing.get_type_hints(cls)
    unknown = [key for key in values if key not in hints]
    if unknown:
        near = difflib.get_close_matches(unknown[0], hints, 1)
        hint = f"; did you mean {prefix}{near[0]}?" if near else ""
        raise ConfigError(f"unknown key {prefix}{unknown[0]}{hint} Known: {', '.join(hints)}")
    made = {}
    for key, value in values.items():
        kind = hints[key]
        name = f"{prefix}{key}"
        made[key] = (
            _build(kind, value, f"{name}.") if dataclasses.is_dataclass(kind) else _typed(kind, value, name)
        )
    return cls(**made)


def _typed(kind: Any, value: Any, name: str) -> Any:
    """Return a value of the kind, or say that it is not: TOML's own types, tuples from arrays."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value in inner and type(value) in {type(one) for one in inner}:
            return value
        raise ConfigError(f"{name} is {value!r}; expected {', '.join(repr(one) for one in inner)}")
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(value):
            return tuple(_typed(k, v, name) for k, v in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _typed(inner[1], one, f"{name}.{key}") for key, one in value.items()}
    if kind is Any:
        return value
    if name == "run.budget" and type(value) is int:
        return str(value)  # a number of samples needs no quotes
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise ConfigError(f"{name} is {value!r}; expected {_words(kind)}")


def _words(kind: Any) -> str:
    plain = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if kind in plain:
        return plain[kind]
    return str(kind) if isinstance(kind, types.GenericAlias) else getattr(kind, "__name__", str(kind))
