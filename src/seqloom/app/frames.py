"""`seqloom frames`: films in a NumPy file, models of their next frames compared, the best saved, a report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from seqloom_runtime.errors import DataError

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import told
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import FormOptions

__all__ = ["FrameSettings", "frames", "predict_file"]

_BASELINES = ("persistence", "advection")


@reaches("FramePredictor")
class FrameSettings(o.Asked):
    """Everything that decides what a comparison of models of frames computes."""

    options = (
        *o.from_table("FramePredictor", "lookback horizon", values=True),
        *o.parts("FILMS", "0.15", valid=" (of one film: its part before the test's)", test=" (of one film: its end)"),
        o.reading("array", "Array of an .npz that holds the frames.", shown="frames or X, else the only one"),
        o.reading("axes", "Axes of the array: THW (one film), NTHW, THWC or NTHWC.", shown="by their number"),
        *o.from_table("FramePredictor", "units layers kernel_size patch_size reach loss"),
        *o.from_table("FramePredictor", o.TRAINING),
        o.THREADS,
        o.argument("FILMS", "Films: .npz or .npy, an array (N, T, H, W), (N, T, H, W, C) or one film (T, H, W)."),
        o.models(
            "FramePredictor",
            "conv-gru",
            "conv-gru, conv-lstm",
            "persistence (the last frame again) and advection (the last frame, carried along its motion)",
        ),
    )


def _prepare(settings: FrameSettings) -> Prepared:
    from ..tasks import FramePredictor
    from ..tasks.comparison import compare_models

    estimators = build_estimators(
        FramePredictor, model_names(settings.model, *_BASELINES), o.parameters_of(settings, "FramePredictor")
    )
    path, shares = required_data(settings.data), shares_of(settings)
    whole, decisions = _read(path, settings)
    given = {name: _read(getattr(settings, name), settings)[0] for name, share in shares.items() if share is None}
    for name, films in given.items():
        if films.size != whole.size:
            sizes = [" × ".join(map(str, size)) for size in (whole.size, films.size)]
            raise DataError(f"--{name}: expected frames of {sizes[0]} (height, width, channels), found {sizes[1]}.")
    span = settings.lookback + settings.horizon
    parts, rows, notes = _parts(whole, given, shares, settings.seed, span, path)
    compare = partial(
        compare_models,
        "frames",
        estimators,
        {name: (films,) for name, films in parts.items()},
        baseline=_BASELINES[0],
        baselines=_BASELINES,
        target="next frames",
        rows=rows,
        unit="film",
        source={"source": path, **{name: getattr(settings, name) for name in given}},
        seed=settings.seed,
    )
    return Prepared(compare, [*told(decisions, "frames"), *notes])


def _read(path: str, settings: Any) -> tuple[Any, Any]:
    from seqloom_runtime.data.films import read_films

    return read_films(path, array=settings.array, axes=settings.axes)


def _parts(
    whole: Any, given: Mapping[str, Any], shares: Mapping[str, float | None], seed: int, span: int, path: str
) -> tuple[dict[str, Any], dict[str, list[int]], list[str]]:
    """Train, valid and test as films, the number of each in its file, and notes."""
    from seqloom_runtime.data.parts import split_examples

    drawn = {name: share or 0.0 for name, share in shares.items()}
    if len(whole) == 1 and any(drawn.values()):
        return _in_time(whole, given, drawn, span, path)
    places = split_examples(len(whole), drawn["valid"], drawn["test"], seed=seed)
    parts, rows = {}, {}
    for name, own in zip(("train", "valid", "test"), places):
        parts[name] = given[name] if name in given else whole.take(own)
        rows[name] = list(range(len(given[name]))) if name in given else own.tolist()
    notes = [
        f"{name}: a held-out {100 * share:.3g} % of {path} ({len(rows[name]):,} films)."
        for name, share in drawn.items()
        if share
    ]
    return parts, rows, notes


def _in_time(
    whole: Any, given: Mapping[str, Any], shares: Mapping[str, float], span: int, path: str
) -> tuple[dict[str, Any], dict[str, list[int]], list[str]]:
    """One film, cut in order of time: the first frames train, the next validate, the last test."""
    total = int(whole.lengths[0])
    lengths = {name: max(span, round(share * total)) if share else 0 for name, share in shares.items()}
    train = total - sum(lengths.values())
    if train < span:
        raise DataError(
            f"{path}: expected a film of at least {3 * span} frames, --lookback and --horizon ({span}) for each part, "
            f"got {total}; set them smaller, or give --valid and --test files."
        )
    parts, begin, notes = {"train": whole.between(0, train)}, train, []
    for name, length in lengths.items():
        parts[name] = given[name] if name in given else whole.between(begin, begin + length)
        if length:
            notes.append(f"{name}: frames {begin} to {begin + length - 1} of the one film in {path}.")
        begin += length
    return parts, {name: list(range(len(films))) for name, films in parts.items()}, notes


frames = training_command(
    "frames",
    FrameSettings,
    _prepare,
    """Compare models that predict the next frames of films (radar, microscopes, cameras), keep the best, draw a report.

    Films are drawn at random into training, validation and test; a single film is cut in order of time.""",
)


def predict_file(model: Any, data: str, settings: Mapping[str, Any], form: FormOptions) -> Predicted:
    """A row for each pixel of the frames that follow each film; also as an array, and as a picture."""
    from seqloom_runtime.data.films import read_films

    from .frame_files import as_npy, as_png

    films, decisions = read_films(data, array=settings.get("array"), axes=settings.get("axes"))
    found = whole = model.predict(films)
    found = found[..., None] if found.ndim == 4 else found
    places = dict(zip(("film", "ahead", "y", "x", "channel"), _places(found.shape)))
    places["ahead"] = places["ahead"] + 1
    if found.shape[4] == 1:
        del places["channel"]
    columns = {name: values.tolist() for name, values in places.items()}
    files = {".npy": lambda: (as_npy(whole), ()), ".png": lambda: as_png(found, model.range_)}
    return Predicted({**columns, "predicted": found.ravel().astype(float).tolist()}, told(decisions, "predict"), files)


def _places(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.indices(shape).reshape(len(shape), -1)
