"""`seqloom lm`: from running text to a comparison of language models, the best of them saved, and a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from seqloom_runtime.data.decisions import Decision
from seqloom_runtime.errors import DataError, SettingError

from ..tasks.language_parameters import RECIPES
from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import told
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import FormOptions

__all__ = ["TextSettings", "lm", "predict_file", "predict_texts"]

_BASELINES = ("unigram", "bigram")


RECIPE = o.Option(
    "recipe",
    "Published parameters, but for those given here: awd (AWD-LSTM, with every regulariser; published for 500 epochs).",
    "Models",
    "NAME",
    None,
    "none",
)


@reaches("LanguageModel")
class TextSettings(o.Asked):
    """Everything that decides what a comparison of language models computes."""

    options = (
        *o.parts("TRAIN", "0.1", ", before the test share", ", at its end"),
        *o.from_table("LanguageModel", "level join_spaced scoring", values=True),
        *o.from_table("LanguageModel", "max_words min_count"),
        o.ENCODING,
        *o.from_table(
            "LanguageModel",
            "units layers kernel_size embedding_size tied softmax cutoffs embedding_dropout input_dropout"
            " recurrent_dropout between_dropout weight_dropout output_dropout window scored",
        ),
        *o.from_table("LanguageModel", o.TRAINING),
        o.THREADS,
        RECIPE,
        o.argument("TRAIN", "Running text, also .gz."),
        o.models("LanguageModel", "lstm", "rnn, gru, lstm, tcn", "unigram and bigram"),
    )


def _prepare(settings: TextSettings) -> Prepared:
    from seqloom_runtime.data.text import read_corpus
    from seqloom_runtime.data.text.corpus import split_running
    from seqloom_runtime.data.text.stored import TextFile, large_text

    from ..tasks.comparison import compare_models
    from ..tasks.language import LanguageModel
    from ..tasks.language.comparing import LanguageTask

    models = model_names(settings.model, *_BASELINES)
    used, notes = _parameters(settings)
    estimators = build_estimators(LanguageModel, models, used)
    path = required_data(settings.data)
    shares = shares_of(settings)

    said: list[Decision] = []

    def read(place: str) -> str | TextFile:
        if large_text(place, settings.encoding):
            found, about = TextFile.open(place, settings.level, settings.join_spaced)
            said.extend(about)
            return found
        corpus = read_corpus(place, settings.level, encoding=settings.encoding, join_spaced=settings.join_spaced)
        said.extend(corpus.decisions)
        return corpus.text

    parts = {name: read(getattr(settings, name)) for name in ("test", "valid") if shares[name] is None}
    source = {"source": path, **{name: getattr(settings, name) for name in parts}}
    rest, left = read(path), 1.0
    for name in ("test", "valid"):  # test first: it is the end of the text, validation what is before it
        share = shares[name]
        if share is not None:
            if isinstance(rest, TextFile):
                rest, parts[name], how = rest.split(share / left)
            else:
                rest, parts[name], how = split_running(rest, settings.level, share / left)
            said.extend(how)
            left -= share
            where = " before that" if name == "valid" and shares["test"] else f", the end of {path}"
            notes.append(f"{name}: a held-out {100 * share:.3g} %{where}.")
    # What is scored is read whole; only the training text may be larger than memory.
    held = {name: text.read() if isinstance(text, TextFile) else text for name, text in parts.items()}
    for name, text in held.items():
        if not text.strip():
            raise DataError(f"{name}: expected a text with tokens, {source.get(name, path)} gives none.")
    compare = partial(
        compare_models,
        LanguageTask(settings.level, target=_target(settings), source=source),
        estimators,
        {"train": (rest,), "valid": (held["valid"],), "test": (held["test"],)},
        baseline=_BASELINES[0],
        baselines=_BASELINES,
        seed=settings.seed,
        keep=True,  # any of them may write
    )
    return Prepared(compare, [*told(said, "lm"), *notes])


def _parameters(settings: TextSettings) -> tuple[dict[str, Any], list[str]]:
    """The parameters that were given, or that the recipe has, and what is said of the latter."""
    from ..tasks.language import LanguageModel

    given = o.parameters_of(settings, "LanguageModel")
    if settings.recipe is None:
        return given, []
    LanguageModel.from_recipe(settings.recipe)  # raises for an unknown name
    used = {**RECIPES[settings.recipe], **given}
    return used, [_recipe_told(settings.recipe, used)]


def _recipe_told(name: str, used: Mapping[str, Any]) -> str:
    """What a recipe stands for, as flags that say the same."""
    chosen = [f"--{key.replace('_', '-')} {used[key]}" for key in RECIPES[name] if not isinstance(used[key], bool)]
    switches = [f"--{key.replace('_', '-')}" for key in RECIPES[name] if used[key] is True]
    return f"Recipe {name}: {' '.join((*chosen, *switches))}; any of them given takes its place."


def _target(settings: TextSettings) -> str:
    if settings.score == "last-word":
        return "the last word of a passage"
    return "the next character" if settings.level == "char" else "the next word"


lm = training_command(
    "lm",
    TextSettings,
    _prepare,
    """Compare language models on running text, keep the best, and draw a report. `seqloom generate` writes with it.""",
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """A row for each line of a text: its number from 1, tokens, mean loss (nats) and perplexity.

    Of a model that scores last words also that word and the most likely one; loss and perplexity are that word's.
    """
    from seqloom_runtime.data.text import read_corpus

    if layout is not None:
        raise SettingError("layout: a LanguageModel reads running text, which has no such choice; leave it out.")
    corpus = read_corpus(data, model.level, encoding=form.encoding, join_spaced=model.join_spaced)
    found = _scores(model, corpus.text)
    return Predicted({"line": found.pop("row"), **found}, told(corpus.decisions, "predict"))


def predict_texts(model: Any, texts: list[str]) -> Predicted:
    """The same for each line of texts, each of which is scored by itself, from the start of a text."""
    each = [_scores(model, text.rstrip("\n") + "\n") for text in texts]
    lines = [line for text in texts for line in text.rstrip("\n").split("\n")]
    columns = {name: [value for found in each for value in found[name]] for name in each[0] if name != "row"}
    return Predicted({"text": lines, **columns})


def _scores(model: Any, text: str) -> dict[str, list[Any]]:
    """The columns of `predict_file`, the number of the line as "row"."""
    found = {name: list(values) for name, values in model.evaluate(text).predictions.items()}
    names = ("row", "tokens", "word", "most_likely", "loss")
    columns = {name: [_plain(v) for v in found[name]] for name in names if name in found}
    return {**columns, "perplexity": [math.exp(min(loss, 700.0)) for loss in columns["loss"]]}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
