"""Seconds a picture of ``repaint`` with its preset ``paper``, and what the sampler adds to the network.

::

    PYTHONPATH=src python benchmarks/repaint_speed.py                     # a GPU, about two minutes
    PYTHONPATH=src python benchmarks/repaint_speed.py --compile regions   # the blocks compiled as well
    PYTHONPATH=src python benchmarks/repaint_speed.py --weights FILE --ways 0 --device cpu --batches 1,4
    PYTHONPATH=src python benchmarks/repaint_speed.py --tiny              # anywhere, in seconds: does it run?

The network is the published one of guided diffusion at 256 pixels (553 M parameters) with random weights,
which take as long as good ones; with ``--weights`` that file's (``shipped``: Lacuna's own), at its size.
A call is timed by CUDA events, median of ``--calls``; the preset's calls are counted from its list of times.
What the sampler costs is measured, not computed: a short schedule of the same kind, conditioning included, in
turns with the same number of bare calls of the same network.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lacuna.diffusion import Noise, RePaint, denoiser, jump_times, linear, sample
from lacuna.diffusion.conditioning import calls
from lacuna.diffusion.graphs import captured
from lacuna.methods.diffusion.repaint import PRESETS
from lacuna.nets.denoising import load
from lacuna.nets.guided_diffusion import GuidedDiffusionUNet, ResidualBlock
from lacuna.threads import thread_count
from lacuna.weights import shipped

PAPER = PRESETS["paper"]
SHORT, SHORTER = (20, 4, 2), (6, 2, 2)
"""T, jump, resample of the schedules on which the sampler is compared with bare calls: 36 calls, or 10 where
a call takes long."""
LONG = 0.1
"""Seconds of a call that takes long."""

Network = Callable[[Tensor, Tensor], Tensor]


class Way(NamedTuple):
    """One way to run the network."""

    name: str
    dtype: torch.dtype = torch.float32
    tf32: bool = False
    graphs: bool = False
    channels_last: bool = False
    compiled: str = ""

    @property
    def tuned(self) -> bool:
        """Whether convolutions are tried out first: where a graph is captured anyway."""
        return self.graphs


WAYS = (
    Way("fp32"),
    Way("TF32", tf32=True),
    Way("bf16, eager", torch.bfloat16),
    Way("bf16, graph", torch.bfloat16, graphs=True),
    Way("bf16, graph, channels last", torch.bfloat16, graphs=True, channels_last=True),
)


class Clock:
    """CUDA events where there are any; on one thread the process's own time, else the wall clock."""

    def __init__(self, device: torch.device) -> None:
        self.gpu = device.type == "cuda"
        # Its own time is not touched by other work on the machine.
        self.now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter

    def seconds(self, work: Callable[[], Any]) -> float:
        """Return how long work takes, waited for."""
        if not self.gpu:
            start = self.now()
            work()
            return self.now() - start
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        work()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / 1000


def prepared(net: nn.Module, way: Way, batch: int, side: int, device: torch.device) -> Network:
    """Return the network as one way runs it: float32 in, float32 out."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = way.tf32
    torch.backends.cudnn.benchmark = way.tuned
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    net.to(dtype=way.dtype, memory_format=layout)  # type: ignore[call-overload]
    _compile(net, way.compiled)

    def network(x: Tensor, step: Tensor) -> Tensor:
        return net(x.to(way.dtype, memory_format=layout), step).float()

    if way.graphs and device.type == "cuda":
        return captured(network, torch.zeros(batch, 3, side, side, device=device))
    return network


def _compile(net: nn.Module, what: str) -> None:
    """Compile the residual blocks, or all; a graph by hand is put around either."""
    if what == "regions":
        import torch._dynamo as dynamo

        dynamo.config.recompile_limit = 256  # a block of each width, size and batch
        for module in net.modules():
            if isinstance(module, ResidualBlock) and module._compiled_call_impl is None:
                module.compile(dynamic=False)
    elif what == "whole":
        net.compile(dynamic=False)


def measure(net: nn.Module, way: Way, batch: int, args: argparse.Namespace) -> dict[str, Any]:
    """Return the row of one way at one batch size."""
    device, clock = args.device, Clock(args.device)
    started = time.perf_counter()
    if clock.gpu:
        torch.cuda.reset_peak_memory_stats()  # before a capture: a graph's memory is allocated there
    network = prepared(net, way, batch, args.side, device)
    x = torch.randn(batch, 3, args.side, args.side, device=device)
    step = torch.full((batch,), 500, device=device)
    for _ in range(2):
        network(x, step)
    if clock.gpu:
        torch.cuda.synchronize()
    ready = time.perf_counter() - started
    times = [clock.seconds(lambda: network(x, step)) for _ in range(args.calls)]
    call = median(times)
    row = {
        "way": way.name,
        "batch": batch,
        "seconds_per_call": call,
        "spread": (min(times), max(times)),
        "preparing_seconds": ready,
    }
    loop, bare = _loop_and_bare(network, x, clock, SHORTER if call > LONG else SHORT, args.turns)
    row["overhead"] = loop / bare - 1
    for name, setting in PRESETS.items():
        row[name] = call * (loop / bare) * calls(jump_times(*setting)) / batch  # seconds a picture
    row["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30 if clock.gpu else None
    return row


def _loop_and_bare(
    network: Network, x: Tensor, clock: Clock, setting: tuple[int, int, int], turns: int
) -> tuple[float, float]:
    """Return medians of the seconds of a short schedule, and of as many bare calls, in turns."""
    count, jump, resample = setting
    batch, _, side, _ = x.shape
    schedule = linear().respaced(count)
    hole = torch.zeros(1, 1, side, side, dtype=torch.bool, device=x.device)
    hole[..., side // 4 : -side // 4, side // 4 : -side // 4] = True
    condition = RePaint(x[:1].clamp(-1, 1), hole, jump=jump, resample=resample)
    noise = Noise.seeded(0, batch, x.device)
    denoise = denoiser(network, schedule)
    number = calls(condition.times(count))
    step = torch.full((batch,), 500, device=x.device)

    def loop() -> None:
        sample(denoise, schedule, x, noise=noise, condition=condition)

    def bare() -> None:
        for _ in range(number):
            network(x, step)

    found = [(clock.seconds(loop), clock.seconds(bare)) for _ in range(turns + 1)][1:]
    return median(a for a, _ in found), median(b for _, b in found)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown; how much faster is against fp32 at the same batch."""
    base = {row["batch"]: row["paper"] for row in rows if row["way"] == "fp32"}
    head = (
        "| way | batch | ms a call | s a picture, paper | fast | faster than fp32 | sampler adds | peak GiB |"
    )
    lines = [head, "|---" * 8 + "|"]
    for row in rows:
        faster = base[row["batch"]] / row["paper"] if row["batch"] in base else float("nan")
        peak = "–" if row["peak_gib"] is None else f"{row['peak_gib']:.1f}"
        lines.append(
            f"| {row['way']} | {row['batch']} | {1000 * row['seconds_per_call']:.2f} | "
            f"{row['paper']:.1f} | {row['fast']:.2f} | {faster:.1f}× | {row['overhead']:+.1%} | {peak} |"
        )
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--ways", help="numbers of the ways, from 0, by commas; all unless given")
    parser.add_argument("--calls", type=int, default=20, help="timed calls of each way")
    parser.add_argument("--turns", type=int, default=2, help="turns of sampler against bare calls")
    parser.add_argument("--compile", choices=("regions", "whole"), help="add torch.compile inside the graph")
    parser.add_argument("--weights", help="a file, or shipped")
    parser.add_argument("--tiny", action="store_true", help="a small network at 32 pixels")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench-output/repaint_speed.json"))
    return parser.parse_args()


def main() -> None:
    """Print the table and write the figures; each row is written as soon as it is there."""
    args = parse()
    torch.set_num_threads(thread_count())
    args.side = 32 if args.tiny else 256
    sizes: dict[str, Any] = {"width": 32, "multiples": (1, 2), "attention": (1,), "head": 32}
    torch.manual_seed(0)
    if args.weights is not None:
        model = load(shipped("ddpm") if args.weights == "shipped" else args.weights)
        net, args.side = model.net.to(args.device), model.facts.size
    else:
        with torch.device(args.device):
            net = GuidedDiffusionUNet(**(sizes if args.tiny else {})).eval().requires_grad_(False)
    parameters = sum(value.numel() for value in net.parameters())
    ways = list(WAYS)
    if args.compile:
        name = f"bf16, graph, channels last, compiled ({args.compile})"
        ways.append(Way(name, torch.bfloat16, graphs=True, channels_last=True, compiled=args.compile))
    if args.ways:
        ways = [ways[int(number)] for number in args.ways.split(",")]
    gpu = torch.cuda.get_device_name() if args.device.type == "cuda" else platform.processor() or "CPU"
    facts = {
        "device": gpu,
        "torch": torch.__version__,
        "parameters": parameters,
        "side": args.side,
        "threads": torch.get_num_threads(),
        "calls": {name: calls(jump_times(*setting)) for name, setting in PRESETS.items()},
    }
    print(f"{gpu}, torch {torch.__version__}, {parameters / 1e6:.0f} M parameters, {args.side}×{args.side}")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    started = time.perf_counter()
    for way in ways:
        for batch in map(int, args.batches.split(",")):
            with torch.inference_mode():
                row = measure(net, way, batch, args)
            rows.append(row)
            print(f"{time.perf_counter() - started:6.1f} s  {table(rows).splitlines()[-1]}", flush=True)
            args.output.write_text(json.dumps({**facts, "rows": rows}, indent=1))
            if args.device.type == "cuda":
                torch.cuda.empty_cache()
    print(table(rows))
    args.output.with_suffix(".md").write_text(table(rows) + "\n")


if __name__ == "__main__":
    main()
