"""The programs' command line: help, configs and errors, before anything heavy is imported."""

import importlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from glow.runs.help import help_text
from glow.runs.program import echo
from tests.paths import CONF, ROOT

WITHOUT_TORCH = """
import runpy, sys
program, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = program
try:
    runpy.run_path(program, run_name="__main__")
except SystemExit as ended:
    print("status", ended.code)
print("heavy", sorted({"torch", "pytorch_lightning", "matplotlib"} & set(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["modle.n_steps=2"]])
def test_the_command_line_is_answered_without_torch(arguments: list[str]) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(ROOT / "experiments" / "train.py")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert "heavy []" in done.stdout
    assert ("status" in done.stdout) == (arguments[0] == "modle.n_steps=2")


@pytest.mark.parametrize("program", ["sample", "evaluate", "explore", "compress"])
def test_a_missing_checkpoint_is_named_without_torch(program: str) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(ROOT / "experiments" / f"{program}.py")]
    done = subprocess.run(
        [*command, "checkpoint=nowhere"], capture_output=True, text=True, cwd=ROOT
    )
    assert "status 2" in done.stdout
    assert "heavy []" in done.stdout
    assert done.stderr.startswith("error: no checkpoint at nowhere")


def test_help_lists_the_choices_of_each_group() -> None:
    for overrides in ([], ["model/coupling=additive"]):
        lines = help_text(CONF, "train", overrides).splitlines()
        assert "model: flowpp, glow, jet, nice, real_nvp, tiny" in lines
        couplings = "additive, affine, affine_floored, flowpp, jet, logistic_mixture, tanh"
        assert f"model/coupling: {couplings}" in lines
        [experiments] = [line for line in lines if line.startswith("experiment: ")]
        assert "digits" in experiments
        assert "paper/cifar10" in experiments
    assert not any(line.startswith("model/coupling/scale_map") for line in lines)


def test_help_shows_what_overrides_change() -> None:
    assert "n_steps: 7" in help_text(CONF, "train", ["model.n_steps=7"])


def test_what_a_terminal_cannot_show_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    echo_table = Table("caf\u00e9", title="\u202e")
    monkeypatch.setattr(sys, "argv", ["sample.py", f"checkpoint='{tmp_path}/\u00e9 \udce9'"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("experiments.sample").main()
    assert ended.value.code == 2
    echo(echo_table)
    printed = {}
    for stream in ("stdout", "stderr"):
        wrapper = getattr(sys, stream)
        wrapper.flush()
        printed[stream] = wrapper.buffer.getvalue().decode("ascii")
    assert f"error: no checkpoint at {tmp_path}/? ?" in printed["stderr"]
    assert "caf?" in printed["stdout"]
