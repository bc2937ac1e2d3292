"""`seqloom embed`: from running text to word vectors: word2vec and GloVe compared, the best saved, and a report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from seqloom_runtime.errors import DataError, SettingError, shown

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import FormOptions

__all__ = ["EmbedSettings", "embed", "predict_file", "predict_texts"]

_BASELINE = "random"
_NEIGHBOURS = 10


class EmbedSettings(o.Asked):
    """Everything that decides what a comparison of word vectors computes."""

    options = (
        *o.parts("TEXT", "0.05", ", before the test share", ", at its end"),
        *o.from_table("WordEmbedder", "max_words min_count lower", values=True),
        o.ENCODING,
        *o.from_table("WordEmbedder", "embedding_size window negatives subsample x_max epochs learning_rate seed"),
        o.THREADS,
        o.Option("near", "Words whose nearest words are shown.", "Output", "A,B,…", shown="a few frequent ones"),
        o.Option(
            "analogy",
            "Analogies that are shown: man:woman:king asks what is to king as woman is to man.",
            "Output",
            "A:B:C,…",
            shown="well-known ones",
        ),
        o.argument("TEXT", "Running text, also .gz."),
        o.models("WordEmbedder", "skip-gram", "skip-gram, cbow, glove", "random (vectors that learn nothing)"),
    )


def _prepare(settings: EmbedSettings) -> Prepared:
    from seqloom_runtime.data.text.corpus import split_running
    from seqloom_runtime.data.text.lines import read_text

    from ..tasks import WordEmbedder
    from ..tasks.comparison import compare_models
    from ..tasks.embedding.task import EmbeddingTask
    from .flags import told

    models = model_names(settings.model, _BASELINE)
    estimators = build_estimators(WordEmbedder, models, o.parameters_of(settings, "WordEmbedder"))
    asked = tuple(_asked(text) for text in o.names(settings.analogy))
    path = required_data(settings.data)
    shares, said = shares_of(settings), []

    def read(place: str) -> str:
        return read_text(place, settings.encoding, said=said)

    parts = {name: read(getattr(settings, name)) for name in ("test", "valid") if shares[name] is None}
    source = {"source": path, **{name: getattr(settings, name) for name in parts}}
    rest, notes, left = read(path), [], 1.0
    for name in ("test", "valid"):  # test first: it is the end of the text, validation what is before it
        share = shares[name]
        if share is not None:
            rest, parts[name], how = split_running(rest, "word", share / left)
            said.extend(how)
            left -= share
            where = " before that" if name == "valid" and shares["test"] else f", the end of {path}"
            notes.append(f"{name}: a held-out {100 * share:.3g} %{where}.")
    task = EmbeddingTask(source=source, near=o.names(settings.near), analogies=asked)
    compare = partial(
        compare_models,
        task,
        estimators,
        {"train": (rest,), "valid": (parts["valid"],), "test": (parts["test"],)},
        baseline=_BASELINE,
        seed=settings.seed,
        keep=True,  # any of them may be asked for nearest words
    )
    return Prepared(compare, [*told(said, "embed"), *notes])


def _asked(text: str) -> tuple[str, str, str]:
    words = [word.strip() for word in text.split(":")]
    if len(words) != 3 or not all(words):
        raise SettingError(f"--analogy: expected three words such as man:woman:king, got {shown(text)}.")
    return words[0], words[1], words[2]


embed = training_command(
    "embed",
    EmbedSettings,
    _prepare,
    """Train word vectors on running text (word2vec, GloVe), keep the best, and draw a report with a map of the words.

    `seqloom predict RUN --text WORD` gives the words nearest to a word, `--text "man woman king"` an analogy.
    """,
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """Ten rows for each line of a file: the line, a word near it, and the cosine.

    A line is a word, or the three of an analogy.
    """
    from seqloom_runtime.data.text.lines import read_text

    if layout is not None:
        raise SettingError("layout: word vectors read a word or an analogy a line; leave it out.")
    lines = [line for line in read_text(data, form.encoding).splitlines() if line.strip()]
    return predict_texts(model, lines)


def predict_texts(model: Any, texts: list[str]) -> Predicted:
    """The same of texts."""
    rows: list[tuple[str, str, float]] = []
    for text in texts:
        words = (text.lower() if model.lower else text).split()
        if len(words) not in (1, 3):
            raise DataError(
                f"texts: expected a word, or the three words of an analogy such as 'man woman king', got {shown(text)}."
            )
        found = model.nearest(words[0], _NEIGHBOURS) if len(words) == 1 else model.analogy(*words, _NEIGHBOURS)
        rows += [(" ".join(words), word, cosine) for word, cosine in found]
    asked, nearest, cosines = ([row[column] for row in rows] for column in range(3))
    return Predicted({"asked": asked, "nearest": nearest, "cosine": cosines})
