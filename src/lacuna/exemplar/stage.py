"""One level at work: its picture, its field of matches, and the steps that improve them in turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lacuna.exemplar import kernels
from lacuna.exemplar.pyramid import TEXTURES, Level
from lacuna.jit import is_compiled, row_bands, run_bands
from lacuna.multigrid import fill_harmonic
from lacuna.multigrid.poisson import solve_poisson
from lacuna.progress import report
from lacuna.types import FloatImage, Hole, OnStep

BATCH = 16
"""Bands that run before the caller is asked whether to go on: a fifth of a second or less."""

STRIP = 1 << 20
"""Missing pixels that are worked on at once where each needs many bytes for a while: up to 100."""

PEEL_ROUNDS = 4
"""Rounds of search for each ring of the onion peel; the rings are few and small."""

MELD_TOLERANCE = 1e-3
"""A quarter of a level of an 8-bit picture, in a correction that is smooth."""


@dataclass(frozen=True)
class Weights:
    """How patches are compared and how their votes count.

    Parameters
    ----------
    side : of a patch, in pixels, odd.
    texture : weight of the texture features: how much more a difference in roughness counts than one in
        brightness. Less looks for smooth patches, and ends in smooth fills.
    sharpness : see `kernels.vote`; more is sharper, and less true.
    decay : the confidence of a patch falls by this factor per pixel from the rim (Wexler et al. 2007, 4.1).
    margin : see `kernels.search`.
    """

    side: int = 5
    texture: float = 4.0
    sharpness: float = 1.0
    decay: float = 1.1
    margin: float = 0.05


class Matches(NamedTuple):
    """What a finer level takes over from a stage.

    Parameters
    ----------
    shape : of the level, without its padding.
    pad, pitch : of the padded level. field, distance : flat, padded; see `kernels`.
    """

    shape: tuple[int, ...]
    pad: int
    pitch: int
    field: NDArray[np.int32]
    distance: NDArray[np.int32]


class Stage:
    """One level at work.

    Parameters
    ----------
    level : picture, hole and sources, padded by half a patch and one pixel. It is used up.
    weights : see there.
    seed : of the random search.
    on_step : asked for leave before each batch of work.
    guide : (H, W, K), [0, 1], or None. What the whole level may look like, hole included.
    guidance : how much a difference in the guide counts beside one in brightness.
    reach : of the random search around a match, in pixels; None is the whole level.
    edges : see `solve_poisson`.
    """

    def __init__(
        self,
        level: Level,
        weights: Weights,
        seed: int,
        on_step: OnStep | None = None,
        guide: FloatImage | None = None,
        guidance: float = 1.0,
        *,
        reach: int | None = None,
        edges: bool = False,
    ) -> None:
        self.weights, self.seed, self.on_step = weights, seed, on_step
        self.hole = level.hole
        self.pad = pad = level.pad
        missing = _mirrored(level.hole, pad)
        self.known = ~missing.ravel()
        # With the ring around it known too, a match tells differences as well as values.
        self.valid = np.pad(matchable(level.sources, weights.side), pad).ravel()
        covered = dilated(missing, weights.side)[pad:-pad, pad:-pad]
        self.targets = np.flatnonzero(np.pad(covered, pad)).astype(np.int32)
        self.missing = np.flatnonzero(np.pad(level.hole, pad)).astype(np.int32)
        depth = np.minimum(np.pad(distance_to_known(level.hole), pad), 60).ravel()
        self.confidence = np.power(np.float32(weights.decay), -depth, dtype=np.float32)
        self.planes = level.padded  # taken over, not copied: it is the largest array
        mirror_edges(self.planes, pad)
        height, width, self.channels = self.planes.shape
        self.colours = self.channels - TEXTURES
        self.scale = np.full(self.channels, 255, np.float32)
        self.scale[self.colours :] *= weights.texture
        self.features = self._features(guide, guidance)
        self.grid = (width, height, self.features.shape[2], weights.side)
        self.field = np.full(width * height, -1, np.int32)
        self.distance = np.full(width * height, kernels.FAR, np.int32)
        self.round = 0
        self.reach = max(width, height) if reach is None else reach
        self.edges = edges

    def picture(self) -> FloatImage:
        """Return the colours as they are now, (H, W, K), a view."""
        return self.planes[self.pad : -self.pad, self.pad : -self.pad, : self.colours]

    def sources(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return from which row and column the middle of each pixel's patch is taken, (H, W) each.

        Known pixels that no patch of the hole touches are their own source.
        """
        height, width = self.hole.shape
        rows, columns = np.indices((height, width))
        field = self.field.reshape(self.grid[1], self.grid[0])[self.pad : -self.pad, self.pad : -self.pad]
        found = field >= 0
        match_rows, match_columns = np.divmod(field[found].astype(np.int64), self.grid[0])
        rows[found], columns[found] = match_rows - self.pad, match_columns - self.pad
        return rows, columns

    def start_from_rim(self) -> None:
        """Fill the hole ring by ring, comparing known pixels only (the onion peel of Newson et al. 2014)."""
        left = self.hole.copy()
        while left.any():
            ring = left & dilated(~left, 3)
            pixels = np.flatnonzero(np.pad(ring, self.pad)).astype(np.int32)
            self._guess(pixels)
            self._measure(pixels, partial=True)
            for _ in range(PEEL_ROUNDS):
                self._search(pixels, partial=True)
            self._vote(pixels)
            left &= ~ring
            self.known = ~_mirrored(left, self.pad).ravel()
        self._guess(self.targets[self.field[self.targets] < 0])

    def start_from_picture(self, picture: FloatImage) -> None:
        """Fill the hole with a picture, (H, W, K); its roughness is that of the rim, by a membrane."""
        values = np.empty((len(self.missing), self.channels), np.float32)
        values[:, : self.colours] = picture[self.hole]
        inside = self.planes[self.pad : -self.pad, self.pad : -self.pad, self.colours :]
        values[:, self.colours :] = fill_harmonic(np.ascontiguousarray(inside), self.hole)[self.hole]
        self._put(self.missing, values)
        self._guess(self.targets)

    def matches(self) -> Matches:
        """Return what `start_from` needs of this level; the rest of it may go then."""
        return Matches(self.hole.shape, self.pad, self.grid[0], self.field, self.distance)

    def start_from(self, coarse: Matches) -> None:
        """Take over the field of the next coarser level, each match at twice its place."""
        lost = [self._inherit(coarse, self.targets[a:b]) for a, b in row_bands(len(self.targets), STRIP)]
        self._guess(np.concatenate(lost))
        self._vote(self.missing)

    def _inherit(self, coarse: Matches, targets: NDArray[np.int32]) -> NDArray[np.int32]:
        """Take over the matches of some targets; return those that get none."""
        pitch, pad, coarse_pitch, coarse_pad = self.grid[0], self.pad, coarse.pitch, coarse.pad
        y, x = np.divmod(targets, pitch)
        coarse_y = np.minimum((y - pad) >> 1, coarse.shape[0] - 1)
        coarse_x = np.minimum((x - pad) >> 1, coarse.shape[1] - 1)
        parent = (coarse_y + coarse_pad) * coarse_pitch + coarse_x + coarse_pad
        match_y, match_x = np.divmod(coarse.field[parent], coarse_pitch)
        match_y = 2 * (match_y - coarse_pad) + (y - pad - 2 * coarse_y) + pad
        match_x = 2 * (match_x - coarse_pad) + (x - pad - 2 * coarse_x) + pad
        match = np.clip(match_y * pitch + match_x, 0, len(self.valid) - 1)
        good = (coarse.field[parent] >= 0) & self.valid[match]
        self.field[targets[good]] = match[good]
        self.distance[targets[good]] = coarse.distance[parent[good]]
        lost: NDArray[np.int32] = targets[~good]
        return lost

    def match(self) -> None:
        """Improve the field for the picture as it is now."""
        self._measure(self.targets)
        self._search(self.targets)

    def rebuild(self, *, meld: bool, last: bool = False) -> None:
        """Rebuild the missing pixels from the field as it is now.

        Parameters
        ----------
        meld : take the differences between neighbours from the votes as well, and find the picture that has
            them and meets the known pixels (Pérez et al. 2003; Darabi et al. 2012). That removes steps, at
            the rim and between pieces that come from differently lit places.
        last : no match follows: what patches are compared by is given up, to make room.
        """
        if last:
            self.features = np.empty((0, 0, self.grid[2]), np.uint8)
        if not meld:
            self._vote(self.missing)
            return
        right = self._imbalance()
        correction = solve_poisson(
            right, self.hole, tolerance=MELD_TOLERANCE, edges=self.edges, on_step=self.on_step
        )
        flat = self.planes.reshape(-1, self.channels)
        for start, stop in row_bands(len(self.missing), STRIP):
            pixels = self.missing[start:stop]
            values = flat[pixels]
            values[:, : self.colours] = np.clip(values[:, : self.colours] + correction[start:stop], 0, 1)
            self._put(pixels, values)

    def _imbalance(self) -> NDArray[np.float32]:
        """Vote, and return by how much the picture then misses the voted differences, (N, K)."""
        missing, pitch = self.missing, self.grid[0]
        number = np.full(len(self.field), -2, np.int32)
        number.reshape(self.grid[1], pitch)[self.pad : -self.pad, self.pad : -self.pad] = -1
        right = np.empty((len(missing), self.colours), np.float32)
        flat = self.planes.reshape(-1, self.channels)
        for start, stop in row_bands(len(missing), STRIP):
            # A row more on either side: what is wanted between two pixels is for both of them to say.
            first = np.searchsorted(missing, missing[start] - pitch)
            last = np.searchsorted(missing, missing[stop - 1] + pitch, side="right")
            pixels = missing[first:last]
            steps = np.empty((len(pixels), 4, self.colours), np.float32)
            self._vote(pixels, steps)
            number[pixels] = np.arange(len(pixels), dtype=np.int32)
            self._run(kernels.imbalance, missing[start:stop], flat, steps, number, pitch, right[start:stop])
        return right

    def _measure(self, pixels: NDArray[np.int32], *, partial: bool = False) -> None:
        state = (self.features.ravel(), self.known, partial, self.field, self.distance, self.grid)
        self._run(kernels.measure, pixels, *state)

    def _search(self, pixels: NDArray[np.int32], *, partial: bool = False) -> None:
        forward = self.round % 2 == 0
        seed = np.random.SeedSequence([self.seed, self.grid[0], self.round]).generate_state(1, np.uint64)[0]
        self.round += 1
        state = (self.features.ravel(), self.known, partial, self.field, self.distance, self.grid)
        rest = (self.valid, self.field.copy(), forward, seed, self.weights.margin, self.reach)
        self._run(kernels.search, pixels, *state, *rest)

    def _vote(self, pixels: NDArray[np.int32], steps: NDArray[np.float32] | None = None) -> None:
        """Vote for pixels, and for the differences around them where steps (N, 4, K) are given."""
        flat = self.planes.reshape(-1, self.channels)
        state = (flat, self.field, self.distance, self.confidence, np.float32(self.weights.sharpness))
        none = np.empty((0, 4, self.colours), np.float32)
        for start, stop in row_bands(len(pixels), STRIP):
            part = pixels[start:stop]
            out = np.empty((len(part), self.channels), np.float32)
            wanted = none if steps is None else steps[start:stop]
            self._run(kernels.vote, part, *state, self.grid, out, wanted)
            self._put(part, out)

    def _run(self, kernel: Callable[..., None], pixels: NDArray[np.int32], *args: Any) -> None:
        """Call ``kernel(start, stop, pixels, *args)`` for all pixels, several bands at once."""
        bands = _bands(len(pixels))
        words = "matching patches" if is_compiled(kernel) else "compiling for this machine, once"
        for first in range(0, len(bands), BATCH):
            report(self.on_step, 0.0, words)
            run_bands(kernel, bands[first : first + BATCH], pixels, *args)

    def _put(self, pixels: NDArray[np.int32], values: NDArray[np.float32]) -> None:
        """Write values into the picture and its bytes, and mirror them into the padding."""
        self.planes.reshape(-1, self.channels)[pixels] = values
        mirror_edges(self.planes, self.pad)
        if self.features.size:
            self.features.reshape(-1, self.grid[2])[pixels, : self.channels] = self._to_bytes(values)
            mirror_edges(self.features, self.pad)

    def _guess(self, pixels: NDArray[np.int32]) -> None:
        """Give pixels without a match one at random, at a distance that anything beats."""
        if len(pixels) == 0:
            return
        rng = np.random.Generator(np.random.PCG64([self.seed, self.grid[0], self.round]))
        choices = np.flatnonzero(self.valid)
        self.field[pixels] = choices[rng.integers(0, len(choices), len(pixels))]
        self.distance[pixels] = kernels.FAR

    def _features(self, guide: FloatImage | None, guidance: float) -> NDArray[np.uint8]:
        """Return what patches are compared by: the planes and, if there is one, the guide, in bytes."""
        features = self._to_bytes(self.planes)
        if guide is None:
            return features
        pad = self.pad
        wide = np.zeros((*features.shape[:2], self.channels + self.colours), np.uint8)
        wide[..., : self.channels] = features
        for k in range(self.colours):  # as in `_to_bytes`
            plane = guide[..., k] * np.float32(255 * guidance) + np.float32(0.5)
            wide[pad:-pad, pad:-pad, self.channels + k] = plane
        mirror_edges(wide, pad)
        return wide

    def _to_bytes(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        out = np.empty(planes.shape, np.uint8)
        for k, scale in enumerate(self.scale):  # plane by plane, for the sake of peak memory
            out[..., k] = np.clip(planes[..., k] * scale + np.float32(0.5), 0, 255)
        return out


def padding(side: int) -> int:
    """Return how far a patch of that side, and the ring around it, reach beyond its centre."""
    return side // 2 + 1


def matchable(sources: Hole, side: int) -> Hole:
    """Return where a patch of that side and the ring around it lie in the sources, mirrored at the edges.

    Parameters
    ----------
    sources : (H, W), larger than half the patch.
    side : odd.
    """
    pad = padding(side)
    return ~dilated(~_mirrored(sources, pad), side + 2)[pad:-pad, pad:-pad]


def dilated(mask: Hole, side: int) -> Hole:
    """Return where a window of that side around the pixel holds any True one."""
    window = np.ones((side, side), np.uint8)
    return cv2.dilate(mask.view(np.uint8), window).view(bool)


def distance_to_known(hole: Hole) -> NDArray[np.float32]:
    """Return how far each missing pixel is from the nearest known one, 0 for known pixels.

    A hole without any known pixel has no rim; its distances are those to the picture's edge.
    """
    if hole.all():
        padded = np.pad(hole.view(np.uint8), 1)
        return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)
    return np.asarray(cv2.distanceTransform(hole.view(np.uint8), cv2.DIST_L2, 3), np.float32)


def mirror_edges(array: NDArray[Any], pad: int) -> None:
    """Refresh the padding of an array in place: it mirrors the inside without repeating the edge."""
    array[:pad] = array[2 * pad : pad : -1]
    array[-pad:] = array[-pad - 2 : -2 * pad - 2 : -1]
    array[:, :pad] = array[:, 2 * pad : pad : -1]
    array[:, -pad:] = array[:, -pad - 2 : -2 * pad - 2 : -1]


def _mirrored(array: NDArray[Any], pad: int) -> NDArray[Any]:
    return np.pad(array, ((pad, pad), (pad, pad), *((0, 0),) * (array.ndim - 2)), mode="reflect")


def _bands(count: int) -> list[tuple[int, int]]:
    """Cut a list of pixels into bands, whose number depends on nothing but its length.

    A match does not spread from band to band within a round, so there are no more than threads can use.
    """
    pieces = max(min(count // 2048, 16), count // 32768, 1)
    edges = np.linspace(0, count, pieces + 1).astype(int).tolist()
    return [band for band in itertools.pairwise(edges) if band[0] < band[1]]
