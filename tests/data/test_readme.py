"""The example and the table in the README of the sources."""

import re
import textwrap
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "glow" / "data" / "README.md").read_text()


def test_the_example_is_a_source() -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {"__name__": "squares"}
    exec(textwrap.dedent(example), names)
    data = names["Squares"]()
    data.setup()
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (64, 1, 8, 8)
    assert (images[:, 0, 0, 0] == labels).all()


def test_the_table_lists_every_config() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(p.stem for p in (REPOSITORY / "conf" / "data").glob("*.yaml"))
