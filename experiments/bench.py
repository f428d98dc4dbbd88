"""Time a Glow and measure its memory, beside a peer: python experiments/bench.py n_steps=[4,8]."""

import importlib.util
import json
import multiprocessing
import re
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import glow
from glow import figures
from glow.entry_point import console, entry_point
from glow.layers import AffineCoupling, CouplingNet
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.provenance import device_name, provenance

OURS: dict[str, dict[str, Any]] = {
    "glow": {},
    "checkpoint": {"memory": "checkpoint"},
    "reverse": {"memory": "reverse"},
    "bf16 nets": {"bf16": True},
}
PEER = "normflows"
SHARED = ("n_levels", "width", "batch_size", "n_samples", "device")  # by all that is compared
LEARNING_RATE = 1e-5  # so small that the weights, and so the numbers, stay what they are


@dataclass
class Case:
    """One library at one setting, in one process."""

    subject: str
    n_steps: int
    image_shape: tuple[int, int, int]
    n_levels: int
    width: int
    batch_size: int
    n_samples: int
    device: str

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        shape = (self.batch_size, *self.image_shape)
        self.images = torch.randint(256, shape, dtype=torch.uint8).to(self.device)
        self.options = dict(OURS.get(self.subject, {}))
        self.bf16 = self.options.pop("bf16", False)
        self.model: Any = (self._peer() if self.subject == PEER else self._ours()).to(self.device)
        self.optimizer = torch.optim.Adamax(self.model.parameters(), lr=LEARNING_RATE)

    def operations(self) -> dict[str, Callable[[], Any]]:
        """Return what is timed, by name."""
        if self.subject == PEER:
            sample = partial(self._without_gradients, self.model.sample, self.n_samples)
            return {"train": self.train, "sample": sample}
        if self.subject != "glow":
            return {"train": self.train}
        return {
            "train": self.train,
            "evaluate": partial(self._without_gradients, self.model.log_prob, self.images),
            "encode": partial(self.model.encode, self.images),
            "sample": partial(self.model.sample, self.n_samples),
        }

    def train(self) -> None:
        """Take one step of the optimizer."""
        self.optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            loss = self._loss()
        loss.backward()
        self.optimizer.step()

    def _loss(self) -> Tensor:
        if self.subject == PEER:
            return self.model.forward_kld(self.images / 256)
        latents, log_det = self.model(self.images)
        log_prob = standard_normal_log_prob(latents) + log_det
        return bits_per_dim(log_prob, self.image_shape).mean()

    @torch.no_grad()
    def _without_gradients(self, function: Callable[..., Any], *arguments: Any) -> None:
        function(*arguments)

    def _ours(self) -> glow.Glow:
        net = partial(CouplingNet, width=self.width)
        coupling = partial(AffineCoupling, net=net)
        model = glow.Glow(
            self.image_shape,
            n_levels=self.n_levels,
            n_steps=self.n_steps,
            coupling=coupling,
            **self.options,
        )
        model.initialize(self.images.cpu())
        return model

    def _peer(self) -> nn.Module:
        import normflows as nf

        channels, height, width = self.image_shape
        flows, merges, bases = [], [], []
        for level in range(self.n_levels):  # coarsest first
            fold = 2 ** (self.n_levels - level)
            inside = channels * fold * 2
            blocks = [
                nf.flows.GlowBlock(inside, self.width, split_mode="channel", scale=True)
                for _ in range(self.n_steps)
            ]
            flows.append([*blocks, nf.flows.Squeeze()])
            merges += [nf.flows.Merge()] if level else []
            latent = inside // 2 if level else inside
            bases.append(nf.distributions.DiagGaussian((latent, height // fold, width // fold)))
        return nf.MultiscaleFlow(bases, flows, merges)


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure, print a table, write what was measured and a plot."""
    torch.set_num_threads(config.threads or torch.get_num_threads())
    subjects = list(config.subjects)
    if unknown := set(subjects) - {*OURS, PEER}:
        raise ValueError(f"no subjects are called {unknown}; there are {', '.join([*OURS, PEER])}")
    if PEER in subjects and not importlib.util.find_spec(PEER):
        console.print(f"{PEER} is not installed, and not measured: pip install -e '.[bench]'")
        subjects.remove(PEER)
    rate = _matrix_product_rate(config.device)
    rows: list[dict[str, Any]] = []
    for n_steps in config.n_steps:
        settings = {name: config[name] for name in SHARED} | {"n_steps": n_steps}
        settings["image_shape"] = tuple(config.image_shape)
        rows += _measure(subjects, settings, config.n_rounds, rate)
    _print(rows, rate)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    result = {
        **{name: config[name] for name in ("width", "batch_size", "n_samples")},
        "device": device_name(torch.device(config.device)),
        "matrix_product_gflops": rate,
        "rows": rows,
        **provenance(),
    }
    output.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    figures.save(_plot(rows), output.with_suffix(".png"))
    console.print(f"written {output}.json and {output}.png")


def _measure(
    subjects: list[str], settings: dict[str, Any], n_rounds: int, rate: float
) -> list[dict[str, Any]]:
    """Return one row for each subject: its times, taken turn by turn, and its memory."""
    with _quiet():
        cases = {subject: Case(subject=subject, **settings) for subject in subjects}
        operations = {
            (subject, name): operation
            for subject, case in cases.items()
            for name, operation in case.operations().items()
        }
        seconds: dict[tuple[str, str], list[float]] = {key: [] for key in operations}
        for turn in range(n_rounds + 1):
            for key, operation in operations.items():
                elapsed = _seconds(operation, settings["device"])
                if turn:  # the first warms up
                    seconds[key].append(elapsed)
        with FlopCounterMode(display=False) as counter:
            Case(subject="glow", **settings).train()
        gigaflops = counter.get_total_flops() / 1e9
        del cases, operations
        context = multiprocessing.get_context("spawn")
        rows = []
        for subject in subjects:
            with ProcessPoolExecutor(1, mp_context=context) as fresh:
                memory = fresh.submit(_memory, {"subject": subject, **settings}).result()
            times = {name: values for (who, name), values in seconds.items() if who == subject}
            achieved = gigaflops / statistics.median(times["train"])
            rows.append(
                {
                    "subject": subject,
                    "n_steps": settings["n_steps"],
                    "seconds": times,
                    "images_per_second": {
                        name: settings["n_samples" if name == "sample" else "batch_size"]
                        / statistics.median(values)
                        for name, values in times.items()
                    },
                    "gflops": achieved,
                    "part_of_matrix_product_rate": achieved / rate,
                    **memory,
                }
            )
        return rows


def _memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a case, and the megabytes that two training steps need.

    ``activations`` is the peak less what is held by the model, its gradients and the state of the
    optimizer before the first of them.
    """
    with _quiet():
        case = Case(**settings)
        for parameter in case.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        case.optimizer.step()
        before = _held(case.device)
        for _ in range(2):
            case.train()
        peak = _peak(case.device)
    return {
        "parameters": sum(p.numel() for p in case.model.parameters()),
        "peak_megabytes": peak,
        "activation_megabytes": peak - before,
    }


def _held(device: str) -> float:
    """Return the megabytes in use: of the GPU, or of this process."""
    return torch.cuda.memory_allocated() / 1e6 if device == "cuda" else _of_process("VmRSS")


def _peak(device: str) -> float:
    """Return the most megabytes that have been in use."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return _of_process("VmHWM")


def _of_process(what: str) -> float:
    """Return megabytes, as Linux counts them for this process; nan elsewhere."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else float("nan")


def _seconds(operation: Callable[[], Any], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    operation()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _matrix_product_rate(device: str, size: int = 2048) -> float:
    """Return the GFLOP/s of a large float32 matrix product, the best of ten."""
    a = torch.randn(size, size, device=device)
    return 2e-9 * size**3 / min(_seconds(lambda: a @ a, device) for _ in range(10))


def _print(rows: list[dict[str, Any]], rate: float) -> None:
    table = Table(title=f"medians; matrix products run at {rate:,.0f} GFLOP/s", padding=(0, 0))
    headings = ("K", "", "s/step", "of rate", "evaluate", "encode", "sample", "activations")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        values = row["seconds"]["train"]
        speeds = row["images_per_second"]
        table.add_row(
            str(row["n_steps"]),
            row["subject"],
            f"{statistics.median(values):.3f}",
            f"{row['part_of_matrix_product_rate']:.0%}",
            *(
                f"{speeds[name]:,.0f}/s" if name in speeds else ""
                for name in ("evaluate", "encode", "sample")
            ),
            f"{row['activation_megabytes']:,.0f} MB",
        )
    console.print(table)


def _plot(rows: list[dict[str, Any]]) -> Figure:
    """Draw how seconds and memory grow with K."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    for subject in dict.fromkeys(row["subject"] for row in rows):
        own = [row for row in rows if row["subject"] == subject]
        k = [row["n_steps"] for row in own]
        medians = [statistics.median(row["seconds"]["train"]) for row in own]
        time_axes.plot(k, medians, marker="o", label=subject)
        memory_axes.plot(k, [row["activation_megabytes"] for row in own], marker="o")
    time_axes.set(xlabel="steps per level, K", ylabel="seconds per training step", ylim=(0, None))
    memory_axes.set(xlabel="steps per level, K", ylabel="MB for activations", ylim=(0, None))
    time_axes.legend(fontsize=8)
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
    return figure


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the peer is warned of to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    main()
