"""Slot filling on ATIS: a tagger without memory beside Elman, Jordan, LSTM and bidirectional taggers."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.text import TaggedSentences, read_tagged
from ..tasks.tagging import SequenceTagger
from .job import Job
from .pictures import Bars, Picture, Plot, curve_of, styles_for
from .places import data_file
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY"]

QUICK_SENTENCES, QUICK_EPOCHS, EPOCHS = 300, 2, 30
_ORIGIN = (
    "The corpus is LDC's; the files of the joint slot and intent papers (Hakkani-Tür et al. 2016) are 'atis.train.iob' "
    "and 'atis.test.iob', 4,978 and 893 sentences."
)
_LABELS = {
    "frequent": "each word's most frequent tag",
    "memoryless": "feed-forward, no memory",
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
    labels = {label for part in parts.values() for label in part.labels}
    new = set(parts["test"].labels) - set(parts["train"].labels)
    notes = [
        f"{len(parts['train']):,} and {len(parts['test']):,} sentences, {len(labels)} tags, {len(new)} of them only in "
        "the test part; every digit counts as the same, a tenth of the training sentences chooses the epoch."
    ]
    return Prepared(parts, {part: len(found) for part, found in parts.items()}, notes)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [
        Row(
            name,
            label,
            published={"f1": _PUBLISHED[name]} if name in _PUBLISHED and not settings.quick else {},
            goals={"f1": _GOALS[name]} if name in _GOALS else {},
            seeded=name != "frequent",
            extra=name == "bilstm-crf",
        )
        for name, label in _LABELS.items()
    ]


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
    own = row.name != "frequent"
    tagger.fit(
        train.words,
        train.tags,
        directory=job.directory if own else None,
        resume=own and job.resume and job.directory is not None,
        on_event=job.on_event,
    )
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
        yield f"A memory is worth {low:.1f} to {high:.1f} points of F1 over the same words without one."


def _draw(results: Results) -> list[Picture]:
    done = [(row, results.outcomes(row)[0]) for row, _ in results.done() if results.outcomes(row)]
    if not done:
        return []
    styles = styles_for([row.label for row, _ in done], grey=_LABELS["frequent"])
    curves = [curve_of(row.label, out.curves["error"], styles[row.label]) for row, out in done if "error" in out.curves]
    labels = [row.label for row, _ in done]
    bars = Bars(
        "F1 on test",
        labels,
        [results.median(row, "f1") for row, _ in done],
        [styles[label].colour for label in labels],
        "F1 over spans, test sentences",
    )
    learning = Plot("epoch", "1 − F1 on the validation sentences", curves, log=True)
    reading = "Left: what each tagger finds of the slots. Right: how it learns."
    return [Picture("atis", "Slot filling on ATIS", reading, [bars, learning] if curves else [bars])]


STUDY = Study(
    name="atis",
    title="Slot filling on ATIS",
    about=(
        "Which words of a question to an airline are its cities, times and days? F1 over spans, by conlleval's rules.",
        "All networks see each word with the one before and after it; all but the first two remember more.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("f1", "F1", 2, higher_is_better=True, per_cent=True),
        Column("precision", "precision", 2, higher_is_better=True, per_cent=True),
        Column("recall", "recall", 2, higher_is_better=True, per_cent=True),
        Column("accuracy", "words right", 2, higher_is_better=True, per_cent=True),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "data"}),
)
