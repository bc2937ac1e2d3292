"""The training loop: `fit` takes any torch module, any batches, and functions for loss, validation and penalty."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.training import events
from seqloom.training.checkpoint import CheckpointFolder
from seqloom.training.distributed import World, join_world
from seqloom.training.guards import check_weights, explain_bad_step
from seqloom.training.history import EpochRow, History
from seqloom.training.interrupts import StopRequest, catch_interrupt
from seqloom.training.resume import changes, refuse_other_run, signature_json
from seqloom.training.settings import FitSettings
from seqloom.training.state import RunState
from seqloom.training.weights import unique_weights
from seqloom_runtime.errors import DataError, FormatError, Interrupted, SettingError, TrainingError, brief, suggest
from seqloom_runtime.files import folder_lock

__all__ = ["fit"]

# More often than a terminal can be read, and seldom enough to cost a fast step nothing.
_TELL_EVERY = 0.05  # seconds between two StepDone events


@dataclass(frozen=True)
class _Job:
    """What the caller of `fit` asked for."""

    module: nn.Module
    batches: Any
    loss: Callable[[Any, Any], Tensor]
    settings: FitSettings
    validate: Callable[[Any], Mapping[str, float]] | None
    penalty: Callable[[Any], Tensor] | None
    directory: Path | None
    resume: bool
    on_event: Callable[[Any], None] | None
    signature: dict[str, Any]
    stop: Callable[[EpochRow], bool] | None

    def __post_init__(self) -> None:
        """Raise SettingError for arguments that don't fit together."""
        if not isinstance(self.settings, FitSettings):
            raise SettingError(f"settings: expected FitSettings, got {type(self.settings).__name__}.")
        if self.resume and self.directory is None:
            raise SettingError("resume=True needs the directory that holds the checkpoints.")
        monitor = self.settings.monitor
        if self.validate is None and monitor != "loss":
            raise SettingError(
                f'monitor={monitor!r} needs validate; without it only the training loss, "loss", is known.'
            )


def fit(
    module: nn.Module,
    batches: Any,
    loss: Callable[[Any, Any], Tensor],
    *,
    settings: FitSettings,
    validate: Callable[[Any], Mapping[str, float]] | None = None,
    penalty: Callable[[Any], Tensor] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
    signature: Mapping[str, Any] | None = None,
    stop: Callable[[EpochRow], bool] | None = None,
) -> History:
    """Train `module` in place and return the history; prints nothing, and writes nothing without `directory`.

    batches: an iterable that starts anew for each epoch (list, DataLoader), or an endless iterator with `state()`
        (JSON values) and `restore(state)`. To resume within an epoch of an iterable the batches already taken are
        read again and skipped. A batch with an attribute `learning_rate_factor` has its step's rate times that.
    loss: `loss(module, batch)`, a scalar tensor, the mean over the rows of the batch.
    validate: `validate(module) -> {name: number}` at the end of each epoch, in eval mode and without gradients; must
        hold `settings.monitor`. Without it the mean training loss decides.
    penalty: `penalty(module)`, a scalar tensor that is added to the loss for the gradient and reported apart.
    directory: where checkpoints go; made where it is missing. With `resume=True` a run that was killed or stopped
        goes on from the last one, to bitwise the same result, and a finished one returns at once; where there is none
        yet, it starts.
    on_event: called with the objects of `seqloom.training.events`.
    signature: JSON values that say what is trained on what; resuming with another one is refused.
    stop: `stop(row)` after each epoch, on rank 0; True ends the training there, for a goal that is reached or a time
        that is up. A run that ended so is finished: resuming it trains no further.

    Ctrl-C lets the current step finish, saves where there is a directory, and raises Interrupted; a second one stops
    at once. Under torchrun the rows of each batch are split over the processes, see `seqloom.training.distributed`.

    Raises TrainingError where a value becomes NaN or infinite, DataError where batches end at the wrong place,
    SettingError for arguments that don't fit together, FormatError for a damaged checkpoint, RunLockedError where
    another process trains there.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> data = [(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [6.0]]))]
    >>> history = fit(layer, data, lambda m, batch: (m(batch[0]) - batch[1]).square().mean(),
    ...               settings=FitSettings(epochs=50, optimizer="sgd", learning_rate=0.1))
    >>> round(layer.weight.item(), 3), history.steps
    (3.0, 50)
    """
    place = None if directory is None else Path(directory)
    told = signature_json(signature)
    job = _Job(module, batches, loss, settings, validate, penalty, place, resume, on_event, told, stop)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(join_world())
        run = _Run(job, world)
        # Only rank 0 writes; on the same machine the other ranks would be refused by their own run's lock.
        if place is not None and world.rank == 0:
            place.mkdir(parents=True, exist_ok=True)
            stack.enter_context(folder_lock(place))
        stack.enter_context(_modes_kept(module))
        stack.enter_context(run.state.streams.held(settings.seed, world.rank))
        # Last in, first out: Ctrl-C is the caller's again before the clean-up.
        run.request = stack.enter_context(catch_interrupt())
        if run.folder is not None:
            stack.callback(run.folder.wait)  # however it ends, what was saved is whole, or its fault is told
        return run.run()


class _Run:
    """One run: everything that changes while it trains."""

    def __init__(self, job: _Job, world: World):
        """Build optimizer, schedule and sources; raises SettingError before anything is written."""
        settings = job.settings
        self.job, self.world, self.settings, self.module = job, world, settings, job.module
        self.request = StopRequest()
        self.state = RunState(job.module, job.batches, settings)
        self.weights = list(self.state.parameters.values())
        self.folder = None if job.directory is None else CheckpointFolder(job.directory)
        self.seconds: list[float | None] = []
        self.stop = False  # Ctrl-C, agreed on by all ranks
        self.told = -math.inf

    def run(self) -> History:
        """Train to the end, from the checkpoint where there is one."""
        notices = self._open_folder()
        progress = self.state.progress
        # Ranks that see different folders would do unequal numbers of steps, and wait for each other at the end.
        self.world.agree(progress.step, "the step to go on from")
        # Each rank built its own module: all begin with the weights of rank 0.
        self.world.share(unique_weights(self.module)[0])
        numbers = sum(p.numel() for p in self.weights)
        self._tell(
            events.TrainStart(
                self.settings.epochs,
                self.state.source.steps,
                numbers,
                progress.epoch,
                progress.step,
                torch.get_num_threads(),
                self.world.size,
                None if self.state.monitor.best_epoch is None else self.state.monitor.best_value,
            )
        )
        for text in notices:
            self._tell(events.Notice(text))
        while not progress.finished and progress.epoch < self.settings.epochs:
            self._epoch()
            # Between epochs the state is saved already, so the stop needs no checkpoint of its own.
            if self.world.size == 1 and self.request.pressed and not progress.finished:
                raise self._interrupted()
        return self._finish()

    def _epoch(self) -> None:
        progress, every = self.state.progress, self.settings.checkpoint_every
        began = time.monotonic() if progress.taken == 0 else None
        self.module.train()
        for batch in self.state.source.epoch(progress.epoch + 1, progress.taken):
            self._step(batch)
            if self.stop:
                self._save("stopped")
                raise self._interrupted()
            # At the last step the checkpoint at the end of the epoch follows at once.
            if every and progress.step % every == 0 and progress.taken != self.state.source.steps:
                self._save("within")
        self._end_epoch(began)

    def _step(self, batch: Any) -> None:
        """Forward, backward, guard, clip, update: in this order."""
        progress = self.state.progress
        # From the step's number alone, so a resumed run has the same rates.
        rate = self.state.schedule.rate(progress.step, progress.epoch) * getattr(batch, "learning_rate_factor", 1.0)
        for group in self.state.optimizer.param_groups:
            group["lr"] = rate
        # None and not zeros: autograd then hands over the arrays that it made, without adding or copying.
        for weight in self.weights:
            weight.grad = None
        loss, penalty = self._backward(batch)
        # A step with a bad loss or gradient is told, not taken; which value is bad is searched for only then.
        norm, settings = math.nan, self.settings
        if math.isfinite(loss + (penalty or 0.0)):
            norm = self.state.optimizer.clipped_step(clip_norm=settings.clip_norm, clip_value=settings.clip_value)
        if not math.isfinite(norm):
            raise explain_bad_step(
                loss, penalty, batch, self.state.parameters, progress.epoch + 1, progress.step + 1, settings
            )
        progress.step += 1
        self.state.average.update(progress.step)
        progress.taken += 1
        progress.loss_sum += loss
        progress.penalty_sum += penalty or 0.0
        if self.world.size == 1:
            self.stop = self.request.pressed
        if self.job.on_event is not None and (now := time.monotonic()) - self.told >= _TELL_EVERY:
            self.told = now
            self._tell(
                events.StepDone(
                    progress.epoch + 1, progress.step, progress.taken, self.state.source.steps, loss, norm, rate
                )
            )

    def _backward(self, batch: Any) -> tuple[float, float | None]:
        """Fill the gradients; returns loss and penalty, over all ranks."""
        if self.world.size == 1:
            loss, penalty = self._forward(batch)
            (loss if penalty is None else loss + penalty).backward()
            return loss.item(), None if penalty is None else penalty.item()
        self.world.share(dict(self.module.named_buffers()))
        shard, share = self.world.shard(batch)
        # Ctrl-C reaches one rank first. It travels with the gradients, so that all ranks stop after the same step.
        numbers = [0.0, 0.0, float(self.request.pressed)]
        with self.world.carried(self.module, batch):
            if share:
                loss, penalty = self._forward(shard)
                # A shard's mean times its share of the rows sums to the mean over the batch.
                (share * (loss if penalty is None else loss + penalty)).backward()
                numbers[:2] = [share * loss.item(), 0.0 if penalty is None else share * penalty.item()]
        summed, penalties, pressed = self.world.sum_gradients(self.weights, numbers)
        self.stop = pressed > 0
        return summed, None if self.job.penalty is None else penalties

    def _forward(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        loss = self.job.loss(self.module, batch)
        penalty = None if self.job.penalty is None else self.job.penalty(self.module)
        for name, value in (("loss", loss), ("penalty", penalty)):
            if value is not None and (not isinstance(value, Tensor) or value.dim()):
                found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise SettingError(f"{name} must return a tensor without axes, such as a mean, not {found}.")
        if not (loss.requires_grad or (penalty is not None and penalty.requires_grad)):
            raise SettingError("loss must depend on the module's parameters; its result carries no gradient.")
        return loss, penalty

    def _end_epoch(self, began: float | None) -> None:
        progress, settings = self.state.progress, self.settings
        number, steps = progress.epoch + 1, progress.taken
        # The guard of a step sees the gradient, not what the optimizer made of it; without this the last step of a
        # run could save NaN.
        check_weights(self.state.parameters, number, settings)
        self.world.share(dict(self.module.named_buffers()))
        train_loss = progress.loss_sum / steps
        penalty = None if self.job.penalty is None else progress.penalty_sum / steps
        rate = self.state.schedule.rate(progress.step - 1, progress.epoch)
        metrics = self._validate(number)
        value = train_loss if self.job.validate is None else metrics[settings.monitor]
        row = EpochRow(number, progress.step, rate, train_loss, penalty, metrics)
        progress.rows.append(row)
        # Before the save: a checkpoint at the end of an epoch stands at the first step of the next.
        progress.epoch, progress.taken, progress.loss_sum, progress.penalty_sum = number, 0, 0.0, 0.0
        best = self.state.monitor.update(number, value)
        if best and settings.keep_best:
            with self.state.average.in_place():
                self.state.best.keep()
        if self.state.start_averaging():
            self._tell(events.Notice(f"From epoch {number + 1} on the weights are averaged."))
        self.state.schedule.epoch_done(value)
        enough = self.state.monitor.stop or self._told_to_stop(row)
        progress.stopped_early = enough and number < settings.epochs
        progress.finished = enough or number >= settings.epochs
        seconds = None if began is None else time.monotonic() - began
        self.seconds.append(seconds)
        self._tell(events.EpochDone(row, seconds, best, value))
        if progress.stopped_early and self.state.monitor.best_epoch is not None:
            self._tell(events.StoppedEarly(number, self.state.monitor.best_epoch, self.state.monitor.best_value))
        self._save("epoch")

    def _told_to_stop(self, row: EpochRow) -> bool:
        """What rank 0's `stop` says, agreed on by all ranks."""
        if self.job.stop is None:
            return False
        # A clock differs between ranks; if each decided for itself, some would wait for a sum that never comes.
        answer = float(self.world.rank == 0 and bool(self.job.stop(row)))
        return bool(self.world.first({"stop": answer})["stop"])

    def _validate(self, epoch: int) -> dict[str, float]:
        """The metrics as Python floats, those of rank 0; raises where the monitored one is missing or NaN."""
        if self.job.validate is None:
            return {}
        self.module.eval()
        with torch.no_grad(), self.state.average.in_place():
            found = self.job.validate(self.module)
        metrics = self.world.first({str(name): float(value) for name, value in found.items()})
        name = self.settings.monitor
        if name not in metrics:
            raise SettingError(
                f"monitor={name!r} is not among what validate returned "
                f"({', '.join(metrics) or 'nothing'}).{suggest(name, metrics)}"
            )
        if math.isnan(metrics[name]):
            raise TrainingError(
                f"The validation metric {name!r} is NaN at the end of epoch {epoch}, although all weights are "
                "finite; look at the validation data and at divisions by zero in the metric."
            )
        return metrics

    def _finish(self) -> History:
        progress, monitor = self.state.progress, self.state.monitor
        self.state.optimizer.zero_grad(set_to_none=True)
        if self.folder is not None:
            self.folder.wait()
        if self.settings.keep_best and monitor.best_epoch is not None:
            self.state.best.restore()
            self._tell(events.RestoredBest(monitor.best_epoch, monitor.best_value))
        else:
            self.state.average.put()
        history = History(
            tuple(progress.rows),
            self.settings.monitor,
            monitor.best_epoch,
            None if monitor.best_epoch is None else monitor.best_value,
            progress.stopped_early,
            tuple(self.seconds),
        )
        if self.request.pressed:
            raise self._interrupted()
        self._tell(events.Done(history))
        return history

    def _interrupted(self) -> Interrupted:
        progress = self.state.progress
        place = f"Stopped by Ctrl-C after epoch {progress.epoch}" + (
            f" and {progress.taken} steps of the next" if progress.taken else ""
        )
        if self.folder is None:
            return Interrupted(f"{place}; nothing was saved, as no directory was given.")
        return Interrupted(f"{place}; saved in {self.folder.folder}: run again with resume=True to go on from there.")

    def _tell(self, event: events.Event) -> None:
        if self.job.on_event is not None and self.world.rank == 0:
            self.job.on_event(event)

    def _identity(self) -> dict[str, Any]:
        """What must be the same, or is told, when a run goes on."""
        return {
            "signature": self.job.signature,
            "settings": self.settings.to_json(),
            "steps_per_epoch": self.state.source.steps,
            "threads": torch.get_num_threads(),
            # Versions and threads are told, not refused: they may change the last bits, but the run stays sound.
            "torch": str(torch.__version__),
            "world_size": self.world.size,
        }

    def _save(self, kind: str) -> None:
        if self.folder is None:
            return
        # Every rank takes part in the gather before the others return; otherwise rank 0 would wait for ever.
        streams = self.world.gather(self.state.streams.state())
        if self.world.rank:
            return
        values, tensors = self.state.pack(streams)
        path = self.folder.begin({**self._identity(), **values}, tensors, step=self.state.progress.step, kind=kind)
        self._tell(events.Saved(path, self.state.progress.epoch, self.state.progress.step))

    def _open_folder(self) -> list[str]:
        """Go on from the folder's checkpoint where there is one; returns what a person should know."""
        if self.folder is None:
            return []
        checkpoint = self.folder.read()
        # Refused rather than overwritten: the folder may hold days of work.
        if checkpoint is not None and not self.job.resume:
            raise SettingError(
                f"{self.folder.folder} holds a run already: give resume=True to go on with it, or choose another "
                "directory."
            )
        if self.world.rank == 0:
            self.folder.clean()
        if checkpoint is None:
            return []
        try:
            refuse_other_run(checkpoint.values, self._identity(), self.folder.folder)
            self.state.unpack(checkpoint, self.world.rank, int(checkpoint.values["world_size"]))
            # Epochs of the earlier process were timed by it; seconds are no part of the state.
            self.seconds = [None] * len(self.state.progress.rows)
            return changes(checkpoint.values, self._identity())
        except (SettingError, FormatError, DataError):
            raise
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
            reason = brief(str(error).strip().partition("\n")[0], 160)
            raise FormatError(
                f"{checkpoint.path}: its fields don't fit together ({type(error).__name__}: {reason}); start in "
                "another folder."
            ) from error


@contextlib.contextmanager
def _modes_kept(module: nn.Module) -> Iterator[None]:
    """Put every submodule's train or eval mode back at the end."""
    # One mode per submodule: a caller may have frozen a batch norm in eval mode, which module.train() would forget.
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
