"""`seqloom classify`: from labelled texts to a comparison of classifiers, the best of them saved, and a report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.extras import installed, missing

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import in_flags, told
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import TEXT_FORM, FormOptions, text_form

if TYPE_CHECKING:
    from seqloom_runtime.data.text import LabelledTexts

__all__ = ["ClassifySettings", "classify", "predict_file", "predict_texts"]

_NO_NETWORKS = ("majority", "bow", "bow-forest")
_FAR = 0.5  # of a share: a part that misses it by more is told


@reaches("TextClassifier")
class ClassifySettings(o.Asked):
    """Everything that decides what a comparison of text classifiers computes."""

    options = (
        *o.parts("DATA", "0.15"),
        o.reading("text", "Column or field of the texts.", default="text"),
        o.reading("label", "Column or field of the labels.", default="label"),
        o.reading("layout", "table, json-lines or label-tab-text (no header), or auto, which looks.", default="auto"),
        *TEXT_FORM,
        *o.from_table(
            "TextClassifier",
            "max_words max_length keep embedding_size embeddings long_numbers punctuation freeze units layers pool"
            " hidden dropout embedding_dropout input_dropout recurrent_dropout",
        ),
        *o.from_table("TextClassifier", o.TRAINING),
        o.THREADS,
        o.argument("DATA", "Labelled texts: CSV, TSV or Parquet, JSON lines, or label<TAB>text lines; also .gz."),
        o.models(
            "TextClassifier",
            "pooled,gru",
            "pooled, flat, conv, inception, conv-lstm, rnn, gru, lstm, bigru, bilstm, han, bow-dense, bow-forest",
            "majority and bow (bag of words, logistic regression)",
        ),
        *o.from_table("TextClassifier", "class_weight positive"),
    )


def _prepare(settings: ClassifySettings) -> Prepared:
    from seqloom_runtime.data.text import read_labelled

    from ..tasks.comparison import compare_models
    from ..tasks.text import TextClassifier
    from ..tasks.text.labels import classes_of

    parameters = o.parameters_of(settings, "TextClassifier")
    parameters["class_weight"] = _class_weight(settings.class_weight)
    bags = installed("sklearn")
    always = ("majority", "bow") if bags else ("majority",)
    models = model_names(settings.model, *always)
    estimators = _estimators(TextClassifier, models, parameters)
    path = required_data(settings.data)
    shares = shares_of(settings)
    how = {"text": settings.text, "layout": settings.layout}
    how |= {option.name: getattr(settings, option.name) for option in TEXT_FORM}
    files = {
        name: read_labelled(getattr(settings, name), label=settings.label, **how)
        for name, share in shares.items()
        if share is None
    }
    texts = read_labelled(path, label=settings.label, **how)
    classes_of(_pair(texts)[1])  # refuses a file of one class before a split of it fails for another reason
    notes = [_counted(texts), *told(texts.decisions, "classify")]
    parts, lines, said = _parts(texts, files, shares, settings.seed, path)
    if not bags:
        notes.append(missing("sklearn", "bow takes no part: it"))
    compare = partial(
        compare_models,
        "classify",
        estimators,
        parts,
        baseline="bow" if bags else "majority",
        baselines=tuple(name for name in models if name in _NO_NETWORKS),
        target=settings.label,
        rows=lines,
        unit="text",
        source={"source": path, **{name: getattr(settings, name) for name in files}},
        seed=settings.seed,
    )
    return Prepared(compare, (*notes, *said))


def _estimators(make: Any, models: tuple[str, ...], parameters: dict[str, Any]) -> dict[str, Any]:
    """One of each model; flags of networks alone are no mistake for the baselines beside them."""
    network_only = ("embeddings", "freeze")
    networks = tuple(name for name in models if name not in _NO_NETWORKS)
    found = build_estimators(make, networks, parameters)
    plain = {name: value for name, value in parameters.items() if name not in network_only}
    found |= build_estimators(make, tuple(name for name in models if name in _NO_NETWORKS), plain)
    for estimator in found.values():
        estimator.check()
    return {name: found[name] for name in models}


def _parts(
    texts: LabelledTexts, files: Mapping[str, LabelledTexts], shares: Mapping[str, float | None], seed: int, path: str
) -> tuple[dict[str, tuple[list[str], list[str]]], dict[str, list[int]], list[str]]:
    """Train, valid and test as texts and labels, and the lines they stand in, with what there is to say about them.

    Shares are drawn from each class, equal texts together.
    """
    from seqloom_runtime.data.parts import split_examples

    texts_known, labels = _pair(texts)
    drawn = {name: share or 0.0 for name, share in shares.items()}
    rows = split_examples(len(texts), drawn["valid"], drawn["test"], seed=seed, strata=labels, groups=texts_known)
    held = {name: texts.take(row) for name, row in zip(("train", "valid", "test"), rows)} | dict(files)
    parts = {name: _pair(found) for name, found in held.items()}
    notes = [
        f"{name}: a held-out {100 * share:.3g} % of each class of {path} ({len(parts[name][0]):,} texts); duplicates "
        "never cross the split."
        for name, share in shares.items()
        if share is not None
    ]
    notes += _uneven(texts_known, parts, shares)
    again = len(set(parts["train"][0]).intersection(parts["test"][0]))
    if again:
        notes.append(f"{again:,} different texts of the test set occur in the training set too, word for word.")
    return parts, {name: found.lines.tolist() for name, found in held.items()}, notes


def _uneven(
    texts: list[str], parts: Mapping[str, tuple[list[str], list[str]]], shares: Mapping[str, float | None]
) -> list[str]:
    """What to say of parts that are far from the share that was asked for, as texts repeat."""
    different = len(set(texts))
    found = []
    for name, share in shares.items():
        part = len(parts[name][0]) / max(1, len(texts))
        if share and different < len(texts) and abs(part - share) > _FAR * share:
            found.append(
                f"{name}: {100 * part:.3g} % of the texts instead of {100 * share:.3g} %, as the {len(texts):,} texts "
                f"are only {different:,} different ones and duplicates stay in one part; give more different texts, or "
                f"a file ({name}=)."
            )
    return [in_flags(text, "classify") for text in found]


def _pair(found: LabelledTexts) -> tuple[list[str], list[str]]:
    assert found.labels is not None
    return found.texts, found.labels


def _counted(texts: LabelledTexts) -> str:
    counts = sorted(texts.counts.items(), key=lambda item: -item[1])
    told = ", ".join(f"{count:,} {shown(name)}" for name, count in counts[:8])
    more = f" and {len(counts) - 8:,} more classes" if len(counts) > 8 else ""
    return f"{texts.source}: {len(texts):,} texts, {told}{more}."


def _class_weight(text: str | None) -> str | dict[str, float] | None:
    if text is None or text == "balanced":
        return text
    weights = {}
    for part in text.split(","):
        label, mark, number = part.rpartition("=")
        try:
            weights[label.strip()] = float(number)
        except ValueError:
            mark = ""
        if not mark:
            raise SettingError(
                f"--class-weight: expected balanced, or label=weight pairs with commas, got {shown(text)}."
            )
    return weights


classify = training_command(
    "classify",
    ClassifySettings,
    _prepare,
    """Compare models that tell which class a text belongs to, keep the best, and draw a report.""",
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """A row for each text: where it stands, the text, its label, and the probability of each class."""
    from seqloom_runtime.data.text import read_labelled

    how = {name: settings[name] for name in ("text", "layout") if name in settings}
    how |= {} if layout is None else {"layout": layout}
    texts = read_labelled(data, label=None, **how, **text_form(settings, form))
    place = {texts.unit: texts.lines.tolist()}
    return Predicted({**place, **predict_texts(model, texts.texts)}, told(texts.decisions, "predict"))


def predict_texts(model: Any, texts: list[str]) -> Predicted:
    """A row for each text: the text, its label, and the probability of each class."""
    p = model.predict_proba(texts)
    names = [str(label) for label in model.classes_]
    return Predicted(
        {
            "text": texts,
            "predicted": [names[k] for k in p.argmax(axis=1)],
            **{f"p_{name}": p[:, k].tolist() for k, name in enumerate(names)},
        }
    )
