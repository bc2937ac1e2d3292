"""`seqloom caption`: pictures and their texts, in a NumPy file or a table of paths; models that write them compared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import DataError, SettingError

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import told
from .placed import Origin, column, in_files
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import FormOptions

__all__ = ["CaptionSettings", "caption", "predict_file"]

_BASELINE = "nearest"


@reaches("Captioner")
class CaptionSettings(o.Asked):
    """Everything that decides what a comparison of models of captions computes."""

    options = (
        *o.parts("FILE", "0.1"),
        o.reading("images", "Array of the pictures; of a table the column of their paths.", shown="images, else X"),
        o.reading("texts", "Array of their texts; of a table their column.", shown="texts, captions, else y"),
        o.reading("image_size", "Height and width that the pictures of a table are scaled to.", "N|H,W", shown="own"),
        o.reading("colour", "Colours of a table's pictures: grey or colour.", shown="colour where any has it"),
        *o.from_table(
            "Captioner",
            "level max_words min_count max_length channels kernel_size embedding_size units layers attention dropout"
            " scheduled_sampling beams length_penalty",
        ),
        *o.from_table("Captioner", o.TRAINING),
        o.THREADS,
        o.argument(
            "FILE",
            "Pictures and texts: .npz with images (N, H, W[, C]) and texts (N,), or a table with paths of pictures.",
        ),
        o.models("Captioner", "gru", "rnn, gru, lstm", "nearest (the text of the training picture that is most alike)"),
    )


def _prepare(settings: CaptionSettings) -> Prepared:
    from seqloom_runtime.extras import installed, missing

    from ..tasks import Captioner
    from ..tasks.comparison import compare_models

    estimators = build_estimators(
        Captioner, model_names(settings.model, _BASELINE), o.parameters_of(settings, "Captioner")
    )
    path, shares = required_data(settings.data), shares_of(settings)
    pictures, texts, decisions = _read(path, settings)
    files = {name: _read(getattr(settings, name), settings)[:2] for name, share in shares.items() if share is None}
    for name, (others, _) in files.items():
        if others.shape[1:] != pictures.shape[1:]:
            sizes = [" × ".join(map(str, each.shape[1:])) for each in (pictures, others)]
            raise DataError(f"--{name}: expected pictures of {sizes[0]} (height, width, channels), found {sizes[1]}.")
    parts, rows, notes = _parts((pictures, texts), files, shares, settings.seed, path)
    if not installed("sacrebleu"):
        notes.append(missing("sacrebleu", "exact match and character error rate are the scores; BLEU"))
    compare = partial(
        compare_models,
        "caption",
        estimators,
        parts,
        baseline=_BASELINE,
        target=settings.texts or "text",
        rows=rows,
        unit="picture",
        source={"source": path, **{name: getattr(settings, name) for name in files}},
        seed=settings.seed,
    )
    origins = {
        name: Origin(getattr(settings, name) if name in files else path, [f"picture {row + 1}" for row in numbers])
        for name, numbers in rows.items()
    }
    named = {"pictures": column(settings.images), "texts": column(settings.texts)}
    return Prepared(in_files(compare, origins, named), [*told(decisions, "caption"), *notes])


def _read(path: str, settings: CaptionSettings) -> tuple[Any, list[str], Any]:
    """The pictures, their texts, and what was decided, of a file of NumPy's or of a table."""
    from seqloom_runtime.data.captioned import checked_texts_of, read_captioned
    from seqloom_runtime.data.pictures import read_pictures

    if Path(path).suffix in (".npz", ".npy"):
        for name in ("image_size", "colour"):
            if getattr(settings, name) is not None:
                flag = "--" + name.replace("_", "-")
                raise SettingError(f"{flag}: only pictures of a table are scaled; leave it out.")
        return read_captioned(path, images=settings.images, texts=settings.texts)
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file.")
    for name, words in (("images", "the paths of the pictures"), ("texts", "their texts")):
        if getattr(settings, name) is None:
            raise SettingError(f"--{name}: {path} is read as a table; name its column of {words}.")
    size = None if settings.image_size is None else o.numbers(settings.image_size, "--image-size", int)
    found = read_pictures(
        path,
        image_column=settings.images,
        label=settings.texts,
        image_size=size[0] if size is not None and len(size) == 1 else size,
        colour=settings.colour,
    )
    assert found.labels is not None
    return found.pixels, checked_texts_of(found.labels.tolist(), path), found.decisions


def _parts(
    whole: tuple[Any, list[str]], files: Mapping[str, Any], shares: Mapping[str, float | None], seed: int, path: str
) -> tuple[dict[str, Any], dict[str, list[int]], list[str]]:
    """Train, valid and test as pictures and texts, their numbers in the file, and notes; equal pictures together."""
    from seqloom_runtime.data.parts import split_examples

    drawn = {name: share or 0.0 for name, share in shares.items()}
    pictures, texts = whole
    same = [picture.tobytes() for picture in pictures]
    places = split_examples(len(texts), drawn["valid"], drawn["test"], seed=seed, groups=same)
    parts, rows = {}, {}
    for name, own in zip(("train", "valid", "test"), places):
        parts[name] = files[name] if name in files else (pictures[own], [texts[i] for i in own])
        rows[name] = list(range(len(files[name][1]))) if name in files else own.tolist()
    notes = [
        f"{name}: a held-out {100 * share:.3g} % of {path} ({len(rows[name]):,} pictures); equal pictures never cross "
        "the split."
        for name, share in drawn.items()
        if share
    ]
    return parts, rows, notes


caption = training_command(
    "caption",
    CaptionSettings,
    _prepare,
    """Compare models that write what pictures show, keep the best, and draw a report with where they looked.

    `seqloom predict RUN PICTURES` writes with it, of the pictures in an .npz or .npy file, or of files of pictures.""",
)


def predict_file(model: Any, data: str, settings: Mapping[str, Any], form: FormOptions) -> Predicted:
    """A row for each picture: its number, and the text that is written of it."""
    from seqloom_runtime.data import pictures
    from seqloom_runtime.data.captioned import read_pictures

    if pictures.holds_pictures(data):
        height, width, channels = model.size_
        colour = "colour" if channels == 3 else "grey"
        read = pictures.read_pictures(data, image_size=(height, width), colour=colour, labelled=False)
        return Predicted(
            {"picture": list(read.ids), "text": model.predict(read.pixels)}, told(read.decisions, "predict")
        )
    if not isinstance(data, str):
        raise SettingError(f"DATA: expected pictures, a folder or one file of arrays, got {len(data)} files.")
    found = model.predict(read_pictures(data, images=settings.get("images")))
    return Predicted({"picture": list(range(len(found))), "text": found}, [])
