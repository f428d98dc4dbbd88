"""The program that serves the page, up to serving it."""

import re
import socket
from pathlib import Path

import pytest

import glow
from glow import Glow
from glow.analysis.attributes import Directions
from glow.checkpoint import fingerprint
from tests.pretrained.folders import release_in
from tests.running import call, refusal
from tests.small_models import digits_model, perturb


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Glow:
    """A released model, which is also in a file."""
    model = digits_model()
    release_in(tmp_path / "released", monkeypatch, {"celeba32": model})
    glow.save(model, tmp_path / "mine.pt")
    monkeypatch.chdir(tmp_path)
    return model


@pytest.mark.parametrize("checkpoint", [[], ["checkpoint=mine.pt"]])
def test_every_slider_is_measured(
    checkpoint: list[str],
    faces: Glow,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call(monkeypatch, "explore", "measure=true", *checkpoint)
    printed = capsys.readouterr().out
    assert "position of a walk" in printed
    assert "temperature of samples" in printed


def test_directions_of_another_model_are_left_out(
    faces: Glow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = fingerprint(perturb(digits_model()))
    found = Directions.load("released/celeba32_directions.npz", faces)
    Directions(**(vars(found) | {"fingerprint": other})).save("directions_digits.npz")
    call(monkeypatch, "explore", "checkpoint=mine.pt", "measure=true")
    assert "no attributes from directions_digits.npz: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("attributes=[Smilling]", "error: there is no attribute Smilling: did you mean Smiling?"),
        ("checkpoint=celeba23", "error: no checkpoint at celeba23: expected .* celeba32 is meant"),
        ("directions=nowhere.npz", "error: there is no file of directions at nowhere.npz"),
        ("directions=mine.pt", "error: mine.pt holds no directions"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    arguments: str, message: str, faces: Glow, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.match(message, refusal(monkeypatch, "explore", "measure=true", arguments))


@pytest.mark.browser  # imports gradio
def test_a_port_that_is_taken_ends_with_a_sentence(
    faces: Glow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refusal(monkeypatch, "explore", f"port={port}", "open_browser=false")
    expected = f"error: the page cannot be served at host=127.0.0.1, port={port}: Address already"
    assert message.startswith(expected)
    message = refusal(monkeypatch, "explore", "port=99999", "open_browser=false")
    assert message == "error: port must be from 0 to 65535, got 99999"
    message = refusal(monkeypatch, "explore", "host=10.255.255.1", "open_browser=false")
    assert "cannot be served at host=10.255.255.1" in message
    message = refusal(monkeypatch, "explore", "port=web", "open_browser=false")
    assert "port should be a valid integer" in message
