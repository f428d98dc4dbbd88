"""How the processes of one run start, and which ways would not end in one folder."""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ParallelStrategy


def check_launch(trainer: Trainer) -> None:
    """Raise ``ValueError`` if the processes of a run would not work in the same folder.

    Lightning starts further processes by repeating the command line, which for a sweep would start
    the sweep again in each of them. Processes that a launcher such as torchrun started would each
    name the folder after their own time.

    Args:
        trainer: The trainer of the run.
    """
    strategy = trainer.strategy
    if (
        trainer.world_size == 1
        or not HydraConfig.initialized()
        or not isinstance(strategy, ParallelStrategy)
        or strategy.cluster_environment is None
    ):
        return
    hydra = HydraConfig.get()
    sweeping = hydra.mode == RunMode.MULTIRUN
    folder = "hydra.sweep.dir" if sweeping else "run_dir"
    if strategy.cluster_environment.creates_processes_externally:
        given = [*hydra.overrides.task, *hydra.overrides.hydra]
        if not any(o.startswith((f"{folder}=", "hydra.run.dir=")) for o in given):
            raise ValueError(
                "processes started by a launcher need a common folder, because each would name it "
                f"after its own time: add {folder}=runs/..."
            )
    elif sweeping:
        raise ValueError(
            "a sweep (-m) cannot start several processes per job, because each of them would start "
            "the sweep again. Use trainer.devices=1, or torchrun or a cluster's launcher, which "
            "start the processes themselves, with hydra.sweep.dir=runs/..."
        )
