"""Slot filling on ATIS: a feed-forward tagger beside Elman, Jordan, LSTM and bidirectional LSTM taggers."""

from __future__ import annotations

from collections.abc import Iterator

from seqloom_runtime.data.text import TaggedSentences, read_tagged

from ..tasks.tagging import SequenceTagger
from .job import Job
from .pictures import Bars, Picture, Plot
from .places import data_file
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["STUDY"]

QUICK_SENTENCES, QUICK_EPOCHS, EPOCHS = 300, 2, 30
_ORIGIN = (
    "The corpus is LDC's; the files of the joint slot and intent papers (Hakkani-Tür et al. 2016) are 'atis.train.iob' "
    "and 'atis.test.iob', 4,978 and 893 sentences."
)
_LABELS = {
    "frequent": "most frequent tag per word",
    "memoryless": "feed-forward",
    "elman": "Elman",
    "jordan": "Jordan",
    "lstm": "LSTM",
    "bilstm": "bidirectional LSTM",
    "bilstm-crf": "bidirectional LSTM + CRF",
}
# Single published figures on the same sentences, digits as DIGIT: conlleval's F1.
_PUBLISHED = {"elman": 0.943, "lstm": 0.949, "bilstm": 0.955}
_GOALS = {"elman": 0.935, "bilstm": 0.95}


def _prepare(settings: StudySettings) -> Prepared:
    parts = {}
    for part in ("train", "test"):
        names = [f"atis/atis.{part}.iob.gz", f"atis/atis.{part}.iob"]
        parts[part] = read_tagged(data_file(settings.data, names, _ORIGIN))
        if settings.quick:
            parts[part] = parts[part].take(range(min(QUICK_SENTENCES, len(parts[part]))))
    # Labels that only the test set has can't be learned: they bound what any row can reach, so they are said.
    labels = {label for part in parts.values() for label in part.labels}
    new = set(parts["test"].labels) - set(parts["train"].labels)
    notes = [
        f"{len(parts['train']):,} training, {len(parts['test']):,} test sentences, {len(labels)} tags, {len(new)} of "
        "them only in the test set; digits are one symbol; 10 % of the training sentences select the epoch."
    ]
    return Prepared(parts, {part: len(found) for part, found in parts.items()}, notes)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    published = {} if settings.quick else _PUBLISHED
    return rows_of(_LABELS, "f1", published, _GOALS, unseeded=("frequent",), extra=("bilstm-crf",))


def _work(row: Row, data: dict[str, TaggedSentences], job: Job) -> Outcome:
    train, test = data["train"], data["test"]
    assert train.tags is not None
    assert test.tags is not None
    tagger = SequenceTagger(
        model=row.name.removesuffix("-crf"),
        crf=row.name.endswith("-crf"),
        epochs=job.settings.epochs or (QUICK_EPOCHS if job.settings.quick else EPOCHS),
        seed=job.seed,
    )
    tagger.fit(train.words, train.tags, **job.checkpoints(kept=row.name != "frequent"))
    scores = tagger.evaluate(test.words, test.tags).scores
    curves = {}
    if tagger.history_ is not None:
        curves["error"] = [epoch.valid["error"] for epoch in tagger.history_.epochs]
    kept = ("f1", "precision", "recall", "accuracy")
    return Outcome({name: scores[name] for name in kept}, tagger.n_parameters_, curves)


def _say(results: Results) -> Iterator[str]:
    without = results.median("memoryless", "f1")
    found = [(row, results.median(row, "f1")) for row, _ in results.done()]
    better = [f1 for row, f1 in found if row.name not in ("frequent", "memoryless") and f1 is not None]
    if without is not None and better:
        low, high = 100 * (min(better) - without), 100 * (max(better) - without)
        yield f"Recurrence adds {low:.1f} to {high:.1f} points of F1 to the feed-forward tagger with the same inputs."


def _draw(results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        "atis",
        "Slot filling on ATIS",
        Bars("test F1", [], [], [], "Span F1, test sentences"),
        Plot("epoch", "1 − F1 on the validation sentences", [], log=True),
        keys=("f1", "error"),
        baseline="frequent",
    )


STUDY = Study(
    name="atis",
    title="Slot filling on ATIS",
    about=(
        "Which words of an airline query are its cities, times and days? Span F1 as conlleval counts it.",
        "Every network sees a word with its left and right neighbour; all but the first two rows are recurrent.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("f1", "F1", 2, higher_is_better=True, per_cent=True),
        Column("precision", "precision", 2, higher_is_better=True, per_cent=True),
        Column("recall", "recall", 2, higher_is_better=True, per_cent=True),
        Column("accuracy", "token accuracy", 2, higher_is_better=True, per_cent=True),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "data"}),
)
