"""What a comparison asks of the task whose models it compares; here what suits examples that stand alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from seqloom_runtime.errors import SeqloomError
from seqloom_runtime.files import write_json

from ..checkpointing import Checkpointing
from .evaluation import Evaluation
from .fingerprint import fingerprint, sizes
from .folder import SCHEMA
from .tables import history_csv, predictions_csv
from .words import statements

if TYPE_CHECKING:
    from .compare import Comparison

__all__ = ["Task"]


class Task:
    """A task as a comparison sees it: how its models are fitted and scored, and what is told and written of that.

    name: the command's name. target: what is predicted, in words; unit: what an example is called; rows: names of the
    examples of "valid" and "test", where evaluations count them from 0; source: the files, for run.json. wording puts a
    sentence of the library into the words of whoever asked, such as the flags of a command.

    A task with facts or files of its own overrides what it says otherwise (`tasks/forecast/comparison.py` does).
    """

    files: ClassVar[tuple[str, ...]] = ("metrics.json", "details.json", "history.csv", "predictions.csv")
    """Those of a complete run, beside run.json and the model."""

    def __init__(
        self,
        name: str,
        *,
        target: str | None = None,
        unit: str | None = "example",
        rows: Mapping[str, Sequence[Any]] | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.target, self.unit = name, target, unit
        self.rows, self.source = rows or {}, source or {}
        self.sizes: dict[str, int] = {}
        self.wording: Callable[[str], str] = str

    def data(self, parts: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """What identifies the data, for run.json: a run only goes on with the same."""
        self.sizes = sizes(parts)
        return {**self.source, "fingerprint": fingerprint(parts), "examples": self.sizes}

    def fit(self, estimator: Any, parts: Mapping[str, tuple[Any, ...]], checkpoints: Checkpointing) -> None:
        """Fit one model on the training part; the validation part chooses its best weights."""
        valid = parts["valid"]
        estimator.fit(
            *parts["train"],
            valid=valid[0] if len(valid) == 1 else valid,
            directory=checkpoints.directory,
            resume=checkpoints.resume,
            on_event=checkpoints.on_event,
        )

    def is_job(self, name: str, estimator: Any, baselines: Collection[str]) -> bool:
        """Whether an engine's worker fits the model, where there is an engine; baselines are not worth a process."""
        return name not in baselines

    def handed_over(self, estimator: Any) -> dict[str, Any] | None:
        """What a worker hands over of a fitted model that keeps no checkpoint, as `engines.packing` carries it."""
        return None

    def take_over(self, name: str, handed: dict[str, Any]) -> None:
        """Take what `handed_over` gave of the model `name`, which is fitted here next."""

    def suits(self, estimator: Any) -> bool:
        """Whether the data allows such an estimator; asked by a search of values that some data don't allow."""
        return True

    def evaluate(self, estimator: Any, part: str, data: tuple[Any, ...]) -> Evaluation:
        """What a fitted model is worth on the part `valid` or `test`."""
        found = estimator.evaluate(*data)
        return found.with_rows(self.rows[part]) if part in self.rows else found

    def about(self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation]) -> dict[str, Any]:
        """What metrics.json says before the models."""
        evaluations = [*valid.values(), *test.values()]
        return {
            "target": self.target,
            "unit": self.unit,
            "examples": self.sizes,
            "scores": list(dict.fromkeys(name for evaluation in evaluations for name in evaluation.scores)),
            "lower_is_better": sorted(
                {name for evaluation in evaluations for name in evaluation.lower_is_better or ()}
            ),
        }

    def model_facts(self, estimator: Any, valid: Evaluation, test: Evaluation) -> dict[str, Any]:
        """What metrics.json says of a model beside its kind and the number of its parameters."""
        return {
            "best_epoch": getattr(getattr(estimator, "history_", None), "best_epoch", None),
            "valid": dict(valid.scores),
            "test": dict(test.scores),
        }

    def statements(
        self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str
    ) -> list[str]:
        """The comparison in sentences."""
        return statements(valid, test, baseline, best)

    def left_out(self, name: str, problem: SeqloomError) -> str | None:
        """What to note where a model can't be fitted and the others go on without it; None where that ends the run."""
        return None

    def kind(self, estimator: Any, usual: str) -> str:
        """What the table calls the model: `usual` is baseline or network."""
        return usual

    def choose(self, valid: Mapping[str, Evaluation], baseline: str) -> str:
        """The best model by the validation part; the test part is not looked at."""
        best = baseline
        for name, evaluation in valid.items():
            if evaluation.beats(valid[best]):
                best = name
        return best

    def notes(self, left_out: Sequence[str], estimators: Mapping[str, Any]) -> list[str]:
        """What there is to note: why models are `left_out`, and the notes of the others, each once."""
        return [*left_out, *dict.fromkeys(note for each in estimators.values() for note in each.notes_)]

    def conclude(self, best: Any, checkpoints: Checkpointing) -> list[str]:
        """What is done with the best model once all are scored, and what there is to note about that.

        `checkpoints`: where what is trained for it may be kept.
        """
        return []

    def concluded(self) -> dict[str, Any]:
        """What metrics.json says behind all else, once `conclude` is done."""
        return {}

    def final(self, best: Any) -> Any:
        """The estimator to save: the best, or what `conclude` made of it."""
        return best

    def write(self, root: Path, run: Comparison) -> None:
        """Write the task's files but the model and metrics.json, which come last."""
        details = {name: dict(evaluation.details) for name, evaluation in run.test.items()}
        write_json(root / "details.json", {"schema": SCHEMA, "part": "test", "models": details})
        history_csv(root / "history.csv", run.estimators)
        predictions_csv(root / "predictions.csv", {"valid": run.valid, "test": run.test}, run.metrics["best"])
