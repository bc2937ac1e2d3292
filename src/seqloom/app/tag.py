"""`seqloom tag`: from tagged sentences to a comparison of taggers, the best of them saved, and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any, ClassVar

import typer

from . import options as o
from .running import Prepared, shares_of, training_command
from .task_options import Fitting, build_estimators, model_names, parameters_of, required_data

__all__ = ["TagSettings", "predict_file", "tag"]

_DEFAULT = "the model's own"
_BASELINE = "frequent"
_PROBABILITY = "Share of {} in training."


@dataclass(frozen=True, kw_only=True)
class TaggedFiles:
    """Where the sentences are, and how they are written."""

    panel: ClassVar[str] = "Data"

    valid: Annotated[
        str, typer.Option(metavar="F|FILE", help="Share of TRAIN that chooses the best model, or a file that does.")
    ] = "0.1"
    test: Annotated[
        str, typer.Option(metavar="F|FILE", help="Share of TRAIN that is only looked at in the end, or a file.")
    ] = "0.1"
    layout: Annotated[
        str, typer.Option(metavar="NAME", help="conll, iob-lines or json-lines, or auto, which looks.")
    ] = "auto"
    word_column: Annotated[int, typer.Option(metavar="N", help="Column of the words (conll), from 0.")] = 0
    tag_column: Annotated[int, typer.Option(metavar="N", help="Column of the tags (conll); −1 is the last.")] = -1
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of the files.")] = "utf-8"


@dataclass(frozen=True, kw_only=True)
class TaggingNetworks:
    """The networks' shape."""

    panel: ClassVar[str] = "Models"

    context: Annotated[
        int | None, typer.Option(metavar="N", help="Words on each side that a step sees too.", show_default=_DEFAULT)
    ] = None
    crf: Annotated[bool, typer.Option("--crf", help="Score whole tag sequences (a CRF on top).")] = False
    embedding_size: Annotated[
        int | None, typer.Option(metavar="N", help="Numbers that stand for a word.", show_default=_DEFAULT)
    ] = None
    units: Annotated[int | None, typer.Option(metavar="N", help="Units per hidden layer.", show_default=_DEFAULT)] = (
        None
    )
    layers: Annotated[int | None, typer.Option(metavar="N", help="Hidden layers.", show_default=_DEFAULT)] = None
    word_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help=_PROBABILITY.format("words made unknown"), show_default=_DEFAULT),
    ] = None
    dropout: Annotated[
        float | None, typer.Option(metavar="P", help=_PROBABILITY.format("features dropped"), show_default=_DEFAULT)
    ] = None
    input_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help="Share of inputs dropped, per sentence.", show_default=_DEFAULT),
    ] = None
    recurrent_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help="Share of the recurrent state dropped, per sentence.", show_default=_DEFAULT),
    ] = None
    min_count: Annotated[
        int | None,
        typer.Option(metavar="N", help="Words that come less often are unknown words.", show_default=_DEFAULT),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TagSettings(o.Recorded, Fitting, TaggingNetworks, TaggedFiles):
    """Everything that decides what a comparison of taggers computes."""

    data: Annotated[
        str | None,
        typer.Argument(
            metavar="TRAIN",
            help="Tagged sentences: CoNLL columns, IOB lines (words, TAB, tags) or JSON lines; also .gz.",
            show_default=False,
        ),
    ] = None
    model: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="memoryless, elman, jordan, lstm, gru, birnn, bilstm, bigru; frequent (each word's most frequent tag) "
            "always takes part.",
            rich_help_panel="Models",
        ),
    ] = "memoryless,bilstm"


def _prepare(settings: TagSettings) -> Prepared:
    from ..data.text import read_tagged
    from ..tasks.comparison import compare_models
    from ..tasks.tagging import SequenceTagger
    from ..tasks.tagging.learning import split_sentences

    models = model_names(settings.model, _BASELINE)
    estimators = build_estimators(SequenceTagger, models, parameters_of(settings, Fitting, TaggingNetworks))
    how = {name: getattr(settings, name) for name in ("layout", "word_column", "tag_column", "encoding")}
    path = required_data(settings.data)
    shares = shares_of(settings, "no sentence")
    files = {name: read_tagged(getattr(settings, name), **how) for name, share in shares.items() if share is None}
    train = read_tagged(path, **how)
    parts: dict[str, Any] = {name: _arrays(found) for name, found in files.items()}
    rest, notes, left = _arrays(train), [], 1.0
    for name, share in shares.items():
        if share is not None:
            rest, parts[name] = split_sentences(rest, share / left, settings.seed)
            left -= share
            notes.append(f"{name}: {len(parts[name][0]):,} sentences drawn from {path}, {share:.0%} of them.")
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
    model: Any, data: str, settings: Mapping[str, Any], encoding: str, decimal: str
) -> Mapping[str, Sequence[Any]]:
    """A row for each word: its sentence (from 0), the word, its tag. Sentences are read as those of the training."""
    from ..data.text import read_tagged

    names = {field.name for field in fields(TaggedFiles)} & {"layout", "word_column"}
    how = {name: settings[name] for name in names if name in settings}
    words = read_tagged(data, tagged=False, encoding=encoding, **how).words
    tags = model.predict(words)
    return {
        "sentence": [n for n, sentence in enumerate(words) for _ in sentence],
        "word": [word for sentence in words for word in sentence],
        "tag": [tag for sentence in tags for tag in sentence],
    }
