"""The inner loops of the exemplar engine: nearest-neighbour field, votes, and votes for gradients.

Conventions shared by all kernels here. All arrays of a level are padded on each side by at least one pixel
more than the radius of a patch, and flat: a pixel is one index, its neighbours are at ±1 and ±pitch, and the
padding makes tests for the picture's edge unnecessary. `features` holds C bytes for each pixel, so that a row
of an S × S patch is ``S * C`` contiguous bytes. The field stores for each target pixel the centre of its
match (−1: no target), and the distance of the two patches: the sum of squared differences. ``grid`` is
(pitch, padded rows, C, S). Kernels work on the entries start … stop of a sorted list of pixels.

Indices that run in the innermost loops are unsigned: numba then drops the test for negative ones, and LLVM
can vectorise. Random numbers are a hash of (seed, pixel, draw) and nothing else, so the field does not depend
on how the pixels are split over threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lacuna.jit import jit

Array = Any  # numpy arrays outside, numba's inside; shapes are in the docstrings
Number = Any

FAR = np.int32(2**31 - 1)
"""The distance to no match at all."""

DRAWS = np.uint64(64)
"""Random numbers set aside for each pixel and round; windows that halve use fewer than 32."""


@jit
def _hash(seed: Number, counter: Number) -> Number:
    """Return 64 well mixed bits (the finaliser of splitmix64: Steele, Lea & Flood 2014)."""
    z = seed + np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def _distance(
    features: Array, known: Array, partial: bool, p: Number, q: Number, grid: Array, limit: Number
) -> Number:
    """Return the squared difference of the patches around p and q; from limit up, not always to the end."""
    pitch, _, channels, side = grid
    corner = side // 2 * (pitch + 1)
    if partial:
        return _partial(features, known, p - corner, q - corner, grid)
    row = np.uint64(side * channels)
    stride = np.uint64(pitch * channels)
    a = np.uint64((p - corner) * channels)
    b = np.uint64((q - corner) * channels)
    total = np.int32(0)
    for _ in range(side):
        for k in range(row):
            d = np.int32(features[a + k]) - np.int32(features[b + k])
            total += d * d
        if total >= limit:
            break
        a += stride
        b += stride
    return total


@jit
def _partial(features: Array, known: Array, a: Number, b: Number, grid: Array) -> Number:
    """Return the mean squared difference over the known pixels of the first patch, scaled to a whole one."""
    pitch, _, channels, side = grid
    total = np.int64(0)
    count = 0
    for dy in range(side):
        for dx in range(side):
            step = dy * pitch + dx
            if known[a + step]:
                count += 1
                for k in range(channels):
                    d = np.int64(features[(a + step) * channels + k]) - features[(b + step) * channels + k]
                    total += d * d
    if count == 0:
        return FAR - np.int32(1)
    return np.int32(total * side * side // count)


@jit
def measure(
    start: int, stop: int, pixels: Array, features: Array, known: Array, partial: bool, field: Array,
    distance: Array, grid: Array,
) -> None:  # fmt: skip
    """Recompute the distances of the field after the picture has changed; arguments as in `search`."""
    for i in range(start, stop):
        p = pixels[i]
        distance[p] = _distance(features, known, partial, p, field[p], grid, FAR)


@jit
def search(
    start: int, stop: int, pixels: Array, features: Array, known: Array, partial: bool, field: Array,
    distance: Array, grid: Array, valid: Array, before: Array, forward: bool, seed: Number, margin: Number,
    reach: Number,
) -> None:  # fmt: skip
    """Improve the field by one round of PatchMatch (Barnes et al. 2009, section 3.2).

    Propagation in scan order or its reverse, then random search in windows that halve. Neighbours that other
    calls work on are read from `before`, the field as it was before the round.

    Parameters
    ----------
    features : bytes; known : bool, read only when partial.
    partial : compare known pixels only (for the onion peel).
    field, distance : int32, improved in place.
    valid : bool. May be the centre of a match; never in the padding.
    forward : scan from the top left, else from the bottom right.
    margin : [0, 1). A random match must beat the current one by this share, a neighbour's by anything: among
        equally good fields the one in larger pieces wins.
    reach : the first window of the random search goes so many pixels each way from the match.
    """
    first = pixels[start]
    last = pixels[stop - 1]
    step = 1 if forward else -1
    for i in range(stop - start):
        p = pixels[start + i] if forward else pixels[stop - 1 - i]
        q = field[p]
        best = distance[p]
        for axis in range(2):
            away = step if axis == 0 else step * grid[0]
            n = p - away
            c = field[n] if first <= n <= last else before[n]
            if c >= 0 and c + away != q and valid[c + away]:
                d = _distance(features, known, partial, p, c + away, grid, best)
                if d < best:
                    q = c + away
                    best = d
        q, best = _explore(features, known, partial, p, q, best, grid, valid, seed, margin, reach)
        field[p] = q
        distance[p] = best


@jit
def _explore(
    features: Array, known: Array, partial: bool, p: Number, q: Number, best: Number, grid: Array,
    valid: Array, seed: Number, margin: Number, reach: Number,
) -> Number:  # fmt: skip
    """Random search: one draw in each of a series of windows around the best match, which halve."""
    width, height = grid[0], grid[1]
    counter = np.uint64(p) * DRAWS
    y = np.int64(q // width)
    x = np.int64(q % width)
    limit = np.int32(np.float64(best) * (1.0 - margin))
    while reach >= 1 and limit > 0:
        bits = _hash(seed, counter)
        counter += np.uint64(1)
        span = np.uint64(2 * reach + 1)
        cy = y - reach + np.int64(((bits & np.uint64(0xFFFFFFFF)) * span) >> np.uint64(32))
        cx = x - reach + np.int64(((bits >> np.uint64(32)) * span) >> np.uint64(32))
        reach >>= 1
        if 0 <= cy < height and 0 <= cx < width and valid[cy * width + cx]:
            d = _distance(features, known, partial, p, cy * width + cx, grid, limit)
            if d < limit:
                best = d
                limit = np.int32(np.float64(best) * (1.0 - margin))
                y = cy
                x = cx
    return np.int32(y * width + x), best


@jit(fastmath=True)
def vote(
    start: int, stop: int, pixels: Array, planes: Array, field: Array, distance: Array, confidence: Array,
    sharpness: Number, grid: Array, out: Array, steps: Array,
) -> None:  # fmt: skip
    """Rebuild missing pixels from the patches that cover them (Wexler et al. 2007, section 3.1).

    Each patch that covers pixel p proposes what lies at p's place in its match, with the weight
    ``confidence · exp(−sharpness · d / mean d)``, the mean over the patches that cover p.

    Parameters
    ----------
    pixels : the missing ones, N of them.
    planes : (P, C) float32. Only pixels of valid matches and their neighbours are read.
    confidence : (P,) float32, of the patch with that centre.
    out : (N, C) float32, row by row like pixels.
    steps : (N, 4, K) float32, or (0, 4, K) when not wanted: the votes for the differences between the pixel's
        right, left, lower and upper neighbour and itself, in the first K planes.
    """
    pitch, _, _, side = grid
    r = side // 2
    weights = np.empty(side * side, np.float32)
    for i in range(start, stop):
        p = pixels[i]
        out[i] = 0
        if steps.shape[0] > 0:
            steps[i] = 0
        _weigh(p, field, distance, confidence, sharpness, pitch, r, weights)
        # Neighbours whose matches are neighbours propose the same pixel: it is read once.
        source = np.int64(-1)
        weight = np.float32(0)
        j = 0
        for dy in range(-r, r + 1):
            for dx in range(-r, r + 1):
                shift = dy * pitch + dx
                q = field[p + shift]
                if q >= 0:
                    if q - shift != source:
                        _add(i, source, weight, planes, pitch, out, steps)
                        source = np.int64(q - shift)
                        weight = np.float32(0)
                    weight += weights[j]
                j += 1
        _add(i, source, weight, planes, pitch, out, steps)


@jit(fastmath=True)
def _weigh(
    p: Number, field: Array, distance: Array, confidence: Array, sharpness: Number, pitch: Number, r: Number,
    weights: Array,
) -> None:  # fmt: skip
    """Set the weights, which sum to 1, of the patches that cover p; 0 where there is no match."""
    mean = np.float32(0)
    count = np.float32(0)
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            c = p + dy * pitch + dx
            if field[c] >= 0:
                mean += np.float32(distance[c])
                count += np.float32(1)
    scale = sharpness / (mean / count + np.float32(1)) / np.float32(8)
    total = np.float32(0)
    j = 0
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            c = p + dy * pitch + dx
            weight = np.float32(0)
            if field[c] >= 0:
                # (1 − x / 8)⁸ stands in for exp(−x), which would take half of the time of the vote.
                weight = max(np.float32(1) - np.float32(distance[c]) * scale, np.float32(1e-3))
                weight *= weight
                weight *= weight
                weight *= weight * confidence[c]
            weights[j] = weight
            total += weight
            j += 1
    for k in range(j):
        weights[k] /= total


@jit(fastmath=True)
def _add(
    i: Number, q: Number, weight: Number, planes: Array, pitch: Number, out: Array, steps: Array
) -> None:
    """Add one proposal to the votes of a missing pixel."""
    if q < 0:
        return
    for k in range(out.shape[1]):
        out[i, k] += weight * planes[q, k]
    if steps.shape[0] > 0:
        for k in range(steps.shape[2]):
            here = planes[q, k]
            steps[i, 0, k] += weight * (planes[q + 1, k] - here)
            steps[i, 1, k] += weight * (planes[q - 1, k] - here)
            steps[i, 2, k] += weight * (planes[q + pitch, k] - here)
            steps[i, 3, k] += weight * (planes[q - pitch, k] - here)


@jit
def imbalance(
    start: int, stop: int, pixels: Array, planes: Array, steps: Array, number: Array, pitch: int, out: Array
) -> None:
    """Return by how much the picture's differences miss the wanted ones, summed around each missing pixel.

    Parameters
    ----------
    pixels : N missing ones.
    planes : (P, C ≥ K) float32: the picture as voted.
    steps : (at least N, 4, K) as `vote` gives them, for these pixels and their missing neighbours. Between
        two missing pixels the mean of both votes is wanted.
    number : (P,) int32. The row of a missing pixel in `steps`, −1 for known pixels, −2 for the padding.
    out : (N, K) float32. Right-hand side of the equations of the correction (Pérez et al. 2003, equation
        7, written for the correction instead of for the picture), summed in double precision.
    """
    for i in range(start, stop):
        p = pixels[i]
        own = number[p]
        for k in range(out.shape[1]):
            total = 0.0
            for side in range(4):
                away = 1 if side < 2 else pitch
                c = p + (away if side % 2 == 0 else -away)
                n = number[c]
                if n > -2:
                    wanted = steps[own, side, k]
                    if n >= 0:
                        wanted = (wanted - steps[n, side ^ 1, k]) / 2
                    total += planes[c, k] - planes[p, k] - wanted
            out[i, k] = total
