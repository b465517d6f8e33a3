"""What tables need to know about the figures of one picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """A figure as tables show it.

    Parameters
    ----------
    title : column head, with the unit.
    better : 1 = more, -1 = less, 0 = neither (a figure for orientation, never tested).
    form : format of its values.
    region : ``picture`` (the whole, composited), ``hole`` (missing pixels) or ``rim``.
    """

    title: str
    better: int
    form: str
    region: str

    @property
    def arrow(self) -> str:
        """An arrow towards the better side."""
        return {1: "↑", -1: "↓", 0: ""}[self.better]


FACTS: dict[str, Facts] = {
    "lpips": Facts("LPIPS", -1, ".4f", "picture"),
    "psnr_hole": Facts("hole-PSNR, dB", 1, ".2f", "hole"),
    "ssim_hole": Facts("hole-SSIM", 1, ".4f", "hole"),
    "l1_hole": Facts("hole-L1, %", -1, ".2%", "hole"),
    "l2_hole": Facts("hole-L2, %", -1, ".2%", "hole"),
    "psnr": Facts("PSNR, dB", 1, ".2f", "picture"),
    "ssim": Facts("SSIM", 1, ".4f", "picture"),
    "ms_ssim": Facts("MS-SSIM", 1, ".4f", "picture"),
    "l1": Facts("L1, %", -1, ".2%", "picture"),
    "l2": Facts("L2, %", -1, ".2%", "picture"),
    "tv_excess": Facts("TV − truth's", 0, "+.4f", "hole"),
    "seam": Facts("seam, of 255", 0, "+.1f", "rim"),
}
"""The main figure first. ``l1`` and ``l2`` are printed as the papers do, in per cent of the range."""
