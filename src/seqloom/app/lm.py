"""`seqloom lm`: from running text to a comparison of language models, the best of them saved, and a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import typer

from ..errors import DataError
from . import options as o
from .running import Prepared, shares_of, training_command
from .task_options import Fitting, build_estimators, model_names, parameters_of, required_data

__all__ = ["TextSettings", "lm", "predict_file"]

_DEFAULT = "the model's own"
_BASELINES = ("unigram", "bigram")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Where the texts are, and what a token is."""

    panel: ClassVar[str] = "Data"

    valid: Annotated[
        str,
        typer.Option(metavar="F|FILE", help="Share of TRAIN, near its end, or a file, that chooses the best."),
    ] = "0.1"
    test: Annotated[
        str, typer.Option(metavar="F|FILE", help="Share of TRAIN, its end, or a file, that is only looked at at last.")
    ] = "0.1"
    level: Annotated[
        str, typer.Option(metavar="NAME", help="word (between white space, <eos> after each line) or char.")
    ] = "word"
    max_words: Annotated[
        int | None,
        typer.Option(metavar="N", help="Most frequent tokens to know; the others are <unk>.", show_default="all"),
    ] = None
    min_count: Annotated[
        int | None,
        typer.Option(metavar="N", help="Tokens that come less often are <unk>.", show_default=_DEFAULT),
    ] = None
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Encoding of the files.")] = "utf-8"


@dataclass(frozen=True, kw_only=True)
class LanguageNetworks:
    """The networks' shape."""

    panel: ClassVar[str] = "Models"

    units: Annotated[int | None, typer.Option(metavar="N", help="Units per hidden layer.", show_default=_DEFAULT)] = (
        None
    )
    layers: Annotated[int | None, typer.Option(metavar="N", help="Hidden layers.", show_default=_DEFAULT)] = None
    kernel_size: Annotated[int | None, typer.Option(metavar="N", help="Taps (tcn).", show_default=_DEFAULT)] = None
    embedding_size: Annotated[
        int | None, typer.Option(metavar="N", help="Numbers that stand for a token.", show_default="as --units")
    ] = None
    tied: Annotated[
        bool, typer.Option("--tied/--untied", help="Whether the output shares the embedding's weights.")
    ] = True
    embedding_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share of words dropped.", show_default=_DEFAULT)
    ] = None
    input_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share of inputs dropped, per row.", show_default=_DEFAULT)
    ] = None
    recurrent_dropout: Annotated[
        float | None,
        typer.Option(metavar="P", help="Share of the recurrent state dropped, per row.", show_default=_DEFAULT),
    ] = None
    between_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share dropped between layers.", show_default=_DEFAULT)
    ] = None
    weight_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share of recurrent weights dropped.", show_default=_DEFAULT)
    ] = None
    output_dropout: Annotated[
        float | None, typer.Option(metavar="P", help="Share of outputs dropped, per row.", show_default=_DEFAULT)
    ] = None
    window: Annotated[int | None, typer.Option(metavar="N", help="Tokens of a batch row.", show_default=_DEFAULT)] = (
        None
    )
    scored: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Train on overlapping windows, scored on their last N tokens.",
            show_default="streams, the state carried",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TextSettings(o.Recorded, Fitting, LanguageNetworks, Texts):
    """Everything that decides what a comparison of language models computes."""

    data: Annotated[str | None, typer.Argument(metavar="TRAIN", help="Running text, also .gz.", show_default=False)] = (
        None
    )
    model: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="rnn, gru, lstm, tcn; unigram and bigram always take part.",
            rich_help_panel="Models",
        ),
    ] = "lstm"


def _prepare(settings: TextSettings) -> Prepared:
    from ..data.text import read_corpus
    from ..tasks.comparison import compare_models
    from ..tasks.language import LanguageModel
    from ..tasks.language.learning import split_text

    models = tuple(dict.fromkeys([*_BASELINES, *model_names(settings.model, _BASELINES[0])]))
    parameters = {
        **parameters_of(settings, Fitting, LanguageNetworks),
        "tied": settings.tied,
        "level": settings.level,
        "max_words": settings.max_words,
        "min_count": 1 if settings.min_count is None else settings.min_count,
    }
    estimators = build_estimators(LanguageModel, models, parameters)
    path = required_data(settings.data)
    shares = shares_of(settings, "nothing", ("test", "valid"))

    def read(place: str) -> str:
        return read_corpus(place, settings.level, encoding=settings.encoding).text

    parts = {name: read(getattr(settings, name)) for name, share in shares.items() if share is None}
    source = {"source": path, **{name: getattr(settings, name) for name in parts}}
    rest, notes, left = read(path), [], 1.0
    for name, share in shares.items():  # test first: it is the end of the text, validation what is before it
        if share is not None:
            rest, parts[name] = split_text(rest, settings.level, share / left)
            left -= share
            where = "the end" if name == "test" else "the part before that" if shares["test"] else "the end"
            notes.append(f"{name}: {where} of {path}, {share:.0%} of it.")
    for name, text in parts.items():
        if not text.strip():
            raise DataError(f"{name}: expected a text with tokens, {source.get(name, path)} gives none.")
    compare = partial(
        compare_models,
        "lm",
        estimators,
        {"train": (rest,), "valid": (parts["valid"],), "test": (parts["test"],)},
        baseline=_BASELINES[0],
        baselines=_BASELINES,
        target="the next character" if settings.level == "char" else "the next word",
        unit="character",
        source=source,
        seed=settings.seed,
    )
    return Prepared(compare, notes)


lm = training_command(
    "lm",
    TextSettings,
    _prepare,
    """Compare language models on running text, keep the best, and draw a report. `seqloom generate` writes with it.""",
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], encoding: str, decimal: str
) -> Mapping[str, Sequence[Any]]:
    """A row for each line of a text: its number from 1, tokens, mean loss (nats) and perplexity."""
    from ..data.text import read_corpus

    found = model.evaluate(read_corpus(data, model.level, encoding=encoding).text).predictions
    perplexity = [math.exp(min(loss, 700.0)) for loss in found["loss"].tolist()]
    return {
        "line": found["row"].tolist(),
        "tokens": found["tokens"].tolist(),
        "loss": found["loss"].tolist(),
        "perplexity": perplexity,
    }
