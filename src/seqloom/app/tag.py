"""`seqloom tag`: from tagged sentences to a comparison of taggers, the best of them saved, and a report."""

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
from .tables import TEXT_FORM, FormOptions, text_form

__all__ = ["TagSettings", "predict_file", "predict_texts", "tag"]

_BASELINE = "frequent"


@reaches("SequenceTagger")
class TagSettings(o.Asked):
    """Everything that decides what a comparison of taggers computes."""

    options = (
        *o.parts("TRAIN", "0.1"),
        o.reading("layout", "conll, iob-lines or json-lines, or auto, which looks.", default="auto"),
        o.reading("word_column", "Column of the words (conll), from 0.", "N", kind=int, shown="0, or 1 behind numbers"),
        o.reading("tag_column", "Column of the tags (conll); −1 is the last.", "N", kind=int, shown="the last"),
        *TEXT_FORM,
        *o.from_table(
            "SequenceTagger",
            "context crf embedding_size units layers word_dropout dropout input_dropout recurrent_dropout min_count",
        ),
        *o.from_table("SequenceTagger", o.TRAINING),
        o.THREADS,
        o.argument("TRAIN", "Tagged sentences: CoNLL columns, IOB lines (words, TAB, tags) or JSON lines; also .gz."),
        o.models(
            "SequenceTagger",
            "memoryless,bilstm",
            "memoryless, elman (or rnn), jordan, lstm, gru, birnn, bilstm, bigru",
            "frequent (each word's most frequent tag)",
        ),
    )


def _prepare(settings: TagSettings) -> Prepared:
    from seqloom_runtime.data.text import read_tagged

    from ..tasks.comparison import compare_models
    from ..tasks.tagging import SequenceTagger
    from ..tasks.tagging.learning import split_sentences

    # elman is the tagger's name for what every other command calls rnn
    models = tuple("elman" if name == "rnn" else name for name in model_names(settings.model, _BASELINE))
    models = tuple(dict.fromkeys(models))
    estimators = build_estimators(SequenceTagger, models, o.parameters_of(settings, "SequenceTagger"))
    how = {name: getattr(settings, name) for name in ("layout", "word_column", "tag_column")}
    how |= {option.name: getattr(settings, option.name) for option in TEXT_FORM}
    path = required_data(settings.data)
    shares = shares_of(settings)
    files = {name: read_tagged(getattr(settings, name), **how) for name, share in shares.items() if share is None}
    train = read_tagged(path, **how)
    parts: dict[str, Any] = {name: _arrays(found) for name, found in files.items()}
    rest, notes, left = _arrays(train), told(train.decisions, "tag"), 1.0
    for name, share in shares.items():
        if share is not None:
            # Shares are of the whole file, and each is taken from what the one before left.
            rest, parts[name] = split_sentences(rest, share / left, settings.seed)
            left -= share
            notes.append(f"{name}: a held-out {100 * share:.3g} % of {path} ({len(parts[name][0]):,} sentences).")
    compare = partial(
        compare_models,
        "tag",
        estimators,
        {"train": rest, **{name: parts[name] for name in ("valid", "test")}},
        baseline=_BASELINE,
        target="tags",
        unit="sentence",
        source={"source": path, **{name: getattr(settings, name) for name in files}},
        seed=settings.seed,
    )
    return Prepared(compare, notes)


def _arrays(found: Any) -> tuple[list[list[str]], list[list[str]]]:
    assert found.tags is not None
    return found.words, found.tags


tag = training_command(
    "tag",
    TagSettings,
    _prepare,
    """Compare models that tag every word of a sentence, keep the best, and draw a report.""",
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """A row for each word: its sentence (from 0), the word, its tag. Sentences are read as those of the training."""
    from seqloom_runtime.data.text import read_tagged

    how = {name: settings[name] for name in ("layout", "word_column") if name in settings}
    how |= {} if layout is None else {"layout": layout}
    known = frozenset(map(str, model.tags_))
    read = read_tagged(data, tagged=False, known_tags=known, **how, **text_form(settings, form))
    return Predicted(_tagged(model, read.words), told(read.decisions, "predict"))


def predict_texts(model: Any, texts: list[str]) -> Predicted:
    """A row for each word of sentences whose words stand between spaces: its sentence (from 0), the word, its tag."""
    sentences = [text.split() for text in texts]
    if not all(sentences):
        raise DataError("texts: expected words between spaces, got a text without any.")
    return Predicted(_tagged(model, sentences))


def _tagged(model: Any, sentences: list[list[str]]) -> dict[str, list[Any]]:
    return {
        "sentence": [n for n, sentence in enumerate(sentences) for _ in sentence],
        "word": [word for sentence in sentences for word in sentence],
        "tag": [tag for sentence in model.predict(sentences) for tag in sentence],
    }
