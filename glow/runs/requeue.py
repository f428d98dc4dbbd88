"""Back into the queue of SLURM."""

import os
import subprocess

from glow.system.interruption import REQUEUE, Stopped


def requeue(stopped: Stopped) -> None:
    """Put a job of SLURM that was asked to save itself back into the queue.

    The job then starts again with the same command, and resumes the run in the same folder.
    ``stopped.message`` says what happened.

    Args:
        stopped: What stopped the run.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or stopped.signum != REQUEUE:
        return
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        stopped.message += f"; the job {job} could not be requeued: {reason.strip()}"
    else:
        stopped.message += f"; the job {job} is in the queue again"
