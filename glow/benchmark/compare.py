"""Measure several subjects side by side."""

import multiprocessing
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from glow.benchmark.case import Case
from glow.benchmark.choices import choices
from glow.benchmark.measure import forget_peak, megabytes_held, megabytes_peak, seconds

SIZES = ("image_shape", "n_levels", "n_steps", "batch_size", "width")
Key = TypeVar("Key")
Size = Mapping[str, Any]  # the arguments of a Case without its subject


def compare_subjects(
    subjects: Sequence[str], size: Size, n_rounds: int, rates: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return one row for each subject: its times, measured alternately, and its memory.

    GFLOP/s count the work of the subject ``glow``: what others compute twice, or what a peer
    computes in another way, does not count.

    Args:
        subjects: The subjects.
        size: The size of all of them.
        n_rounds: The number of rounds after a first one that warms up.
        rates: The GFLOP/s of the fastest large matrix product, by the name of the precision.
    """
    with _quiet():
        cases = {subject: Case(subject=subject, **size) for subject in subjects}
        taken = _turn_by_turn(
            {
                (subject, name): operation
                for subject, case in cases.items()
                for name, operation in case.operations().items()
            },
            n_rounds,
            size["device"],
        )
        with FlopCounterMode(display=False) as counter:
            (cases.get("glow") or Case(subject="glow", **size)).train()
        gigaflops = float(counter.get_total_flops()) / 1e9
        rows = []
        for subject in subjects:
            times = {name: values for (who, name), values in taken.items() if who == subject}
            medians = {name: statistics.median(values) for name, values in times.items()}
            precision = cases[subject].precision
            achieved = gigaflops / medians["train"]
            n_images = {name: size["batch_size"] for name in medians if name != "sample"}
            n_images["sample"] = size["n_samples"]
            rows.append(
                {
                    "subject": subject,
                    **{name: size[name] for name in SIZES},
                    "seconds": times,
                    "median_seconds": medians,
                    "images_per_second": {n: n_images[n] / medians[n] for n in times},
                    "gflops": achieved,
                    "precision": precision,
                    "part_of_matrix_rate": achieved / rates[precision],
                    **_memory(cases[subject], {"subject": subject, **size}),
                }
            )
        return rows


def compare_choices(size: Size, n_rounds: int) -> list[dict[str, Any]]:
    """Return one row for each choice, at the finest level and at the coarsest.

    Args:
        size: The size of the model and its batches, by name.
        n_rounds: The number of rounds.
    """
    rows = []
    for level in sorted({1, size["n_levels"]}):
        channels = size["image_shape"][0] * 2 ** (level + 1)
        side = size["image_shape"][1] // 2**level
        shared = {name: size[name] for name in ("width", "batch_size", "n_steps", "device")}
        given = {c.name: c for c in choices(channels=channels, side=side, **shared)}
        operations = {(n, way): getattr(c, way) for n, c in given.items() for way in WAYS}
        taken = _turn_by_turn(operations, 5 * n_rounds, size["device"])
        rows += [
            {
                "choice": name,
                "taken": choice.taken,
                "level": level,
                **{f"{way}_seconds": statistics.median(taken[name, way]) for way in WAYS},
            }
            for name, choice in given.items()
        ]
    return rows


WAYS = ("plain", "chosen")


def _turn_by_turn(
    operations: Mapping[Key, Callable[[], Any]], n_rounds: int, device: str
) -> dict[Key, list[float]]:
    """Return the seconds of every operation in every round after the first, which warms up."""
    taken: dict[Key, list[float]] = {key: [] for key in operations}
    for turn in range(n_rounds + 1):
        for key, operation in operations.items():
            elapsed = seconds(operation, device)
            if turn:
                taken[key].append(elapsed)
    return taken


def _memory(case: Case, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``_memory_of`` returns, on a CPU from a new process.

    The peak of a process never falls, so that it would be that of the largest case.
    """
    if case.device != "cpu":
        return _memory_of(case)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(_memory_of_new, settings).result()


def _memory_of_new(settings: Mapping[str, Any]) -> dict[str, Any]:
    with _quiet():
        return _memory_of(Case(**settings))


def _memory_of(case: Case) -> dict[str, Any]:
    """Return the parameters of a case, and the megabytes that two training steps need.

    Activations are the peak minus the memory of the model, its gradients and the optimizer.
    """
    for parameter in case.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    case.optimizer.step()
    before = megabytes_held(case.device)
    forget_peak(case.device)
    for _ in range(2):
        case.train()
    return {
        "parameters": sum(p.numel() for p in case.model.parameters()),
        "activation_megabytes": megabytes_peak(case.device) - before,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings about the peer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
