"""The words and tables of a task's page: what was asked, the answer against the baseline, the classes one by one."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..diagnostics import score_named
from .saved import ordered_models
from .sections import facts_html
from .task_saved import TaskRun
from .task_scores import score_text
from .wording import fixed, list_words, per_cent, tied, whole

__all__ = ["answer", "asked", "classes_table", "models_note", "title_of"]

_TITLES = {
    "sequences": "Sequences",
    "classify": "Text classification",
    "tag": "Sequence tagging",
    "lm": "Language model",
}
_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))


def title_of(run: TaskRun) -> str:
    """The page's title: the task and what is predicted."""
    task = _TITLES.get(run.command, run.command)
    return f"{task}: {run.metrics['target']}" if run.metrics.get("target") else task


def asked(run: TaskRun) -> str:
    """Target, data, parts, models and the score that ranks, as a list of facts; and what the task adds."""
    metrics = run.metrics
    names = [
        f"{name} (baseline)" if metrics["models"][name]["kind"] == "baseline" else name
        for name in ordered_models(metrics)
    ]
    counts = [f"{whole(metrics['examples'][key])} for {word}" for key, word in _PARTS if key in metrics["examples"]]
    words, unit = score_named(metrics["scores"][0]), str(metrics.get("unit", "example"))
    facts = [
        ("Predicted", str(metrics.get("target") or "")),
        ("Data", str(run.source.get("source") or "")),
        (f"{unit[:1].upper()}{unit[1:]}s", ", ".join(counts)),
        ("Models", list_words(names)),
        ("Ranked by", f"{words.phrase}: {words.meaning}"),
    ]
    extra = next(iter(run.held("facts").values()), {})
    facts += [(str(name), whole(v) if isinstance(v, int) else _number(v)) for name, v in extra.items()]
    return facts_html([(name, text) for name, text in facts if text])


def answer(run: TaskRun) -> str:
    """The chosen model against the baseline on validation and test, in plain words, better or worse."""
    metrics = run.metrics
    best, baseline = metrics["best"], metrics["baseline"]
    statements = [str(text) for text in metrics["statements"]]
    if best == baseline and statements:
        lines = [f"<p>{escape(statements.pop(0))}</p>"]
    else:
        lines = [f"<p>{_verdict(metrics, best, baseline)}</p>"]
    if best != baseline:
        tiles = "".join(_tile(metrics, key, word, best, baseline) for key, word in _PARTS[1:])
        lines.append(f'<div class="tiles">{tiles}</div>')
    for css, said in (("", statements), (' class="note"', [str(note) for note in metrics["notes"]])):
        if said:
            lines.append(f"<ul{css}>" + "".join(f"<li>{escape(text)}</li>" for text in said) + "</ul>")
    return f'<div class="answer">{tied("".join(lines))}</div>'


def models_note(run: TaskRun) -> str:
    """How to read the table of all models."""
    score = score_named(run.metrics["scores"][0]).phrase
    return (
        '<p class="note">A star and bold type mark the best of a column. The model was chosen by '
        f"{escape(score)} on the validation part; the test part was only looked at.</p>"
    )


def classes_table(run: TaskRun) -> str:
    """Precision, recall and F1 of each class or kind, by model; empty where there are none."""
    held = run.held("per_class")
    parts = []
    for name, scores in held.items():
        heads = [key for key in ("precision", "recall", "f1", "support") if key in scores]
        titles = {"precision": "Precision", "recall": "Recall", "f1": "F1", "support": "Occurs"}
        head = '<th scope="col">Class</th>' + "".join(
            f'<th scope="col" class="num">{titles[key]}</th>' for key in heads
        )
        rows = []
        for number, label in enumerate(scores["classes"]):
            cells = [
                whole(scores[key][number]) if key == "support" else per_cent(float(scores[key][number]))
                for key in heads
            ]
            inner = "".join(f'<td class="num">{escape(cell)}</td>' for cell in cells)
            rows.append(f'<tr><th scope="row">{escape(str(label))}</th>{inner}</tr>')
        table = (
            f'<div class="scroll tall" tabindex="0" role="region" aria-label="Classes, {escape(name)}"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )
        parts.append(table if not parts else f"<details><summary>{escape(name)}</summary>{table}</details>")
    if len(parts) > 1:
        parts.insert(0, f"<h3>{escape(next(iter(held)))}</h3>")
    return "".join(parts)


def _verdict(metrics: Mapping[str, Any], best: str, baseline: str) -> str:
    score = metrics["scores"][0]
    name = f"<strong>{escape(best)}</strong>"
    if best == baseline:
        return f"{name} is the only model."
    words = score_named(score).phrase
    valid, test = (_compared(metrics, part, best, baseline) for part in ("valid", "test"))
    signs = [_gain(metrics, part, best, baseline) for part in ("valid", "test")]
    link = "and" if (signs[0] > 0) == (signs[1] > 0) else "but"
    return (
        f"{name} was chosen on validation, where its {escape(words)} is {valid} of {escape(baseline)}, {link} on test "
        f"{test}."
    )


def _compared(metrics: Mapping[str, Any], part: str, best: str, baseline: str) -> str:
    score = metrics["scores"][0]
    ours, theirs = (metrics["models"][name][part][score] for name in (best, baseline))
    return f"{score_text(score, ours)} against {score_text(score, theirs)}"


def _gain(metrics: Mapping[str, Any], part: str, best: str, baseline: str) -> float:
    score = metrics["scores"][0]
    ours, theirs = (metrics["models"][name][part][score] for name in (best, baseline))
    return theirs - ours if score in metrics["lower_is_better"] else ours - theirs


def _tile(metrics: Mapping[str, Any], part: str, word: str, best: str, baseline: str) -> str:
    score = metrics["scores"][0]
    ours, theirs = (metrics["models"][name][part][score] for name in (best, baseline))
    gain = _gain(metrics, part, best, baseline)
    judged = "better" if gain > 0 else "worse" if gain < 0 else "the same"
    return (
        f'<div class="tile"><b>{escape(score_text(score, ours))}</b>'
        f"<span>{escape(score_named(score).phrase)} on {word}; "
        f"{escape(baseline)}: {escape(score_text(score, theirs))}, {judged}</span></div>"
    )


def _number(value: Any) -> str:
    return fixed(value, 3) if isinstance(value, float) else str(value)
