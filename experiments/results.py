"""Make the tables of experiments/README.md from the record: python experiments/results.py."""

from pathlib import Path

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("results")
def main(config: DictConfig) -> None:
    """Rewrite the tables in place."""
    from glow.runs.report import fill, tables

    readme = Path(config.readme)
    found = tables(Path(config.results))
    readme.write_text(fill(readme.read_text(), found))
    echo(f"{len(found)} tables in {readme}: {', '.join(found)}")


if __name__ == "__main__":
    main()
