from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lacuna import torch_io
from lacuna.errors import WeightsError, WeightsNotFoundError
from lacuna.nets import loading

SMALL: dict[str, dict[str, Any]] = {
    "partial-conv": {"width": 4, "levels": 4, "convention": "authors"},
    "gated-conv": {"width": 8, "sketch": True},
    "contextual-attention": {"width": 4},
    "lama": {"width": 8, "blocks": 2, "kind": "dilated"},
    "context-encoder": {"width": 4, "bottleneck": 8, "region": "random"},
    "pen-net": {"width": 4},
}


@pytest.mark.parametrize("method", SMALL)
def test_our_files_come_back_whole(method: str, tmp_path: Path) -> None:
    net = loading.NETS[method](**SMALL[method])
    torch_io.save(net, tmp_path / "net.safetensors")
    kind, again = loading.load(tmp_path / "net.safetensors", method)
    assert kind == method
    assert again.config == net.config
    assert not again.training
    ours, theirs = net.state_dict(), again.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("wrap", ["state_dict", "G", "netG", "generator", None])
@pytest.mark.parametrize("prefix", ["", "module.", "generator."])
def test_wrapped_checkpoints(wrap: str | None, prefix: str, tmp_path: Path) -> None:
    net = loading.NETS["pen-net"](4)
    state: Any = {prefix + key: value for key, value in net.state_dict().items()}
    torch.save({wrap: state, "step": 5, "args": {"lr": 0.1}} if wrap else state, tmp_path / "x.pth")
    assert loading.load(tmp_path / "x.pth")[0] == "pen-net"


def test_half_precision_checkpoints_become_float32(tmp_path: Path) -> None:
    net = loading.NETS["pen-net"](4)
    torch.save({key: value.half() for key, value in net.state_dict().items()}, tmp_path / "x.pt")
    again = loading.load(tmp_path / "x.pt")[1]
    assert {p.dtype for p in again.parameters()} == {torch.float32}


def test_a_mismatch_lists_all_three_kinds() -> None:
    net = loading.NETS["pen-net"](4)
    state = net.state_dict()
    del state["encoder.0.bias"]
    state["extra"] = torch.ones(1)
    state["head.2.bias"] = torch.ones(5)
    words = (
        "the file does not fit PENNet: 1 missing: encoder.0.bias; 1 unexpected: extra; "
        "1 misshapen: head.2.bias (5,) instead of (3,)"
    )
    with pytest.raises(WeightsError, match=re.escape(words)):
        torch_io.load_strict(net, state, "the file")


def test_long_lists_are_cut() -> None:
    with pytest.raises(WeightsError, match=r"\d+ missing: encoder.0.weight, .* and \d+ more"):
        torch_io.load_strict(loading.NETS["pen-net"](4), {})


def test_counts_of_batches_may_be_missing() -> None:
    net = loading.NETS["lama"](8, 1)
    state = {k: torch.rand_like(v) for k, v in net.state_dict().items() if "num_batches" not in k}
    assert len(state) < len(net.state_dict())
    torch_io.load_strict(net, state)
    assert all(torch.equal(net.state_dict()[k], v) for k, v in state.items())


class Mischief:
    def __reduce__(self) -> Any:
        return (eval, ("1/0",))


def broken_files(folder: Path) -> dict[str, Path]:
    """Write one file of each kind of trouble."""
    paths = {name: folder / f"{name}.pt" for name in ("pickle", "truncated", "text", "empty", "no tensors")}
    paths |= {name: folder / f"{name}.safetensors" for name in ("cut", "not finite", "nobody's")}
    paths["pickle"].write_bytes(pickle.dumps({"state_dict": Mischief()}))
    net = loading.NETS["pen-net"](4)
    torch.save(net.state_dict(), paths["truncated"])
    paths["truncated"].write_bytes(paths["truncated"].read_bytes()[:9000])
    paths["text"].write_text("weights? what weights?")
    paths["empty"].write_bytes(b"")
    torch.save({"epoch": 3}, paths["no tensors"])
    torch_io.save(net, paths["cut"])
    paths["cut"].write_bytes(paths["cut"].read_bytes()[:-10])
    state = net.state_dict()
    state["encoder.0.bias"][1] = float("nan")
    save_file(state, paths["not finite"])
    save_file({"somebody.elses": torch.ones(1)}, paths["nobody's"])
    return paths


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pickle", "cannot be read safely.*weights_only=False"),
        ("truncated", "cannot be read safely"),
        ("text", "is no weights file of PyTorch"),
        ("empty", "is no weights file of PyTorch"),
        ("no tensors", "no names and tensors"),
        ("cut", "no complete safetensors file"),
        ("not finite", "not finite, in encoder.0.bias"),
        ("nobody's", "no network that Lacuna has.*somebody.elses"),
    ],
)
def test_files_that_are_no_weights(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"(?s){words}"):
        loading.load(broken_files(tmp_path)[name])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="no weights at"):
        torch_io.read(tmp_path / "x.pt")


def test_weights_of_another_method(tmp_path: Path) -> None:
    torch_io.save(loading.NETS["pen-net"](4), tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="weights of 'pen-net', not of 'lama'"):
        loading.load(tmp_path / "x.safetensors", "lama")


def test_an_incomplete_state_is_named(tmp_path: Path) -> None:
    save_file({"enc_1.conv.weight": torch.ones(4, 3, 7, 7)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="looks like weights of 'partial-conv', but is incomplete"):
        loading.load(tmp_path / "x.safetensors")


def test_constants_of_published_networks_are_checked() -> None:
    with pytest.raises(WeightsError, match="not the 3×3 identity"):
        torch_io.from_deepfill_v2({"stage2.contextual_attention.fuse_weight": torch.ones(1, 1, 3, 3)})
    with pytest.raises(WeightsError, match="not all ones"):
        torch_io.from_partial_conv({"enc_1.conv.mask_conv.weight": torch.zeros(1)})
