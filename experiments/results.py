"""Make the README's tables from the record: python experiments/results.py."""

from pathlib import Path

from omegaconf import DictConfig

from glow.entry_point import entry_point, tell
from glow.report import fill, tables


@entry_point("results")
def main(config: DictConfig) -> None:
    """Rewrite the tables in place."""
    readme = Path(config.readme)
    found = tables(Path(config.results))
    readme.write_text(fill(readme.read_text(), found))
    tell(f"{len(found)} tables in {readme}: {', '.join(found)}")


if __name__ == "__main__":
    main()
