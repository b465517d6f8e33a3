"""Doctests of modules that need torch are left out where it is not installed."""

from importlib.util import find_spec

if find_spec("torch") is None or find_spec("safetensors") is None:
    collect_ignore_glob = [
        "lacuna/nets/[a-z]*.py",
        "lacuna/diffusion/*.py",
        "lacuna/losses.py",
        "lacuna/torch_io.py",
    ]
