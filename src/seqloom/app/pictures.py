"""Pictures as data of `seqloom sequences` and `seqloom predict`: folders, tables of paths, files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import DataError, SettingError, shown

from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown, shares_of
from .flags import told
from .running import Prepared
from .tables import AS_TRAINED, FORM

if TYPE_CHECKING:
    import numpy as np

    from seqloom_runtime.data.pictures import LabelledPictures

    from .sequences import SequenceSettings

__all__ = ["Predicted", "pictures_in", "predicted_pictures", "prepared_pictures", "refuse_of_pictures"]

# What tables of steps need to be told, and pictures don't.
_OF_STEPS = ("id", "time", "time_format", "columns", "missing")
_OF_PICTURES = ("image_column", "image_size", "colour")
_FORM = tuple(option.name for option in FORM)


class Predicted(dict[str, Sequence[Any]]):
    """Columns of predictions, and `notes` on how the data was read."""

    notes: Sequence[str] = ()


def pictures_in(settings: SequenceSettings) -> bool:
    """Whether the data is pictures: a folder, or a table whose column of paths is named."""
    from seqloom_runtime.data.pictures import holds_pictures

    return settings.image_column is not None or holds_pictures(settings.data)


def refuse_of_pictures(settings: SequenceSettings) -> None:
    """Raise SettingError for an option of pictures where the data is something else."""
    from ..tasks.picture_parameters import PICTURE

    for name in (*_OF_PICTURES, *PICTURE.split()):
        if getattr(settings, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise SettingError(
                f"{flag}: only pictures have it: give a folder of them or a table with --image-column, or leave it out."
            )


def prepared_pictures(settings: SequenceSettings, estimators: str) -> Prepared:
    """A comparison of models that tell the class of a picture; `estimators` are those whose flags the command has."""
    from seqloom_runtime.data.sequences import Sequences
    from seqloom_runtime.sequences.reading import pixels_of

    from ..tasks.comparison import compare_models
    from ..tasks.sequences import PictureClassifier

    for name in _OF_STEPS:
        if getattr(settings, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise SettingError(f"{flag}: pictures have no steps to name; leave it out.")
    if settings.predict not in (None, "label"):
        raise SettingError(
            f"--predict: of pictures the label is predicted, got {shown(settings.predict)}; leave it out."
        )
    shares = shares_of(settings, folders=True)
    given = o.parameters_of(settings, estimators)
    refuse_unknown(PictureClassifier, given, "picture's label")
    models = build_estimators(PictureClassifier, model_names(settings.model, "majority"), given)
    whole = _read(settings.data, settings)
    for estimator in models.values():
        estimator.check_pictures(*whole.pixels.shape[1:])
    labels = _labels(whole)
    copies = [hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in whole.pixels]
    pixels = pixels_of(whole.pixels)
    drawn = _drawn(len(labels), shares, settings.seed, labels, copies)
    parts: dict[str, tuple[Sequences, Any]] = {
        name: (pixels.take(numbers), labels[numbers]) for name, numbers in drawn.items()
    }
    rows = {name: [whole.ids[n] for n in numbers] for name, numbers in drawn.items()}
    files = {name: getattr(settings, name) for name, share in shares.items() if share is None}
    for name, file in files.items():
        found = _read(file, settings, whole, f"--{name} ")
        parts[name], rows[name] = (pixels_of(found.pixels), _labels(found)), list(found.ids)
    refuse_new_labels(parts, {"valid": settings.valid, "test": settings.test}, "picture")
    compare = partial(
        compare_models,
        "sequences",
        models,
        {name: parts[name] for name in ("train", "valid", "test")},
        baseline="majority",
        baselines=("majority",),
        target=settings.label or "class",
        rows=rows,
        unit="picture",
        source={"source": settings.data, **files},
        seed=settings.seed,
    )
    return Prepared(compare, _notes(settings, whole, labels, copies, len(drawn["train"])))


def refuse_new_labels(parts: Mapping[str, tuple[Any, Any]], names: Mapping[str, str], what: str) -> None:
    """Refuse, before anything is trained, a file with a label that the training part lacks."""
    known = set(parts["train"][1].tolist())
    for part, name in names.items():
        for number, label in enumerate(parts[part][1].tolist()):
            if label not in known:
                raise DataError(
                    f"--{part} {name}: {what} {number} (from 0) has the label {shown(label)}, which no training "
                    f"{what} has; train with examples of it, or leave it out."
                )


def predicted_pictures(model: Any, data: str | list[str], settings: Mapping[str, Any], form: Any) -> Predicted:
    """A row for each picture: its path, the predicted class, the classes' probabilities."""
    from seqloom_runtime.data.pictures import holds_pictures, read_pictures
    from seqloom_runtime.sequences.reading import pixels_of

    how: dict[str, Any] = {"image_size": model.picture_ if settings.get("image_size") else None}
    how["colour"] = "colour" if len(model.channels_) == 3 else "grey"
    if not holds_pictures(data):
        column = settings.get("image_column")
        if column is None:
            raise DataError(f"{data}: expected pictures, or a folder of them, as the model was trained on.")
        how |= {name: getattr(form, name) for name in _FORM} | {"image_column": column}
        how |= {name: settings[name] for name in AS_TRAINED if how.get(name) is None and settings.get(name) is not None}
    found = read_pictures(data, labelled=False, **how)
    _refuse_other_size(found.pixels.shape[1:3], model.picture_, "")
    pixels = pixels_of(found.pixels)
    result = Predicted(picture=list(found.ids), predicted=list(model.predict(pixels)))
    for label, column in zip(model.classes_, model.predict_proba(pixels).T):
        result[f"p_{label}"] = column.tolist()
    result.notes = told(found.decisions, "sequences")
    return result


def _read(
    path: Any, settings: SequenceSettings, like: LabelledPictures | None = None, name: str = ""
) -> LabelledPictures:
    from seqloom_runtime.data.pictures import read_pictures

    asked = settings.image_size
    size: Any = None if asked is None else o.numbers(str(asked), "--image-size", int)
    if size is not None and len(size) == 1:
        size = size[0]
    colour = settings.colour
    if like is not None:
        colour = "colour" if like.pixels.shape[3] == 3 else "grey"
    found = read_pictures(
        path,
        image_column=settings.image_column,
        label=settings.label,
        image_size=size,
        colour=colour,
        **{option: getattr(settings, option) for option in _FORM},
    )
    if like is not None:
        _refuse_other_size(found.pixels.shape[1:3], like.pixels.shape[1:3], f"{name}{os.fspath(path)}: ")
    return found


def _refuse_other_size(size: Sequence[int], wanted: Sequence[int], place: str) -> None:
    if tuple(size) != tuple(wanted):
        raise DataError(
            f"{place}expected pictures of {wanted[0]} by {wanted[1]} pixels, as in training, got {size[0]} by "
            f"{size[1]}; scale them, or train with --image-size."
        )


def _labels(found: LabelledPictures) -> np.ndarray:
    assert found.labels is not None
    return found.labels


def _drawn(
    count: int, shares: Mapping[str, float | None], seed: int, labels: np.ndarray, copies: list[bytes]
) -> dict[str, np.ndarray]:
    """The numbers of the training pictures, and of the parts that are shares of them; copies stay together."""
    from seqloom_runtime.data.parts import split_examples

    numbers = split_examples(
        count, shares["valid"] or 0, shares["test"] or 0, seed=seed, strata=labels.tolist(), groups=copies
    )
    return {
        name: found
        for name, found in zip(("train", "valid", "test"), numbers)
        if name == "train" or shares[name] is not None
    }


def _notes(
    settings: SequenceSettings, whole: LabelledPictures, labels: np.ndarray, copies: list[bytes], kept: int
) -> list[str]:
    from ..tasks.networks import BODIES, model_of

    count, height, width, colours = whole.pixels.shape
    classes = len(set(labels.tolist()))
    notes = [
        f"{count:,} pictures of {height} by {width} pixels in {'colour' if colours == 3 else 'grey'} and {classes} "
        f"classes, of which {kept:,} train.",
        *told(whole.decisions, "sequences"),
    ]
    doubled = count - len(set(copies))
    if doubled:
        are = "picture is a copy" if doubled == 1 else "pictures are copies"
        notes.append(f"{doubled:,} {are} of another; copies never cross the parts.")
    names = [name for name in o.names(settings.model) if name != "majority"]
    if not any("picture" in BODIES[model_of("pictures", name).body].options for name in names):
        steps = "pixel by pixel" if settings.read == "pixels" else "row by row"
        notes.append(f"Pictures are read {steps} by {', '.join(names)}; --model lenet looks at them as pictures.")
    if not (settings.shift or settings.flip or settings.crop or settings.noise):
        notes.append("Training pictures are not augmented; --shift, --flip, --crop and --noise would.")
    return notes
