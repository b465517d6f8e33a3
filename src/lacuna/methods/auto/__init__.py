"""`auto`: the method that suits the hole and the photo, found by trying, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lacuna import registry
from lacuna.progress import detail, note, report, scaled
from lacuna.types import Aux, Explainable, Explanation, FloatImage, Hole, Illustration, Method, OnStep

if TYPE_CHECKING:
    from lacuna.methods.auto.judging import Verdict
    from lacuna.methods.auto.rehearsal import Rehearsal
    from lacuna.methods.onnx.guided import Guided

THIN = 2.0
"""Holes whose pixels all lie within so many pixels of a known one are thin.

On strokes in 15 photos of the dev split, `biharmonic` against `patchmatch`, LPIPS / hole PSNR: reach 2.0 px
.0077 / 27.7 against .0073 / 27.2; 2.8 px .0111 / 25.5 against .0097 / 25.2; 3.9 px .0147 / 24.0 against
.0122 / 23.9; 6.4 px .0277 / 21.9 against .0189 / 21.9. Telea and Navier-Stokes were behind both everywhere.
"""

FOR_THIN, FOR_THICK, FOR_BOUND = "biharmonic", "guided", "patchmatch"

TRIAL = 0.2
"""The rehearsal's share of the progress bar."""

ITERATIONS = 4
"""Rounds of the patches on coarse levels in a rehearsal, two fewer than in a fill."""


@dataclass(frozen=True)
class Choice:
    """A method, its options, and why.

    Parameters
    ----------
    trial : what it rests on, or None: nothing was tried.
    fills : what each candidate made of the rehearsal, (h, w, K) each.
    verdicts : on each candidate.
    """

    name: str
    why: str
    options: tuple[tuple[str, Any], ...] = ()
    trial: Rehearsal | None = None
    fills: tuple[FloatImage, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def method(self) -> Method:
        """Return the method."""
        return registry.create(self.name, dict(self.options))


@dataclass(frozen=True)
class Auto:
    """Fill thin holes by a PDE, and all others by what does best on hidden copies of the hole.

    Copies of the hole are hidden in the known part of the photo, at half its size, and filled by
    `patchmatch` and by `guided` with more and less of its network's own picture. What comes out is compared
    with what is there, and weighed against what is known from other photos. That takes less time than
    filling the hole once by `patchmatch`. The broad shapes of what `guided` then makes lean to a consensus of
    several fills. Where sources or a guide are given, or no network can run, patches alone fill the hole.
    `Result.notes` say which and why, and what was expected of each.
    """

    rehearse: bool = field(
        default=True, metadata={"help": "try the methods on hidden copies of the hole before choosing"}
    )

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return self.fill_many(image, hole, aux=aux, seeds=[seed], on_step=on_step)[0]

    def fill_many(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seeds: Sequence[int], on_step: OnStep | None = None
    ) -> list[FloatImage]:
        """See `lacuna.types.Manifold`: one choice for all seeds."""
        choice = self.choose(image, hole, aux=aux, on_step=scaled(on_step, 0.0, TRIAL))
        method, start = choice.method(), TRIAL if choice.trial else 0.0
        share = (1.0 - start) / len(seeds)
        return [
            method.fill(
                image,
                hole,
                aux=aux,
                seed=seed,
                on_step=scaled(on_step, start + i * share, start + (i + 1) * share),
            )
            for i, seed in enumerate(seeds)
        ]

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: the trial, the choice, and what the chosen method has to tell."""
        choice = self.choose(image, hole, aux=aux, on_step=scaled(on_step, 0.0, TRIAL))
        rest = scaled(on_step, TRIAL if choice.trial else 0.0, 1.0)
        lines = (f"auto chose {choice.name}: {choice.why}.", *(told(each) for each in choice.verdicts))
        pictures = _pictures(choice)
        chosen = choice.method()
        if not isinstance(chosen, Explainable):
            fill = chosen.fill(image, hole, aux=aux, seed=seed, on_step=rest)
            return Explanation(
                fill, pictures, (*lines, f"{choice.name} solves one equation and has no steps to show.")
            )
        more = chosen.explain(image, hole, aux=aux, seed=seed, on_step=rest)
        return replace(more, pictures=(*pictures, *more.pictures), lines=(*lines, *more.lines))

    def choose(self, image: FloatImage, hole: Hole, *, aux: Aux, on_step: OnStep | None = None) -> Choice:
        """Return the choice for a hole; parameters as of `fill`. Notes say what it is and what it rests on.

        It does not depend on the seed, so that another seed is another fill by the same method.
        """
        choice = _by_form(hole, aux)
        if self.rehearse and choice.name == FOR_THICK:
            choice = _by_trial(image, hole, choice, on_step)
        note(f"auto chose {choice.name}: {choice.why}")
        for verdict in choice.verdicts:
            detail(told(verdict))
        return choice


def told(verdict: Verdict) -> str:
    """Return a sentence about what a method is expected to do."""
    return (
        f"expected of {verdict.label}: hole-PSNR {verdict.psnr:.1f} dB, hole-LPIPS {verdict.lpips:.3f} "
        f"(on the copies SSIM {verdict.ssim:.3f}, seam {verdict.seam:+.1f}, roughness off by "
        f"{np.expm1(verdict.roughness):.0%})"
    )


def _by_form(hole: Hole, aux: Aux) -> Choice:
    """Return what is right for a hole of that form in any photo."""
    from lacuna.exemplar.stage import distance_to_known
    from lacuna.methods.auto.judging import CONSENSUS

    if aux.sources is not None:
        return Choice(FOR_BOUND, "it is the one that copies only from where it may")
    if aux.guide is not None:
        return Choice(FOR_BOUND, "it is the one that follows the given guide")
    reach = float(np.max(distance_to_known(hole)))
    if reach <= THIN:
        return Choice(FOR_THIN, f"no missing pixel is more than {THIN:g} pixels from a known one")
    why = f"the hole reaches {reach:.0f} pixels from its rim"
    missing = registry.get(FOR_THICK).missing()
    if missing is not None:
        return Choice(FOR_BOUND, f"{why}, and {FOR_THICK} cannot run here: {missing}")
    return Choice(FOR_THICK, why, CONSENSUS)


def _by_trial(image: FloatImage, hole: Hole, usual: Choice, on_step: OnStep | None) -> Choice:
    """Return what does best on hidden copies of the hole; the usual choice if none can be hidden."""
    from lacuna.methods.auto import judging
    from lacuna.methods.auto.rehearsal import rehearse

    report(on_step, 0.0, "trying methods on hidden copies of the hole")
    network = cast("Guided", registry.create(FOR_THICK))
    seen_at = network.scale(hole)
    trial = rehearse(image, hole, seen_at)
    if trial is None:
        return replace(usual, why=f"{usual.why}; no room to try methods on copies of it")
    fills = tried(trial, network, seen_at, on_step)
    verdicts = judging.judge(fills, trial.image, trial.hidden, judging.form_of(hole, seen_at))
    best = verdicts[judging.best([verdict.lpips for verdict in verdicts])]
    settings = " and ".join(f"{name}={value:g}" for name, value in judging.tried_options(best.options))
    why = (
        f"{f'with {settings} ' if settings else ''}it should do best of {len(fills)}, going by "
        f"{np.count_nonzero(trial.hidden):,} hidden pixels"
    )
    return Choice(best.method, why, best.options, trial, tuple(fills), tuple(verdicts))


def tried(
    trial: Rehearsal, network: Guided, seen_at: float, on_step: OnStep | None = None
) -> list[FloatImage]:
    """Return what each of `judging.CANDIDATES` makes of a rehearsal, (h, w, K) each, in that order.

    Parameters
    ----------
    trial : see `rehearsal.rehearse`.
    network : method `guided`.
    seen_at : scale at which its network is shown the frame, at most 1.
    """
    from lacuna.exemplar import Effort, fill_patches
    from lacuna.methods.auto.judging import CANDIDATES

    effort = Effort(iterations=ITERATIONS)
    sources = ~(trial.unknown | trial.hidden)
    parts = network.parts(
        trial.image,
        trial.hidden,
        sources=sources,
        unknown=trial.unknown,
        scale=seen_at,
        effort=effort,
        on_step=scaled(on_step, 0.0, 0.6),
    )
    fills = []
    for name, options in CANDIDATES:
        if name == FOR_THICK:
            fills.append(replace(network, **dict(options)).mixed(parts, trial.hidden)[0])
        else:
            fills.append(
                fill_patches(
                    trial.image,
                    trial.hidden,
                    sources=sources,
                    effort=effort,
                    on_step=scaled(on_step, 0.6, 1.0),
                )
            )
    return fills


def _pictures(choice: Choice) -> tuple[Illustration, ...]:
    """Return the rehearsal and what came of it, for people."""
    from lacuna.methods.auto.rehearsal import places

    if choice.trial is None:
        return ()
    height, width = choice.trial.hidden.shape
    words = (
        f"Copies of the hole (blue) were hidden in a part of the photo of {width}×{height} pixels, at "
        f"{choice.trial.scale:.0%} of its size. Dark is what is missing."
    )
    pictures = [Illustration("trial", places(choice.trial), words)]
    for verdict, fill in zip(choice.verdicts, choice.fills, strict=True):
        pictures.append(Illustration(f"trial-{_slug(verdict.label)}", fill, told(verdict) + "."))
    return tuple(pictures)


def _slug(label: str) -> str:
    return label.replace(" ", "-").replace("=", "-").replace(".", "")
