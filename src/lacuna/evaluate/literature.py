"""Rows that papers and repositories print, to stand beside ours, with where they were read.

Only rows that were read in the source itself; nothing is quoted from memory.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A table of a paper or repository.

    Parameters
    ----------
    title : what it is, with year and table.
    source : where it was read.
    protocol : data, size, holes, figures.
    comparable : why it does, or does not, compare with a table of ours.
    columns : heads; the first is the method.
    """

    title: str
    source: str
    protocol: str
    comparable: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_OTHER_DATA = (
    "Not comparable in value unless this run used the same pictures and holes; the order of methods may be."
)

PUBLISHED: tuple[Published, ...] = (
    Published(
        title="LaMa (Suvorov et al. 2021), Table 1",
        source="paper, arXiv:2109.07161",
        protocol="Places 512² and CelebA-HQ 256²; narrow, wide and segmentation holes; FID / LPIPS",
        comparable=_OTHER_DATA + " FID is over Inception features.",
        columns=("method", "Mparams", "narrow", "wide", "segm.", "CelebA narrow", "CelebA wide"),
        rows=(
            ("LaMa-Fourier", "27", "0.63 / .090", "2.21 / .135", "5.35 / .058", "7.26 / .085", "6.96 / .098"),
            ("CoModGAN", "109", "0.82 / .111", "1.82 / .147", "6.40 / .066", "16.8 / .079", "24.4 / .102"),
            ("MADF", "85", "0.57 / .085", "3.76 / .139", "6.51 / .061", "–", "–"),
            ("AOT-GAN", "15", "0.79 / .091", "5.94 / .149", "7.34 / .063", "6.67 / .081", "10.3 / .118"),
            ("GCPR", "30", "2.93 / .143", "6.54 / .161", "9.20 / .073", "–", "–"),
            ("HiFill", "3", "9.24 / .218", "12.8 / .180", "12.7 / .085", "–", "–"),
            ("RegionWise", "47", "0.90 / .102", "4.75 / .149", "7.58 / .066", "11.1 / .124", "8.54 / .121"),
            ("DeepFill v2", "4", "1.06 / .104", "5.20 / .155", "9.17 / .068", "12.5 / .130", "11.2 / .126"),
            ("EdgeConnect", "22", "1.33 / .111", "8.37 / .160", "9.44 / .073", "9.61 / .099", "9.02 / .120"),
            ("RegionNorm", "12", "2.13 / .120", "15.7 / .176", "13.7 / .082", "–", "–"),
        ),
    ),
    Published(
        title="RePaint (Lugmayr et al. 2022), Places2 rows",
        source="paper, arXiv:2201.09865",
        protocol="100 pictures, 256²; LPIPS with AlexNet; T = 250, r = 10, jumps of 10",
        comparable=_OTHER_DATA + " LPIPS of AlexNet and of SqueezeNet are different scales.",
        columns=("method", "wide", "narrow", "super-res. 2×", "alternating lines", "half", "expand"),
        rows=(
            ("AOT-GAN", ".112", ".062", ".560", ".399", ".263", ".686"),
            ("DeepFill v2", ".097", ".051", ".120", ".070", ".254", ".550"),
            ("LaMa", ".078", ".039", ".369", ".138", ".233", ".512"),
            ("RePaint", ".105", ".044", ".099", ".051", ".286", ".615"),
        ),
    ),
    Published(
        title="MAT, README",
        source="README of the MAT repository",
        protocol="Places 512², small and large masks; FID, P-IDS %, U-IDS %",
        comparable=_OTHER_DATA + " All three need tens of thousands of pictures and Inception features.",
        columns=("method", "FID", "P-IDS", "U-IDS", "FID large", "P-IDS large", "U-IDS large"),
        rows=(
            ("MAT (8M)", "0.78", "31.72", "43.71", "1.96", "23.42", "38.34"),
            ("MAT (1.8M)", "1.07", "27.42", "41.93", "2.90", "19.03", "35.36"),
            ("CoModGAN (8M)", "1.10", "26.95", "41.88", "2.92", "19.64", "35.78"),
            ("LaMa-Big (4.5M)", "0.99", "22.79", "40.58", "2.97", "13.09", "32.39"),
        ),
    ),
    Published(
        title="mmagic, re-implementations",
        source="READMEs of the mmagic repository",
        protocol="256², Places365-val and CelebA-val; square or free-form holes; L1, PSNR, SSIM",
        comparable=_OTHER_DATA + " PSNR and SSIM are of the whole picture there.",
        columns=("method", "data and holes", "L1 as printed", "PSNR", "SSIM"),
        rows=(
            ("Global&Local", "Places, square", "11.164", "23.152", "0.862"),
            ("DeepFill v1", "Places, square", "11.019", "23.429", "0.862"),
            ("PConv, stage 2", "Places, free-form", "8.776", "22.762", "0.801"),
            ("DeepFill v2", "Places, free-form", "8.635", "22.398", "0.815"),
            ("Global&Local", "CelebA, square", "6.678", "26.780", "0.904"),
            ("DeepFill v1", "CelebA, square", "6.677", "26.878", "0.911"),
            ("PConv, stage 2", "CelebA, free-form", "5.990", "25.404", "0.853"),
            ("DeepFill v2", "CelebA, free-form", "5.411", "25.721", "0.871"),
        ),
    ),
    Published(
        title="AOT-GAN by hole ratio: paper / mmagic",
        source="README of the mmagic repository",
        protocol="Places365-val 512², free-form holes by ratio; whole-picture PSNR and SSIM",
        comparable=_OTHER_DATA
        + " The infinite mean is printed: one picture came back equal. Here it is capped.",
        columns=("figure", "1–10 %", "10–20", "20–30", "30–40", "40–50", "50–60"),
        rows=(
            (
                "PSNR",
                "34.79 / inf",
                "29.49 / 31.22",
                "26.03 / 27.65",
                "23.58 / 25.06",
                "21.65 / 23.01",
                "19.01 / 20.05",
            ),
            (
                "SSIM",
                ".976 / .982",
                ".940 / .951",
                ".890 / .911",
                ".835 / .866",
                ".773 / .815",
                ".682 / .739",
            ),
        ),
    ),
)
