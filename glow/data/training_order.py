"""The order in which training sees its images."""

from collections.abc import Iterator
from typing import Any

from pytorch_lightning import Trainer
from torch.utils.data import Dataset, DistributedSampler


class TrainingOrder(DistributedSampler[Any]):
    """An endless stream of batches: pass after pass over the images, each in a new random order.

    The sampler yields positions: image i in pass p is ``p * len(dataset) + i``. Batch b of the
    stream depends on ``seed``, b and the process alone.

    An epoch takes as many batches as there are in a pass, beginning after those that ``trainer``
    has trained on. So a run that was interrupted and resumed sees the images that it would have
    seen without the interruption, and epochs shortened by ``limit_train_batches`` see all images in
    turn.

    The processes of ``trainer`` share each pass. All batches have the same size; the few images
    that are left over at the end of a pass have their turn in another pass.

    Args:
        dataset: The images; only their number matters.
        batch_size: The number of images per batch and process.
        seed: The seed of the order.
        trainer: The trainer, which counts processes and batches; None for a single process that
            has not trained yet.
    """

    def __init__(
        self, dataset: Dataset[Any], batch_size: int, seed: int, trainer: Trainer | None
    ) -> None:
        super().__init__(
            dataset,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            seed=seed,
            drop_last=True,
        )
        self.batch_size = batch_size
        self.trainer = trainer

    def __iter__(self) -> Iterator[int]:
        """Yield the positions of the images of one epoch."""
        per_pass = len(self) // self.batch_size
        first = batches_done(self.trainer)
        order: list[int] = []
        for batch in range(first, first + per_pass):
            passes, place = divmod(batch, per_pass)
            if not order or place == 0:
                self.set_epoch(passes)
                start = passes * len(self.dataset)  # type: ignore[arg-type]
                order = [start + index for index in super().__iter__()]
            yield from order[place * self.batch_size : (place + 1) * self.batch_size]


def batches_done(trainer: Trainer | None) -> int:
    """Return how many batches a run has trained on, including those before it was resumed."""
    if trainer is None:
        return 0
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return total.processed
