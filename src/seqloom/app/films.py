"""Films as data of `seqloom sequences`: a label for each, in an .npz of frames and labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import DataError, SettingError, shown

from . import options as o
from .estimators import build_estimators, model_names, refuse_unknown, shares_of
from .pictures import refuse_new_labels
from .predicted import Predicted
from .running import Prepared

if TYPE_CHECKING:
    from .sequences import SequenceSettings

__all__ = ["films_in", "predicted_films", "prepared_films"]

_FRAMES, _LABELS = ("frames", "X", "x"), ("y", "labels")
# What a table of sequences needs to be told, and films don't.
_OF_TABLES = ("id", "time", "columns")


def films_in(path: Any) -> bool:
    """Whether the data is an .npz whose frames (N, T, H, W) or (N, T, H, W, C) are images."""
    from seqloom_runtime.data.sequences.arrays import Archive, opened_arrays

    if not isinstance(path, str) or Path(path).suffix != ".npz" or not Path(path).is_file():
        return False
    with opened_arrays(path) as held:
        name = next((name for name in _FRAMES if name in held), None) if isinstance(held, Archive) else None
        return name is not None and held[name].ndim in (4, 5)


def prepared_films(settings: SequenceSettings, path: str, estimators: str) -> Prepared:
    """A comparison of models that tell the label of a film; `estimators` are those whose flags the command has."""
    from seqloom_runtime.data.parts import split_examples

    from ..tasks.comparison import compare_models
    from ..tasks.sequences import FilmClassifier

    for name in _OF_TABLES:
        if getattr(settings, name) is not None:
            raise SettingError(f"--{name}: {path} holds films, arrays of frames; leave it out.")
    if settings.predict not in (None, "label"):
        raise SettingError(f"--predict: {path} holds films, of which a label is predicted, got {settings.predict}.")
    given = o.parameters_of(settings, estimators)
    refuse_unknown(FilmClassifier, given, "film's label")
    models = build_estimators(FilmClassifier, model_names(settings.model, "majority"), given)
    shares = shares_of(settings)
    films, labels = _read(path, settings.label)
    drawn = split_examples(
        len(films), shares["valid"] or 0, shares["test"] or 0, seed=settings.seed, strata=labels.tolist()
    )
    parts, rows = {}, {}
    for name, own in zip(("train", "valid", "test"), drawn):
        if name != "train" and shares[name] is None:
            parts[name] = _read(getattr(settings, name), settings.label)
            rows[name] = [str(number) for number in range(len(parts[name][0]))]
        else:
            parts[name] = films.take(own), labels[own]
            rows[name] = [str(number) for number in own]
    refuse_new_labels(parts, {"valid": settings.valid, "test": settings.test}, "film")
    height, width, channels = films.size
    what = {1: " in grey", 3: " in colour"}.get(channels, f" of {channels} channels")
    notes = [
        f"{len(films):,} films of {height} by {width} pixels{what}, of which "
        f"{len(parts['train'][0]):,} train; convolutions read each frame, the model the frames in order."
    ]
    compare = partial(
        compare_models,
        "sequences",
        models,
        parts,
        baseline="majority",
        target=settings.label or "y",
        rows=rows,
        unit="film",
        source={"source": path, **{name: getattr(settings, name) for name, share in shares.items() if share is None}},
        seed=settings.seed,
    )
    return Prepared(compare, notes)


def _read(path: str, label: str | None) -> tuple[Any, Any]:
    """The films of an .npz and the label of each."""
    from seqloom_runtime.data.films import Films
    from seqloom_runtime.data.sequences.arrays import Archive, opened_arrays

    with opened_arrays(path) as held:
        frames = next((name for name in _FRAMES if name in held), None) if isinstance(held, Archive) else None
        if frames is None:
            raise DataError(f"{path}: expected an .npz with films as the array frames or X.")
        name = label or next((name for name in _LABELS if name in held), None)
        if name is None or name not in held:
            there = ", ".join(map(shown, held))
            raise DataError(
                f"{path}: expected labels as the array {shown(name or 'y')}, found {there}; name it (label=)."
            )
        films, labels = Films.make(held[frames], path), held[name]
    if labels.shape != (len(films),):
        raise DataError(f"{path}: expected a label for each of {len(films)} films, got an array {labels.shape}.")
    return films, labels


def predicted_films(model: Any, data: Any) -> Predicted:
    """A row for each film: its number, the label, the probability of each."""
    from seqloom_runtime.data.films import read_films

    films, _ = read_films(data)
    found: dict[str, Any] = {"id": list(range(len(films))), "predicted": model.predict(films).tolist()}
    for label, column in zip(model.classes_, model.predict_proba(films).T):
        found[f"p_{label}"] = column.tolist()
    return Predicted(found, [])
