"""Every reader of files, called as users call it, with cheap checks of what it accepts."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqloom.data import Panel, guess_time_column, read_panel, read_table
from seqloom.errors import SeqloomError
from seqloom_runtime.data.irregular import read_physionet, read_records
from seqloom_runtime.data.pictures import read_pictures
from seqloom_runtime.data.sequences import music, read_idx, read_sequences
from seqloom_runtime.data.speech import frame_count, log_mel, read_wav
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged, read_vectors

from . import WrongResult

__all__ = ["READERS", "twice"]

_ENCODINGS = (
    *["utf-8"] * 12,
    "utf-16",
    "latin-1",
    "cp1252",
    "ascii",
    "utf-7",
    "base64",
    "rot13",
    "idna",
    "undefined",
    "x\0y",
    "",
)


def expect(holds: Any, what: str) -> None:
    """Raise WrongResult unless `holds`."""
    if not holds:
        raise WrongResult(what)


def twice(read: Callable[[], Any], same: Callable[[Any], Any]) -> Any:
    """What `read` gives; raises WrongResult where it gives something else the second time."""
    first = read()
    expect(same(first) == same(read()), "a second read gives something else")
    return first


def table(path: Path, draw: random.Random) -> None:
    """A table: every column as numbers and as times, then the panel."""
    how: dict[str, Any] = {"encoding": draw.choice(_ENCODINGS), "decimal": draw.choice("...,")}
    found = twice(lambda: read_table(path, **how), lambda made: (made.names, made.rows))
    expect(len(set(found.names)) == len(found.names), "a name twice")
    for name in found.names[:50]:
        for column in (found.numbers, lambda name: found.moments(name).values, lambda name: found.labels(name)[1]):
            try:
                values = column(name)
            except SeqloomError:
                continue
            expect(len(values) == found.rows, f"{len(values)} values of {found.rows} rows")
    time = guess_time_column(found)
    id = draw.choice((None, None, *found.names[:3]))
    for which in {time, None, draw.choice(found.names)}:
        try:
            panel = read_panel(path, time=which, id=id, zone=draw.choice((None, None, "Europe/Berlin")), **how)
        except SeqloomError:
            continue
        expect(panel.values.shape == (len(panel), len(panel.columns)), "a panel of another shape")
        expect(panel.filled.shape == panel.values.shape, "marks of another shape")
        again = Panel.from_frame(read_table(path, **how), time=which, id=id)
        expect(len(again.columns) == len(panel.columns), "a second panel has other columns")


def database(path: Path, draw: random.Random) -> None:
    """A database by its URL, whole or by a query: every column as numbers and as times, then the panel."""
    kind = "duckdb" if path.suffix == ".duckdb" else "sqlite"
    url = f"{kind}:///{path}"
    query = draw.choice((None, None, "SELECT * FROM sales0", "SELECT count(*) AS n FROM sales0"))
    found = twice(lambda: read_table(url, query=query), lambda made: (made.names, made.rows))
    for name in found.names[:50]:
        for column in (found.numbers, lambda name: found.moments(name).values, lambda name: found.labels(name)[1]):
            try:
                values = column(name)
            except SeqloomError:
                continue
            expect(len(values) == found.rows, f"{len(values)} values of {found.rows} rows")
    panel = Panel.from_frame(found, time=guess_time_column(found))
    expect(panel.filled.shape == panel.values.shape, "marks of another shape")


def labelled(path: Path, draw: random.Random) -> None:
    """Labelled texts."""
    layout, label = (
        draw.choice(("auto", "auto", "table", "json-lines", "label-tab-text")),
        draw.choice(("label", "label", None)),
    )
    encoding = draw.choice(_ENCODINGS)
    found = twice(
        lambda: read_labelled(path, label=label, layout=layout, encoding=encoding),
        lambda made: (made.texts, made.labels),
    )
    expect(len(found.texts) == len(found.lines), "texts and lines differ in number")
    expect(
        label is None or (len(found.labels) == len(found) and all(name.strip() for name in found.labels)),
        "a label is missing",
    )
    "".join(found.texts).encode("utf-8")


def tagged(path: Path, draw: random.Random) -> None:
    """Tagged sentences."""
    layout, whole = draw.choice(("auto", "auto", "conll", "iob-lines", "json-lines")), draw.random() < 0.8
    found = twice(
        lambda: read_tagged(path, layout=layout, tagged=whole, encoding=draw.choice(("utf-8",))),
        lambda made: (made.words, made.tags),
    )
    expect(found.tags is None or [*map(len, found.words)] == [*map(len, found.tags)], "words and tags differ in number")
    " ".join(word for words in found.words for word in words).encode("utf-8")


def corpus(path: Path, draw: random.Random) -> None:
    """Running text, its vocabulary and its ids."""
    level, encoding = draw.choice(("word", "char")), draw.choice(_ENCODINGS)
    found = twice(lambda: read_corpus(path, level, encoding=encoding), lambda made: made.text)
    vocabulary = found.vocabulary(max_words=draw.choice((None, 5)))
    ids = found.encode(vocabulary)
    expect(
        len(ids) == len(found.tokens()) and (not len(ids) or 0 <= ids.min() <= ids.max() < len(vocabulary)),
        "an id out of range",
    )


def vectors(path: Path, draw: random.Random) -> None:
    """Word vectors."""
    layout = draw.choice(("auto", "auto", "auto", "glove", "word2vec-text", "word2vec-binary"))
    limit, first = draw.choice((None, None, 1, 10**6)), draw.random() < 0.5
    found = twice(
        lambda: read_vectors(path, layout=layout, limit=limit, keep_first=first),
        lambda made: (made.words, made.vectors.tobytes()),
    )
    expect(len(found.words) == len(found.vectors) and np.isfinite(found.vectors).all(), "vectors that aren't finite")


def sequences(path: Path, draw: random.Random) -> None:
    """Sequences and labels, from NumPy files or from tables."""
    how: dict[str, Any] = {}
    if path.suffix in (".npy", ".npz"):
        labels, columns = ("y", "y", None), (None,)
    elif path.suffix == ".csv":
        labels, columns = ("label", "label", "label", None, ("label", "a")), (None, None, ("a", "b"), ("b",))
    else:
        labels, columns = ("label", "label", "tags", None), (("x",), ("x",), ("ys",), None)
    how["label"], how["columns"] = draw.choice(labels), draw.choice(columns)
    if path.suffix not in (".npy", ".npz") and draw.random() < 0.8:
        how.update(id="id", time=draw.choice((None, None, None, "time")))
    how["every_step"] = draw.choice((None, None, None, True, False))
    found = twice(
        lambda: read_sequences(path, **how), lambda made: (made.sequences.values.tobytes(), made.ids, repr(made.target))
    )
    held = found.sequences
    expect(held.offsets[-1] == len(held.values) and len(found.ids) == len(held), "offsets that don't fit")
    expect(np.isfinite(np.asarray(held.values, np.float64)).all(), "numbers that aren't finite")
    number = len(held.values) if found.every_step else len(held)
    expect(found.target is None or len(found.target) == number, "targets that don't fit")


def records(path: Path, draw: random.Random) -> None:
    """Irregular records, of a table or of a folder of stays."""
    columns = draw.choice((("a", "b"), ("a",), None))
    if path.is_dir():
        found = twice(lambda: read_physionet(path), lambda made: made.fingerprint())
    else:
        how: dict[str, Any] = draw.choice(({"label": "label"}, {"event": "event", "horizon": "3"}, {}))
        found = twice(
            lambda: read_records(path, id="id", time="t", value_columns=columns, **how), lambda made: made.fingerprint()
        )
    target = found.target
    expect(target is None or np.isin(target[~np.isnan(target)], (0, 1)).all(), "answers that are neither 0 nor 1")
    expect(np.logical_or.reduceat(~np.isnan(found.values).all(axis=1), found.offsets[:-1]).all(), "an empty record")


def idx(path: Path, draw: random.Random) -> None:
    """An IDX file."""
    twice(lambda: read_idx(path), lambda made: (made.shape, str(made.dtype), made.tobytes()))


def picture(path: Path, draw: random.Random) -> None:
    """A picture, in its colours or in grey, as it is or scaled."""
    how: dict[str, Any] = {"colour": draw.choice((None, "grey", "colour")), "image_size": draw.choice((None, 7))}
    made = twice(lambda: read_pictures(path, labelled=False, **how), lambda made: made.pixels.tobytes())
    expect(made.pixels.dtype == np.uint8 and made.pixels.shape[3] in (1, 3), "no picture")


def piano_rolls(path: Path, draw: random.Random) -> None:
    """The packed pieces of music."""
    _rolls(music.packed_rolls(path, draw.choice(("train", "train", "valid"))))


def matlab(path: Path, draw: random.Random) -> None:
    """The original pieces of music: SciPy, which reads them, must never see a file that isn't the original."""
    cache = path.parent / "cache"
    original = cache / "poly_music" / "JSB_Chorales.mat"
    original.parent.mkdir(parents=True)
    original.write_bytes(path.read_bytes())
    music.load_music("jsb", draw.choice(("train", "test")), cache=cache)
    raise WrongResult("a file with another SHA-256 was read")


def sound(path: Path, draw: random.Random) -> None:
    """A WAV file: its samples, and its log-mel features where it is long enough."""
    found = twice(lambda: read_wav(path), lambda made: made.fingerprint())
    expect(found.samples.ndim == 1 and len(found) > 0, "samples of another shape")
    expect(np.isfinite(found.floats()).all(), "samples that are no numbers")
    if frame_count(len(found), found.rate, 0.01):
        mel = log_mel(found, draw.choice((3, 8, 40, 300)))
        expect(np.isfinite(mel).all(), "features that are no numbers")
        expect(len(mel) == frame_count(len(found), found.rate, 0.01), "another number of frames")


def _rolls(pieces: list[np.ndarray]) -> None:
    for piece in pieces:
        expect(piece.ndim == 2 and piece.dtype == np.float32, f"a piece of shape {piece.shape}, {piece.dtype}")
        expect(piece.shape[1] == music.KEYS, f"a piece of {piece.shape[1]} keys")


def panel(path: Path, draw: random.Random) -> None:
    """A saved panel."""
    found = twice(lambda: Panel.open(path, mmap=draw.random() < 0.5), lambda made: (made.columns, made.ids, len(made)))
    found.fingerprint()
    expect(found.values.shape == (len(found), len(found.columns)), "a panel of another shape")


def run_folder(path: Path, draw: random.Random) -> None:
    """A run folder: what `seqloom inspect` and the report read."""
    from seqloom.report import read_metrics, saved, table_text

    metrics = read_metrics(path / "metrics.json")
    table_text(metrics)
    run = saved.read_run(path)
    expect(len(run.curves.epoch) == len(run.curves.model), "a history of unequal columns")
    expect(len(run.predictions.actual) == len(run.predictions.step), "predictions of unequal columns")


def onnx_graph(path: Path, draw: random.Random) -> None:
    """An ONNX graph as layers that run."""
    from seqloom.nn import from_onnx

    _layers(lambda: from_onnx(path))


def keras_model(path: Path, draw: random.Random) -> None:
    """A model of Keras as layers that run."""
    from seqloom.nn import from_keras

    _layers(lambda: from_keras(path))


def _layers(read: Callable[[], Any]) -> None:
    import torch

    def weights(model: Any) -> list[bytes]:
        return [value.detach().numpy().tobytes() for value in model.state_dict().values()]

    model = twice(read, weights)
    with torch.no_grad():
        y = model(torch.zeros(2, 5, 2))
    expect(isinstance(y, torch.Tensor) and len(y) == 2, "an output of another shape")


READERS: dict[str, Callable[[Path, random.Random], None]] = {
    "table": table,
    "database": database,
    "labelled": labelled,
    "tagged": tagged,
    "corpus": corpus,
    "vectors": vectors,
    "sequences": sequences,
    "records": records,
    "idx": idx,
    "picture": picture,
    "piano_rolls": piano_rolls,
    "sound": sound,
    "matlab": matlab,
    "panel": panel,
    "run_folder": run_folder,
    "onnx_graph": onnx_graph,
    "keras_model": keras_model,
}

warnings.simplefilter("ignore")  # of libraries about odd files: they are no fault of a reader
