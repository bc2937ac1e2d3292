"""`seqloom translate`: pairs of texts in, models that write the second compared, the best saved, a report."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from . import options as o
from .estimators import build_estimators, model_names, required_data, shares_of
from .every_option import reaches
from .flags import told
from .placed import Origin, column, in_files
from .predicted import Predicted
from .running import Prepared, training_command
from .tables import TEXT_FORM, FormOptions, text_form

__all__ = ["TranslateSettings", "predict_file", "predict_texts", "translate"]

_BASELINE = "memory"


@reaches("Seq2Seq")
class TranslateSettings(o.Asked):
    """Everything that decides what a comparison of sequence-to-sequence models computes."""

    options = (
        *o.parts("PAIRS", "0.1"),
        o.reading("source", "Column of the sources.", shown="source, else the first"),
        o.reading("target", "Column of the targets.", shown="target, else the second"),
        o.reading("layout", "table, or tabs (source<TAB>target lines), or auto, which looks.", default="auto"),
        *TEXT_FORM,
        *o.from_table(
            "Seq2Seq",
            "level max_words min_count max_length embedding_size units layers bidirectional encoder attention dropout"
            " input_dropout recurrent_dropout between_dropout scheduled_sampling beams length_penalty",
        ),
        *o.from_table("Seq2Seq", o.TRAINING),
        o.THREADS,
        o.argument("PAIRS", "Pairs of texts: a table of two columns, or source<TAB>target lines; also .gz."),
        o.models("Seq2Seq", "gru", "rnn, gru, lstm", "memory (the target of the training source that is most alike)"),
    )


def _prepare(settings: TranslateSettings) -> Prepared:
    from seqloom_runtime.data.text import read_pairs
    from seqloom_runtime.extras import installed, missing

    from ..tasks import Seq2Seq
    from ..tasks.comparison import compare_models

    models = model_names(settings.model, _BASELINE)
    estimators = build_estimators(Seq2Seq, models, o.parameters_of(settings, "Seq2Seq"))
    how = {name: getattr(settings, name) for name in ("source", "target", "layout")}
    how |= {option.name: getattr(settings, option.name) for option in TEXT_FORM}
    path = required_data(settings.data)
    shares = shares_of(settings)
    files = {name: read_pairs(getattr(settings, name), **how) for name, share in shares.items() if share is None}
    pairs = read_pairs(path, **how)
    parts, rows, notes = _parts(pairs, files, shares, settings.seed, path)
    if not installed("sacrebleu"):
        notes.append(missing("sacrebleu", "exact match and character error rate are the scores; BLEU"))
    compare = partial(
        compare_models,
        "translate",
        estimators,
        parts,
        baseline=_BASELINE,
        target=settings.target or "target",
        rows=rows,
        unit="pair",
        source={"source": path, **{name: getattr(settings, name) for name in files}},
        seed=settings.seed,
    )
    found = dict(zip(("source", "target"), pairs.columns))
    origins = {
        name: Origin(getattr(settings, name) if name in files else path, [f"line {line}" for line in lines])
        for name, lines in rows.items()
    }
    named = {f"{side}s": column(found.get(side)) for side in ("source", "target")}
    notes = [*told(pairs.decisions, "translate"), *notes]
    return Prepared(in_files(compare, origins, named), notes, record=settings.but(**found))


def _parts(
    pairs: Any, files: Mapping[str, Any], shares: Mapping[str, float | None], seed: int, path: str
) -> tuple[dict[str, Any], dict[str, list[int]], list[str]]:
    """Train, valid and test as sources and targets, their lines, and notes; a source stays in one part."""
    from seqloom_runtime.data.parts import split_examples

    drawn = {name: share or 0.0 for name, share in shares.items()}
    keys = [source.strip() for source in pairs.sources]
    places = dict(
        zip(
            ("train", "valid", "test"),
            split_examples(len(pairs), drawn["valid"], drawn["test"], seed=seed, groups=keys),
        )
    )
    parts, rows = {}, {}
    for name, own in places.items():
        found = files.get(name, pairs)
        chosen = range(len(found)) if name in files else own.tolist()
        parts[name] = [found.sources[i] for i in chosen], [found.targets[i] for i in chosen]
        rows[name] = [int(found.lines[i]) for i in chosen]
    notes = [
        f"{name}: a held-out {100 * share:.3g} % of {path} ({len(rows[name]):,} pairs); pairs of one source never "
        "cross the split."
        for name, share in shares.items()
        if share is not None
    ]
    return parts, rows, notes


translate = training_command(
    "translate",
    TranslateSettings,
    _prepare,
    """Compare models that write a text for a text (translation, spellings, sums), keep the best, and draw a report.

    `seqloom predict RUN --text TEXT` writes with it.""",
)


def predict_file(
    model: Any, data: str, settings: Mapping[str, Any], form: FormOptions, layout: str | None = None
) -> Predicted:
    """A row for each source: the line it stands in, the source, the text that is written for it."""
    from seqloom_runtime.data.text import read_sources

    how = {"source": settings["source"]} if settings.get("source") is not None else {}
    how |= {} if layout is None else {"layout": layout}
    read = read_sources(data, **how, **text_form(settings, form))
    origin = {"train": Origin(data, [f"line {line}" for line in read.lines.tolist()])}
    predict = in_files(model.predict, origin, {"sources": column(how.get("source"))})
    columns = {"line": read.lines.tolist(), "source": read.sources, "target": predict(read.sources)}
    return Predicted(columns, told(read.decisions, "predict"))


def predict_texts(model: Any, texts: list[str]) -> Predicted:
    """The same of texts."""
    origin = {"train": Origin("--text", [f"text {number}" for number in range(1, len(texts) + 1)])}
    predict = in_files(model.predict, origin, {"sources": ""})
    return Predicted({"source": texts, "target": predict(texts)})
