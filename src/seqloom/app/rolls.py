"""Piano rolls as data of `seqloom sequences`: the next frame of each piece, in the parts that the file has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import SettingError

from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown
from .predicted import Predicted
from .running import Prepared

if TYPE_CHECKING:
    from .sequences import SequenceSettings
    from .tables import FormOptions

__all__ = ["predict_rolls", "prepared_rolls", "rolls_in"]

_ESTIMATORS = "SequenceClassifier SequenceRegressor FrameModel"  # whose flags the command has
_LEAST = 0.05  # probability of a key that is listed
# What a table of sequences needs to be told, and a collection of piano rolls doesn't.
_OF_TABLES = ("label", "predict", "id", "time", "columns")


def rolls_in(data: Any) -> bool:
    """Whether the data is one file of piano rolls."""
    from seqloom_runtime.data.sequences.rolls import is_rolls

    return isinstance(data, str) and is_rolls(data)


def prepared_rolls(settings: SequenceSettings, path: str, shares: dict[str, float | None]) -> Prepared:
    """A comparison of models of the next frame; `shares` are those of the command line, of which files are refused."""
    from seqloom_runtime.data.sequences import next_frames
    from seqloom_runtime.data.sequences.rolls import read_rolls

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


def predict_rolls(model: Any, path: str, form: FormOptions) -> Predicted:
    """A row for each frame of each piece: its part and number, and the keys of the frame that follows.

    Raises SettingError for a model of something else and for a flag of tables.
    """
    from seqloom_runtime.data.sequences.midi import LOWEST_NOTE
    from seqloom_runtime.data.sequences.rolls import read_rolls

    from ..tasks.sequences import FrameModel

    if not isinstance(model, FrameModel) or model.kind != "keys":
        raise SettingError(
            f"DATA: {path} holds piano rolls, which only a model of the next frame reads; give sequences like those "
            "that the model was trained on."
        )
    for name, usual in form.defaults().items():
        if getattr(form, name) != usual:
            flag = "--no-header" if name == "header" else "--" + name.replace("_", "-")
            raise SettingError(f"{flag}: {path} holds piano rolls, which have no such choice; leave it out.")
    ids, steps, keys, chances = [], [], [], []
    for part, pieces in read_rolls(path).items():
        for number, found in enumerate(model.predict_proba(pieces)):
            ids += [f"{part} {number}"] * len(found)
            steps += range(len(found))
            for frame in found:
                likely = (frame >= _LEAST).nonzero()[0]
                keys.append(" ".join(str(key + LOWEST_NOTE) for key in likely if frame[key] > 0.5))
                # The likeliest first: a narrow terminal shows the beginning.
                likely = likely[(-frame[likely]).argsort(kind="stable")]
                chances.append(", ".join(f"{key + LOWEST_NOTE}: {frame[key]:.2f}" for key in likely))
    network = getattr(model.model_, "network", None)
    given = "the piece up to it" if network is None or network.body.causal else "the whole piece, what follows too"
    notes = [
        f"A row tells the keys of the frame that follows its step, given {given}; the last of a piece goes beyond its "
        "end.",
        f"Keys are MIDI numbers, of which {LOWEST_NOTE} is the lowest and 60 the middle C: next holds those with a "
        f"probability above one half, probabilities those of at least {_LEAST:g}, likeliest first "
        "(all: FrameModel.predict_proba).",
    ]
    return Predicted({"id": ids, "step": steps, "next": keys, "probabilities": chances}, notes)
