"""The built-in methods: facts only, no code."""

from __future__ import annotations

from lacuna.registry import MethodSpec

_CLASSICAL = "lacuna.methods.classical"

SPECS: tuple[MethodSpec, ...] = (
    MethodSpec(
        name="auto",
        family="meta",
        summary="thin holes by a PDE, everything else by patchmatch; says which and why",
        factory="lacuna.methods.auto:Auto",
        aux=frozenset({"sources"}),
        random=True,
    ),
    MethodSpec(
        name="patchmatch",
        family="classical",
        summary="copies texture and structure from the rest of the photo; objects of any size",
        factory=f"{_CLASSICAL}.patchmatch:PatchMatch",
        reference="Newson et al. 2014 (SIAM J. Imaging Sci. 7(4)); Barnes et al. 2009; Wexler et al. 2007",
        aux=frozenset({"sources"}),
        random=True,
    ),
    MethodSpec(
        name="biharmonic",
        family="classical",
        summary="the smoothest surface that continues values and slopes; scratches, gradients, data",
        factory=f"{_CLASSICAL}.biharmonic:Biharmonic",
        reference="Chui & Mhaskar 2010 (Appl. Comput. Harmon. Anal. 28)",
    ),
    MethodSpec(
        name="telea",
        family="classical",
        summary="fast marching (OpenCV); thin scratches, in milliseconds",
        factory=f"{_CLASSICAL}.opencv:Telea",
        reference="Telea 2004 (J. Graphics Tools 9(1))",
    ),
    MethodSpec(
        name="navier-stokes",
        family="classical",
        summary="continues lines of equal brightness (OpenCV); thin scratches, in milliseconds",
        factory=f"{_CLASSICAL}.opencv:NavierStokes",
        reference="Bertalmío, Bertozzi & Sapiro 2001 (CVPR)",
    ),
    MethodSpec(
        name="opencv-shiftmap",
        family="classical",
        summary="peer: OpenCV contrib's shift map, run in the interpreter LACUNA_PEER_PYTHON",
        factory=f"{_CLASSICAL}.opencv_contrib:ShiftMap",
        reference="He & Sun 2012 (ECCV), as implemented by OpenCV contrib xphoto",
        deterministic=False,
        probe=f"{_CLASSICAL}.opencv_contrib:missing",
    ),
    MethodSpec(
        name="opencv-fsr",
        family="classical",
        summary="peer: OpenCV contrib's frequency selective reconstruction, run in LACUNA_PEER_PYTHON",
        factory=f"{_CLASSICAL}.opencv_contrib:FrequencySelective",
        reference="Genser et al. 2018 (PCS), as implemented by OpenCV contrib xphoto",
        deterministic=False,
        probe=f"{_CLASSICAL}.opencv_contrib:missing",
    ),
    MethodSpec(
        name="gmic",
        family="classical",
        summary="peer: G'MIC's patch-based inpaint or inpaint_matchpatch, when gmic is on the PATH",
        factory=f"{_CLASSICAL}.gmic:Gmic",
        reference="Daisy et al. 2013 (ICIP), as implemented by G'MIC",
        deterministic=False,
        probe=f"{_CLASSICAL}.gmic:missing",
    ),
)
