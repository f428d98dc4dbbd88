"""The order in which training meets its images."""

from collections.abc import Iterator
from typing import Any

from pytorch_lightning import Trainer
from torch.utils.data import Dataset, DistributedSampler


class TrainingOrder(DistributedSampler[Any]):
    """An endless stream of batches: pass after pass over the images, each in an order of its own.

    Its numbers are positions: image i in pass p is ``p * len(dataset) + i``.

    Batch b of the stream is a function of ``seed``, b and the process alone. An epoch takes as many
    batches as a pass has, from the one that follows those that ``trainer`` has trained on already.
    So a run that stopped anywhere, and was resumed, meets what it would have met without the break,
    and epochs cut short by ``limit_train_batches`` meet all the images in turn.

    The processes of ``trainer`` share every pass between them. All batches are of one size; the few
    images that are left at the end of a pass come up in another one.
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
        """Yield the positions of one epoch's images."""
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
    """Return how many batches a run has trained on, those before it was resumed included."""
    if trainer is None:
        return 0
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return total.processed
