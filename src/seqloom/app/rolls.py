"""Piano rolls as data of `seqloom sequences`: the next frame of each piece, in the parts that the file has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown
from .running import Prepared

if TYPE_CHECKING:
    from .sequences import SequenceSettings

__all__ = ["prepared_rolls", "rolls_in"]

_ESTIMATORS = "SequenceClassifier SequenceRegressor FrameModel"  # whose flags the command has
# What a table of sequences needs to be told, and a collection of piano rolls doesn't.
_OF_TABLES = ("label", "predict", "id", "time", "columns")


def rolls_in(data: Any) -> bool:
    """Whether the data is one file of piano rolls."""
    from ..data.sequences.rolls import is_rolls

    return isinstance(data, str) and is_rolls(data)


def prepared_rolls(settings: SequenceSettings, path: str, shares: dict[str, float | None]) -> Prepared:
    """A comparison of models of the next frame; `shares` are those of the command line, of which files are refused."""
    from ..data.sequences import next_frames
    from ..data.sequences.rolls import read_rolls
    from ..tasks.comparison import compare_models
    from ..tasks.sequences import FrameModel

    for name in _OF_TABLES:
        if getattr(settings, name) is not None:
            raise SettingError(
                f"--{name}: {path} holds piano rolls, of which the next frame is predicted; leave it out."
            )
    for name, share in shares.items():
        if share is None:
            raise SettingError(f"--{name}: {path} has parts of its own; leave it out.")
    pieces = read_rolls(path)
    counts = {part: f"{len(found):,} {part}" for part, found in pieces.items()}
    given = o.parameters_of(settings, _ESTIMATORS)
    refuse_unknown(FrameModel, given, "step-yes-no")
    parameters = {"reduction": "sum", "scaling": "none", **given, "kind": "keys"}
    estimators = build_estimators(FrameModel, model_names(settings.model, "mean"), parameters)
    compare = partial(
        compare_models,
        "sequences",
        estimators,
        {part: next_frames(found) for part, found in pieces.items()},
        baseline="mean",
        baselines=tuple(name for name in ("mean", "last") if name in estimators),
        target="the keys of the next frame",
        rows={part: [str(number) for number in range(len(found))] for part, found in pieces.items()},
        unit="piece",
        source={"source": path},
        seed=settings.seed,
    )
    said = (
        f"{path} holds piano rolls of 88 keys in parts ({', '.join(counts.values())} pieces): each model tells the "
        "keys of the next frame; NLL is summed over keys, the training loss over the frames of a piece, but for "
        "--reduction mean."
    )
    return Prepared(compare, [said])
