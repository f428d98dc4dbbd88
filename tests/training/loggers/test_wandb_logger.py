import platform
from pathlib import Path

import pytest

from glow.training.loggers import WandbLogger


def test_the_record_belongs_to_the_folder_not_to_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = WandbLogger(tmp_path / "a")
    assert WandbLogger(tmp_path / "a").version == first.version
    (tmp_path / "a").rename(tmp_path / "b")
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    assert WandbLogger(tmp_path / "b").version == first.version
    assert WandbLogger(tmp_path / "a").version != first.version


def test_options_replace_what_the_folder_says(tmp_path: Path) -> None:
    logger = WandbLogger(tmp_path, id="mine", name="named")
    assert logger.version == "mine"
    assert logger.name == "glow"  # the project, which Lightning calls the name
