"""Everything that changes while a run trains, as one thing that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from seqloom.training.averaging import AveragedWeights, MeanWeights, averaging_due
from seqloom.training.checkpoint import Checkpoint
from seqloom.training.history import EpochRow, finite
from seqloom.training.optimizers import make_optimizer, optimizer_state, restore_optimizer, trainable
from seqloom.training.schedules import Schedule
from seqloom.training.settings import FitSettings
from seqloom.training.sources import make_source
from seqloom.training.stopping import Monitor
from seqloom.training.streams import Streams
from seqloom.training.weights import BestWeights, check_weights, load_weights, unique_weights
from seqloom_runtime.errors import SettingError, shown

__all__ = ["Progress", "RunState"]


@dataclass
class Progress:
    """How far a run is."""

    epoch: int = 0  # epochs that ended
    taken: int = 0  # steps in the epoch under way
    step: int = 0  # steps over all epochs
    loss_sum: float = 0.0  # over the epoch under way
    penalty_sum: float = 0.0
    finished: bool = False
    stopped_early: bool = False
    rows: list[EpochRow] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**vars(self), "rows": [row.to_json() for row in self.rows]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Progress:
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError for anything else."""
        # Unknown names raise TypeError here, missing ones keep their default.
        made = cls(**{**value, "rows": [EpochRow.from_json(row) for row in value["rows"]]})
        for name in ("epoch", "taken", "step"):
            number = getattr(made, name)
            # isinstance would let True pass as 1.
            if type(number) is not int or number < 0:
                raise ValueError(f"{name} is {shown(number)}, no whole number of at least 0")
        if len(made.rows) != made.epoch:
            raise ValueError(f"{len(made.rows)} rows of history, {made.epoch} epochs")
        if type(made.finished) is not bool or type(made.stopped_early) is not bool:
            raise ValueError("finished and stopped_early are not both true or false")
        made.loss_sum, made.penalty_sum = finite(made.loss_sum), finite(made.penalty_sum)
        return made

    def check_place(self, steps: int | None, epochs: int) -> None:
        """Raise ValueError unless a run of `epochs`, with that many steps each where it is known, can stand here."""
        expected = self.step if steps is None else self.epoch * steps + self.taken
        if self.epoch > epochs or self.step != expected or (steps is not None and self.taken > steps):
            raise ValueError(f"epoch {shown(self.epoch)} and {shown(self.taken)} steps are not step {shown(self.step)}")


class RunState:
    """Weights, best, averages, optimizer, schedule, monitor, random streams, position in the batches, progress."""

    def __init__(self, module: nn.Module, batches: Any, settings: FitSettings):
        """The state before the first step; raises SettingError where module, batches and settings don't fit."""
        for name, part in module.named_modules():
            # Such a state may be any Python object: only pickle could hold it, and we don't write pickle.
            if type(part).get_extra_state is not nn.Module.get_extra_state:
                raise SettingError(
                    f"submodule {name!r} ({type(part).__name__}) keeps extra state that is not a tensor, "
                    "which a checkpoint can't hold; keep it in buffers."
                )
        self.module, self.settings = module, settings
        self.parameters = trainable(module)
        self.optimizer = make_optimizer(settings, self.parameters)
        self.source = make_source(batches, settings)
        self.schedule = Schedule(settings, self.source.steps)
        self.monitor = Monitor(settings)
        self.average = (
            MeanWeights(self.parameters)
            if settings.optimizer == "nt-asgd"
            else AveragedWeights(self.parameters, settings.average_weights)
        )
        self.best = BestWeights(module)
        self.streams = Streams(module)
        self.progress = Progress()

    def start_averaging(self) -> bool:
        """Let NT-ASGD's mean begin where the epochs so far say so; returns whether the last of them did."""
        average, patience = self.average, self.settings.averaging_patience
        if not isinstance(average, MeanWeights) or average.began is not None:
            return False
        # From the history alone, so that a resumed run begins where the whole one did.
        rows = self.progress.rows
        values = [row.valid.get(self.settings.monitor, row.train_loss) for row in rows]
        due = [n for n in range(1, len(rows) + 1) if averaging_due(values[:n], patience)]
        average.began = rows[due[0] - 1].step if due else None
        return bool(due) and due[0] == len(rows)

    def pack(self, streams: Sequence[Mapping[str, Tensor]]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """JSON values and named tensors; `streams` holds the random streams of each rank."""
        weights, aliases = unique_weights(self.module)
        moments, moment_values = optimizer_state(self.optimizer, self.parameters)
        position, position_tensors = self.source.state()
        parts: dict[str, Mapping[str, Tensor]] = {
            "weights": weights,
            "best": self.best.tensors,
            "average": self.average.tensors,
            "optimizer": moments,
            "source": position_tensors,
        }
        parts |= {f"stream/{rank}": state for rank, state in enumerate(streams)}
        values = {
            "progress": self.progress.to_json(),
            "monitor": self.monitor.state(),
            "schedule": self.schedule.state(),
            "source": position,
            "optimizer": moment_values,
            "aliases": aliases,
        }
        return values, {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    def unpack(self, checkpoint: Checkpoint, rank: int, ranks: int) -> None:
        """Go on from a checkpoint that `ranks` processes made; a rank that it doesn't know keeps its own streams.

        Raises FormatError where the weights are of another module, and KeyError, TypeError, ValueError or RuntimeError
        where the fields don't fit together.
        """
        values = checkpoint.values
        progress = Progress.from_json(values["progress"])
        progress.check_place(self.source.steps, self.settings.epochs)
        load_weights(self.module, checkpoint.part("weights"), values["aliases"], str(checkpoint.path))
        best = checkpoint.part("best")
        if best:  # now, and not at the end of the training
            check_weights(self.module, best, values["aliases"], f"{checkpoint.path} (best weights)")
        self.best.tensors = best
        self.progress = progress
        self.start_averaging()
        self.average.restore(checkpoint.part("average"), progress.step)
        restore_optimizer(
            self.optimizer, self.parameters, checkpoint.part("optimizer"), values["optimizer"], self.settings
        )
        self.monitor.restore(values["monitor"])
        number = self.monitor.best_epoch
        kept = number is not None and self.settings.keep_best
        # A checkpoint whose best weights were taken out would otherwise train on and fail only at its very end.
        if bool(best) != kept or (number is not None and not 1 <= number <= progress.epoch):
            raise ValueError(f"the best epoch is {shown(number)} of {progress.epoch}, {len(best)} weights are kept")
        self.schedule.restore(values["schedule"])
        self.source.restore(values["source"], checkpoint.part("source"))
        # A run may go on with more processes than it had: the new ones have no streams to take over.
        if rank < ranks:
            self.streams.restore(checkpoint.part(f"stream/{rank}"))
