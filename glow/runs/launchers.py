"""How the processes of one run start, and which ways would not end in one folder."""

import os

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ParallelStrategy
from pytorch_lightning.utilities import rank_zero_only


def join_submitted_job() -> None:
    """Make the tasks of a job that submitit started on this machine the processes of one run.

    They get the environment variables of torchrun, which Lightning reads. Lightning reads the tasks
    of SLURM without help.
    """
    if os.environ.get("SUBMITIT_EXECUTOR") != "local":
        return
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment

    job = JobEnvironment()
    if job.num_tasks > 1:
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        os.environ["TORCHELASTIC_RUN_ID"] = job.job_id
        rank_zero_only.rank = job.global_rank  # type: ignore[attr-defined]


def check_launch(trainer: Trainer) -> None:
    """Raise ``ValueError`` if the processes of a run would not work in the same folder.

    Lightning starts further processes by repeating the command line, which for a sweep would start
    the sweep again in each of them. Processes that a launcher such as torchrun started would each
    name the folder of a single run after their own time.

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
    external = strategy.cluster_environment.creates_processes_externally
    if sweeping and not external:
        raise ValueError(
            "a sweep (-m) cannot start several processes per job by itself, because each of them "
            "would start the sweep again. Add hydra/launcher=submitit_local "
            "hydra.launcher.tasks_per_node=... with the number of processes, or set "
            "trainer.devices=1"
        )
    given = [*hydra.overrides.task, *hydra.overrides.hydra]
    named = any(override.startswith(("run_dir=", "hydra.run.dir=")) for override in given)
    if not sweeping and not named:
        raise ValueError(
            "processes started by a launcher need a common folder, because each would name it "
            "after its own time: add run_dir=runs/..."
        )
