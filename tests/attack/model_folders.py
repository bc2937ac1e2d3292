"""Damaged model folders with checksums that match: every kind of saved model, loaded and asked to predict.

A mutation changes the JSON (a leaf, a container, one name wherever it stands) or the arrays (values, shapes, types,
offsets); then checksums are made right again, as somebody who means harm would. Fine is an exception of seqloom, or a
model that predicts. Anything else is a finding: another exception, 10 s without an answer, memory without a bound.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import resource
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.tasks import forecast_cases, sequence_cases, text_cases

from seqloom import (
    AnomalyDetector,
    Captioner,
    FilmClassifier,
    FramePredictor,
    LanguageModel,
    PictureClassifier,
    RecordModel,
    Seq2Seq,
    SequenceSimilarity,
    SequenceTagger,
    Transcriber,
    WordEmbedder,
    load,
)
from seqloom.app.inspecting import describe
from seqloom.errors import SeqloomError
from seqloom_runtime.data.irregular import made_records
from seqloom_runtime.files import sha256_bytes
from seqloom_runtime.model_folder import read_model

from . import WrongResult
from .mutations import Arrays, Header, blob_of, clone, damage_arrays, damage_json, damage_table
from .verdict import judged

__all__ = ["KINDS", "Saved", "bounded", "cases", "check", "damage", "saved_model", "write_folder"]

SECONDS = 10
MEMORY = 1 << 30  # what a load and a prediction of these small models may ask for on top of what the process has
_CHECKPOINTS, _RUNTIME = 0.1, 0.5  # how many come with a model folder
_OURS = ("format", "schema", "files", "checksum")


@dataclass(frozen=True)
class Saved:
    """A model as it was saved, and how it is asked for everything it knows."""

    header: Header
    arrays: Arrays
    use: Callable[[Any], None]


def cases(seed: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """(name, action) without end: a damaged folder is written, loaded and asked, and removed again."""
    from . import checkpoints, runtime_folders  # which use this module

    draw = random.Random(seed)
    kinds = list(KINDS)
    while True:
        kind, own = draw.choice(kinds), draw.randrange(2**62)
        yield f"model folder: {kind} {own}", functools.partial(_attack, kind, own)
        if draw.random() < _RUNTIME:
            yield f"runtime's folder: {kind} {own}", functools.partial(runtime_folders.attack, kind, own)
        if draw.random() < _CHECKPOINTS:
            yield f"checkpoint: {own}", functools.partial(checkpoints.attack, own)


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
        except BaseException as fault:  # whatever it is, it is told with the damage that brought it about
            fault.add_note(f"{kind}: {said}")
            raise


def _ask(folder: Path, use: Callable[[Any], None] | None) -> None:
    """Load the model and ask it, within bounds."""
    try:
        with bounded():
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


def _embedder() -> tuple[Any, Callable[[Any], None]]:
    fitted = WordEmbedder(embedding_size=3, epochs=1, min_count=1).fit("the cat sat on the mat\n" * 20)

    def use(loaded: Any) -> None:
        loaded.nearest("cat", 3)
        loaded.evaluate("the cat sat on the mat\n")

    return fitted, use


def _film_classifier(model: str) -> tuple[Any, Callable[[Any], None]]:
    films = np.random.default_rng(2).random((12, 4, 5, 6))
    fitted = FilmClassifier(model=model, units=3, epochs=1).fit(films, ["a", "b"] * 6, valid=(films[:2], ["a", "b"]))

    def use(loaded: Any) -> None:
        loaded.predict([films[0], films[1, :2]])
        loaded.evaluate(films[:2], ["a", "b"])

    return fitted, use


def _captioner(model: str) -> tuple[Any, Callable[[Any], None]]:
    pictures = np.random.default_rng(2).random((12, 6, 5))
    fitted = Captioner(model=model, channels=(2, 3), units=3, embedding_size=3, epochs=1, beams=2)
    fitted.fit(pictures, ["a b", "b"] * 6, valid=(pictures[:2], ["a", "b"]))

    def use(loaded: Any) -> None:
        loaded.predict(pictures[:2])
        loaded.evaluate(pictures[:2], ["a", "b"])

    return fitted, use


def _films(model: str) -> tuple[Any, Callable[[Any], None]]:
    films = np.random.default_rng(2).random((12, 5, 6, 5))
    fitted = FramePredictor(model=model, lookback=2, horizon=2, units=3, reach=1, epochs=1).fit(films, valid=films[:2])

    def use(loaded: Any) -> None:
        loaded.predict(films[:2], horizon=3)
        loaded.evaluate(films[:2])

    return fitted, use


def _translator(model: str, level: str) -> tuple[Any, Callable[[Any], None]]:
    sources = [f"the {word} sat" for word in ("cat", "dog", "cow", "hen")] * 6
    fitted = Seq2Seq(model=model, level=level, units=3, embedding_size=3, epochs=1, beams=2)
    fitted.fit(sources, [text[::-1] for text in sources], valid=(sources[:2], sources[2:4]))

    def use(loaded: Any) -> None:
        loaded.predict(["the cat sat", "a hen"])
        loaded.evaluate(["the cow sat"], ["tas"])

    return fitted, use


def _detector(model: str) -> tuple[Any, Callable[[Any], None]]:
    rows = forecast_cases.hourly(rows=300)
    fitted = AnomalyDetector(model=model, window=8, season=24, units=3, code=2, epochs=1, steps_per_epoch=2).fit(rows)

    def use(loaded: Any) -> None:
        loaded.predict(rows)
        loaded.evaluate(rows)

    return fitted, use


def _records(model: str) -> tuple[Any, Callable[[Any], None]]:
    records = made_records(40, seed=1).records
    fitted = RecordModel(model=model, units=3, epochs=1).fit(records)

    def use(loaded: Any) -> None:
        loaded.predict(records)
        loaded.evaluate(records)
        loaded.stream().step(0.0, records.values[0])

    return fitted, use


def _transcriber(model: str, language: bool = False) -> tuple[Any, Callable[[Any], None]]:
    draw = np.random.default_rng(4)
    sounds = [np.float32(draw.normal(n % 2, 0.1, (12 + n, 3))) for n in range(24)]
    texts = ["go", "stop now"] * 12
    options: dict[str, Any] = {"channels": (3, 3), "units": 3, "epochs": 1, "beams": 2}
    with tempfile.TemporaryDirectory() as folder:
        if language:
            LanguageModel(model="bigram", level="word").fit("go\nstop now\n" * 20).save(folder)
            options |= {"language_model": folder, "level": "word"}
        fitted = Transcriber(model=model, **options).fit(sounds, texts, valid=(sounds[:4], texts[:4]))

    def use(loaded: Any) -> None:
        loaded.predict(sounds[:3])
        if model != "nearest":
            loaded.align(sounds[0])

    return fitted, use


def _pictures(model: str) -> tuple[Any, Callable[[Any], None]]:
    x = np.random.default_rng(0).random((12, 12, 13, 3)).astype(np.float32)
    fitted = PictureClassifier(model=model, units=3, width_multiplier=0.05, epochs=1, batch_size=4)
    fitted.fit(x, ["up", "down"] * 6)

    def use(loaded: Any) -> None:
        loaded.predict_proba(x[:3])

    return fitted, use


def _similarity(model: str) -> tuple[Any, Callable[[Any], None]]:
    x, labels = sequence_cases.walks(30), [number % 3 for number in range(30)]
    fitted = SequenceSimilarity(model=model, units=3, embedding_size=2, epochs=1).fit(x, labels)

    def use(loaded: Any) -> None:
        loaded.similar(x, 2)
        loaded.evaluate(x, labels)

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
    "word vectors": _embedder,
    "films lstm": functools.partial(_film_classifier, "lstm"),
    "captions nearest": functools.partial(_captioner, "nearest"),
    "captions gru": functools.partial(_captioner, "gru"),
    "frames advection": functools.partial(_films, "advection"),
    "frames conv-lstm": functools.partial(_films, "conv-lstm"),
    "transcription nearest": functools.partial(_transcriber, "nearest"),
    "transcription conv-gru": functools.partial(_transcriber, "conv-gru", True),
    "transcription lstm": functools.partial(_transcriber, "lstm"),
    **{f"pictures {m}": functools.partial(_pictures, m) for m in ("majority", "lenet", "resnet-18", "gru")},
    "translation memory": functools.partial(_translator, "memory", "char"),
    "translation lstm": functools.partial(_translator, "lstm", "word"),
    **{f"anomalies {m}": functools.partial(_detector, m) for m in ("z-score", "seasonal-residual", "gru-vae")},
    **{f"records {model}": functools.partial(_records, model) for model in ("prevalence", "gru-d", "lstm-forward")},
    **{f"similar {m}": functools.partial(_similarity, m) for m in ("euclidean", "gru")},
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


# -- damage -------------------------------------------------------------------------------------------------------


def write_folder(folder: Path, body: Header, blob: bytes) -> None:
    """A model folder of this body and these bytes of arrays, its checksums right."""
    files = {"model.safetensors": {"bytes": len(blob), "sha256": sha256_bytes(blob)}}
    header = {"format": "seqloom model", "schema": 1, "files": files, **body}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    header["checksum"] = sha256_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "model.safetensors").write_bytes(blob)
    (folder / "model.json").write_text(json.dumps(header))


def damage(folder: Path, saved: Saved, draw: random.Random) -> str:
    """Write a damaged copy of the model; returns in words what was done."""
    header, arrays = clone(saved.header), dict(saved.arrays)
    said = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if draw.random() < 0.65 or not arrays:
            said.append(damage_json(header, draw))
        else:
            said.append(damage_arrays(arrays, draw))
    spoil = None
    if arrays and draw.random() < 0.1:
        spoil = functools.partial(damage_table, draw=draw)
        said.append("table of arrays")
    write_folder(folder, header, blob_of(arrays, spoil))
    return "; ".join(said)


# -- bounds -------------------------------------------------------------------------------------------------------


class _Hung(BaseException):
    """No answer in time. No Exception, so that nothing on the way takes it for damage."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
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
