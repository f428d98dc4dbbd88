"""Import the authors' models: python experiments/import_openai.py checkpoint=... image_size=32."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from glow.runs.program import echo, entry_point


@entry_point("import_openai")
def main(config: DictConfig) -> None:
    """Write a model of openai/glow as a checkpoint in the folder of a run."""
    import glow
    from glow.interop import openai
    from glow.runs.building import checked
    from glow.runs.run_folder import RunFolder

    folder = RunFolder(Path(config.run_dir))
    if folder.selected_checkpoint.is_file() or folder.config.is_file():
        raise ValueError(f"{folder.path} holds a run already: choose another run_dir")
    found = checked(openai.read)(
        config.checkpoint, config.image_size, config.n_bits, config.weights
    )
    model = found.build()
    echo(openai.describe(found.config))
    if found.ignored:
        echo(openai.ignored_variables(found))
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    if config.get("data"):
        shown = {"image_shape": list(model.image_shape), "n_bits": config.n_bits}
        source = {name: config[name] for name in ("checkpoint", "weights")}
        run = {"imported": source, "data": {**config.data, **shown}, "logger": {}, "plan": {}}
        folder.write_config(OmegaConf.create(run))
    glow.save(model, folder.best)
    echo(f"written: {folder.best}")


if __name__ == "__main__":
    main()
