"""Where a number comes from: versions, revision, hardware."""

import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy")


def provenance() -> dict[str, Any]:
    """Return the versions of the packages that matter and the git revision, as plain Python."""
    return {
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "git_revision": git_revision(),
        "cpu_threads": torch.get_num_threads(),
    }


def device_name(device: torch.device) -> str:
    """Return the name of a GPU or of the processor, or the type of any other device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name() if device.type == "cpu" else device.type


def processor_name() -> str:
    """Return the maker's name of the processor, and the widest vectors that torch uses on it.

    The vectors tell apart what clouds give the same name, as ``AMD EPYC (AVX2)``.
    """
    described = Path("/proc/cpuinfo")
    found = re.search(
        r"^model name\s*: (.+)", described.read_text() if described.is_file() else "", re.MULTILINE
    )
    name = found[1] if found else platform.processor() or platform.machine()
    name = re.sub(r"\((R|TM|tm)\)|@.*", "", name)
    return f"{' '.join(name.split())} ({torch.backends.cpu.get_cpu_capability()})"


def git_revision() -> str | None:
    """Return the commit of this code, followed by ``-dirty`` if files differ from it.

    None if the code is not in a git checkout, or git is not installed.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    here = Path(__file__).parent
    try:
        return subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
