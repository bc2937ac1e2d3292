"""Damaged model folders with checksums that match: every kind of saved model, loaded and asked to predict.

A mutation changes the JSON (a leaf, a container, one name wherever it stands) or the arrays (values, shapes, types,
offsets); then checksums are made right again, as somebody who means harm would. Fine is an exception of seqloom, or a
model that predicts. Anything else is a finding: another exception, 10 s without an answer, memory without a bound.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import random
import resource
import signal
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.tasks import forecast_cases, sequence_cases, text_cases

from seqloom import LanguageModel, SequenceTagger, load
from seqloom.app.inspecting import describe
from seqloom.errors import SeqloomError
from seqloom.files import sha256_bytes
from seqloom.tasks.model_folder import read_model

from . import WrongResult
from .verdict import judged

__all__ = ["KINDS", "Saved", "blob_of", "cases", "check", "damage", "nasty", "saved_model", "write_folder"]

SECONDS = 10
MEMORY = 1 << 30  # what a load and a prediction of these small models may ask for on top of what the process has
_OURS = ("format", "schema", "files", "checksum")

Header = dict[str, Any]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Saved:
    """A model as it was saved, and how it is asked for everything it knows."""

    header: Header
    arrays: Arrays
    use: Callable[[Any], None]


def cases(seed: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """(name, action) without end: a damaged folder is written, loaded and asked, and removed again."""
    draw = random.Random(seed)
    kinds = list(KINDS)
    while True:
        kind, own = draw.choice(kinds), draw.randrange(2**62)
        yield f"model folder: {kind} {own}", functools.partial(_attack, kind, own)


def check(folder: Path, use: Callable[[Any], None] | None = None) -> str | None:
    """What is wrong with how the folder is answered, in words; None where all is well."""
    found = judged(functools.partial(_ask, folder, use))[2]
    return None if found is None else f"{found.kind}: {found.detail}"


def _attack(kind: str, seed: int) -> None:
    saved, draw = saved_model(kind), random.Random(seed)
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        said = damage(Path(folder), saved, draw)
        try:
            _ask(Path(folder), saved.use)
        except BaseException as fault:
            fault.add_note(f"{kind}: {said}")
            raise


def _ask(folder: Path, use: Callable[[Any], None] | None) -> None:
    """Load the model and ask it, within bounds."""
    try:
        with _bounded():
            model = load(folder)
            describe(model)
            if use is not None:
                use(model)
    except SeqloomError as refused:
        if "Unable to allocate" in str(refused) or "allocate memory" in str(refused):
            raise WrongResult("memory was asked for before the sizes were looked at") from refused
        raise


_SCRATCH = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else None


# -- the models ---------------------------------------------------------------------------------------------------


def _forecaster(model: str) -> tuple[Any, Callable[[Any], None]]:
    options = {"gru": {"calendar": True}, "dense": {"anchor": "seasonal"}, "conv": {"anchor": "last"}}.get(model, {})
    rows = forecast_cases.hourly(rows=160)
    fitted = forecast_cases.small(model=model, epochs=1, **options).fit(rows, target="load")

    def use(loaded: Any) -> None:
        loaded.forecast()
        loaded.predict(rows)

    return fitted, use


def _series_forecaster() -> tuple[Any, Callable[[Any], None]]:
    panel = forecast_cases.several({"a": 120, "b": 100})
    fitted = forecast_cases.small(model="linear", epochs=1, scaling="series").fit(panel, target="column_0")

    def use(loaded: Any) -> None:
        loaded.forecast()
        loaded.predict(panel)

    return fitted, use


def _sequences(task: str, model: str) -> tuple[Any, Callable[[Any], None]]:
    fitted = sequence_cases.fitted(task, model, epochs=1)
    x = sequence_cases.walks(6)

    def use(loaded: Any) -> None:
        loaded.predict(x)
        sequence_cases.answers(loaded, x)

    return fitted, use


def _texts(model: str) -> tuple[Any, Callable[[Any], None]]:
    texts, labels = text_cases.reviews(60, classes=3)
    fitted = text_cases.classifier_of(model, epochs=1).fit(texts, labels)

    def use(loaded: Any) -> None:
        loaded.predict([*texts[:3], "", "nothing that it knows"])
        loaded.predict_proba(texts[:3])

    return fitted, use


def _tagger(model: str, **options: Any) -> tuple[Any, Callable[[Any], None]]:
    words = [["fly", "to", "boston", "now"], ["from", "denver"], ["to", "dallas", "please"]] * 12
    tags = [["O", "O", "B-to", "O"], ["O", "B-from"], ["O", "B-to", "O"]] * 12
    small: dict[str, Any] = {"embedding_size": 5, "units": 4, "epochs": 1, "batch_size": 8}
    fitted = SequenceTagger(model=model, **small, **options).fit(words, tags)

    def use(loaded: Any) -> None:
        loaded.predict([*words[:3], ["unheard"]])

    return fitted, use


def _language(model: str, level: str, **options: Any) -> tuple[Any, Callable[[Any], None]]:
    text = "the cat sat on the mat\na dog ran to the cat\n" * 20
    small: dict[str, Any] = {"units": 6, "layers": 2, "epochs": 1, "window": 8, "batch_size": 4, "steps_per_epoch": 2}
    fitted = LanguageModel(model=model, level=level, **small, **options).fit(text)

    def use(loaded: Any) -> None:
        loaded.generate("the" if level == "char" else "the cat", 8)
        loaded.score(text[:60])

    return fitted, use


KINDS: dict[str, Callable[[], tuple[Any, Callable[[Any], None]]]] = {
    **{f"forecast {model}": functools.partial(_forecaster, model) for model in forecast_cases.MODELS},
    "forecast of series": _series_forecaster,
    **{f"{task} {model}": functools.partial(_sequences, task, model) for task, model in sequence_cases.ALL},
    **{f"text {model}": functools.partial(_texts, model) for model in text_cases.MODELS},
    **{f"tags {m}": functools.partial(_tagger, m) for m in ("frequent", "memoryless", "jordan", "elman", "bilstm")},
    "tags crf": functools.partial(_tagger, "bigru", crf=True),
    **{f"language {m}": functools.partial(_language, m, "char") for m in ("unigram", "bigram", "rnn", "lstm", "tcn")},
    "language words": functools.partial(_language, "gru", "word"),
    "language untied": functools.partial(_language, "gru", "word", tied=False, embedding_size=5),
}


@functools.cache
def saved_model(kind: str) -> Saved:
    """The model of that kind, fitted once a process."""
    fitted, use = KINDS[kind]()
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        fitted.save(Path(folder) / "model")
        header, arrays = read_model(Path(folder) / "model")
    return Saved({name: value for name, value in header.items() if name not in _OURS}, arrays, use)


# -- writing what no program of ours would --------------------------------------------------------------------------

_TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16",
          "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL"}  # fmt: skip


def write_folder(folder: Path, body: Header, blob: bytes) -> None:
    """A model folder of this body and these bytes of arrays, its checksums right."""
    files = {"model.safetensors": {"bytes": len(blob), "sha256": sha256_bytes(blob)}}
    header = {"format": "seqloom model", "schema": 1, "files": files, **body}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    header["checksum"] = sha256_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "model.safetensors").write_bytes(blob)
    (folder / "model.json").write_text(json.dumps(header))


def blob_of(arrays: Arrays, spoil: Callable[[Header], None] | None = None) -> bytes:
    """The arrays as safetensors writes them; `spoil` changes the table of types, shapes and offsets."""
    table: Header = {}
    data = b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        offsets = [len(data), len(data) + len(raw)]
        table[name] = {"dtype": _TYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        data += raw
    if spoil is not None:
        spoil(table)
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


# -- damage -------------------------------------------------------------------------------------------------------


def nasty(draw: random.Random) -> Any:
    """A value that a field of a model doesn't expect, or no longer fits."""
    return copy.copy(draw.choice(_NASTY))


_DEEP: Any = []
for _ in range(300):
    _DEEP = [_DEEP]
_NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 7, 30, 31, 1000, 10**6, 10**9, 10**12, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64,
    10**400, -(10**400), -(2**63), 0.5, -0.0, -0.5, 1e-308, 5e-324, 1e308, -1e308, 1.0, 1e18, float("nan"),
    float("inf"), "", "x", "nan", "\ud800", "\x00\x1b[31m", "9" * 5000, "24h", "1us", "1000000000y", "0h", "Mars/Base",
    "gru", "tcn", "naive", "last", "seasonal", [], {}, [[]], [None], [1], [0], [-1], [1e308], ["a", "a"], [10**12],
    [1] * 100_000, ["w"] * 50_000, [8] * 40, [1] * 5000, {"kind": "gru"}, {"": {}}, _DEEP,
]  # fmt: skip


_NUMBERS = [
    0, -1, 1, 2, 3, 4, 6, 24, 1000, 65536, 10**6, 10**7, 10**7 + 1, 10**8, 10**9, 10**10, 10**12, 2**31, 2**53, 2**62,
    2**63, 10**30, 10**400, 0.5, 1e-300, 1e300, 12.0, "1000000y", "3h", "100000000h", [10**9], [1] * 1000,
    [1] * 100_000, [1, 10**12], [10**6, 10**6],
]  # fmt: skip
# Parameter → the other names under which a model keeps what follows from it.
_SIZES: dict[str, tuple[str, ...]] = {
    "lookback": ("input_steps",), "horizon": ("forecast_steps",), "every": (), "season": (), "units": (), "layers": (),
    "channels": (), "kernel_size": (), "pool_size": (), "dilation": (), "levels": (), "lengths": (), "trees": (),
    "max_length": ("length",), "hidden": (), "embedding_size": (), "max_words": (), "context": (), "window": (),
    "scored": (), "score_last": (), "time_limit": (), "n": (), "day": (), "columns": (), "choosing_mae": (), "seed": (),
    "batch_size": (), "units_": ("units", "embedding_size"), "min_df": (), "temperature": (), "max_fill": (),
    "word_dropout": (), "strength": (), "start": (), "horizon_": ("horizon", "lookback"),
}  # fmt: skip


def damage(folder: Path, saved: Saved, draw: random.Random) -> str:
    """Write a damaged copy of the model; returns in words what was done."""
    header, arrays = copy.deepcopy(saved.header), dict(saved.arrays)
    said = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if draw.random() < 0.65 or not arrays:
            said.append(_damage_json(header, draw))
        else:
            said.append(_damage_arrays(arrays, draw))
    spoil = None
    if arrays and draw.random() < 0.1:
        spoil = functools.partial(_damage_table, draw=draw)
        said.append("table of arrays")
    write_folder(folder, header, blob_of(arrays, spoil))
    return "; ".join(said)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside a JSON value; of long lists the first few."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())[:80]
    elif isinstance(value, list):
        items = list(enumerate(value))[:6]
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _damage_json(header: Header, draw: random.Random) -> str:
    paths = list(_places(header))
    path = draw.choice(paths)
    above = functools.reduce(lambda found, key: found[key], path[:-1], header)
    key, how = path[-1], draw.random()
    old = above[key]
    if how < 0.2:  # a size wherever it stands under one of its names, so that the fields agree
        key = draw.choice(list(_SIZES))
        new = draw.choice(_NUMBERS)
        for name in (key, *_SIZES[key]):
            _everywhere(header, name, new)
        return f"every {key} = {_short(new)}"
    if how < 0.4 and isinstance(key, str):  # likewise
        new = nasty(draw) if draw.random() < 0.7 else _near(old, draw)
        _everywhere(header, key, new)
        return f"every {key} = {_short(new)}"
    if how < 0.75:
        above[key] = nasty(draw) if draw.random() < 0.75 else _near(old, draw)
        return f"{path} = {_short(above[key])}"
    if how < 0.85:
        del above[key]
        return f"{path} removed"
    if how < 0.92:
        other = draw.choice(paths)
        with contextlib.suppress(KeyError, IndexError, TypeError):
            above[key] = copy.deepcopy(functools.reduce(lambda found, name: found[name], other, header))
        return f"{path} = {other}"
    if isinstance(old, list):
        above[key] = draw.choice([old + old, old[::-1], old[:1], [*old, nasty(draw)], [old]])
    elif isinstance(old, dict):
        above[key] = {**old, draw.choice(["", "extra", "units", "kind"]): nasty(draw)}
    else:
        above[key] = [old]
    return f"{path} = {_short(above[key])}"


def _near(old: Any, draw: random.Random) -> Any:
    """A value like the old one."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, (int, float)):
        return draw.choice([old + 1, old - 1, -old, 2 * old, old * 1000, old / 3, float(old), str(old)])
    if isinstance(old, str):
        return draw.choice([old + "x", old[:-1], old.upper(), "", old * 1000, old + "\u202e\x07"])
    if isinstance(old, list):
        return draw.choice([old + old, old[:1], old[1:], old * (1000 if len(old) < 1000 else 2)])
    return draw.choice([[old], {}, None])


def _everywhere(value: Any, key: str, new: Any) -> None:
    for name, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if name == key:
            value[name] = copy.deepcopy(new)
        elif isinstance(inner, (dict, list)):
            _everywhere(inner, key, new)


def _damage_arrays(arrays: Arrays, draw: random.Random) -> str:
    name = draw.choice(sorted(arrays))
    how = draw.choice(["type", "shape", "value", "values", "values", "missing", "extra", "renamed", "order"])
    array = arrays[name]
    if how == "type":
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(draw.choice(list(_TYPES)))
    elif how == "shape":
        shapes = [array.reshape(-1), array[None], array.reshape(-1)[:0], array.T, np.zeros((), array.dtype)]
        shapes += [np.concatenate([array, array]) if array.ndim else array, array[1:] if array.ndim else array]
        shapes += [np.zeros((0, *array.shape[1:]), array.dtype), np.zeros((*array.shape, 0), array.dtype)]
        arrays[name] = draw.choice(shapes)
    elif how in ("value", "values"):
        arrays[name] = _odd_values(array, draw, every=how == "values" and draw.random() < 0.5)
    elif how == "missing":
        del arrays[name]
    elif how == "extra":
        arrays[draw.choice(["stray", name + "x", "network.x", ""])] = array
    elif how == "renamed":
        arrays[draw.choice(sorted(arrays))] = array
    elif array.size:
        arrays[name] = np.random.default_rng(draw.randrange(2**32)).permutation(array.reshape(-1)).reshape(array.shape)
    return f"{how} of {name}"


def _odd_values(array: np.ndarray, draw: random.Random, *, every: bool) -> np.ndarray:
    if not array.size:
        return array
    if array.dtype.kind == "f":
        choices = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 1e-308, 5e-324, -1.0, 1e38, 1e6]
    elif array.dtype.kind == "b":
        choices = [True, False]
    else:
        info = np.iinfo(array.dtype)
        choices = [info.min, info.max, -1 % info.max, -1, 0, 1, 2, 5, 1000, info.max // 2, info.min // 2]
        choices = [value for value in choices if info.min <= value <= info.max]
    changed = array.copy().reshape(-1)
    with np.errstate(all="ignore"):
        changed[slice(None) if every else draw.randrange(changed.size)] = draw.choice(choices)
    return changed.reshape(array.shape)


def _damage_table(table: Header, draw: random.Random) -> None:
    about = table[draw.choice(sorted(table))]
    how = draw.choice(["dtype", "shape", "offsets", "field", "metadata"])
    if how == "dtype":
        about["dtype"] = draw.choice(["BF16", "F8_E4M3", "F8_E5M2", "F64", "I64", "BOOL", "C64", "F4", "X", "", 3])
    elif how == "shape":
        about["shape"] = draw.choice([[0], [], [-1], [2**40, 2**40], [2**63], [1] * 100, ["2"], None, [1.5], [10**12]])
    elif how == "offsets":
        ends = about["data_offsets"]
        about["data_offsets"] = draw.choice([[0, ends[1]], [0, 8], ends[::-1], [0, 2**63], [-8, 0], [], ["0", "8"]])
    elif how == "field":
        about[draw.choice(["extra", "dtype", "shape"])] = nasty(draw)
    else:
        table["__metadata__"] = draw.choice([{"format": "pt"}, {"a": 1}, [], "x", {"a": "b" * 100_000}])


def _short(value: Any) -> str:
    with contextlib.suppress(ValueError):
        text = repr(value)
        return text if len(text) < 60 else f"{text[:50]}… ({len(text)} characters)"
    return type(value).__name__


# -- bounds -------------------------------------------------------------------------------------------------------


class _Hung(BaseException):
    """No answer in time. No Exception, so that nothing on the way takes it for damage."""


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """An alarm after `SECONDS`, and an address space of `MEMORY` more than now."""

    def ring(*_: object) -> None:
        raise _Hung(f"no answer in {SECONDS} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, ring) if main else None
    bound = now + MEMORY if soft == resource.RLIM_INFINITY else min(soft, now + MEMORY)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
        if main:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
        yield
    finally:
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
