"""The parts of the page that are words and tables: what was asked, the answer, the data, the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..errors import brief
from .saved import SavedRun, ordered_models
from .task_saved import TaskRun
from .wording import (
    command_line,
    decimals_for,
    fixed,
    list_words,
    per_cent,
    rows_and_time,
    signed_per_cent,
    tied,
    whole,
    with_unit,
)

__all__ = ["answer", "asked", "data_quality", "settings"]

_LONGEST = 600  # characters of a setting
_UNSAID = frozenset({"out", "resume", "json", "quiet"})


def asked(run: SavedRun) -> str:
    """Target, horizon, lookback, models and split as a list of facts."""
    metrics, settings = run.metrics, run.settings
    label = metrics.get("step_label")
    horizon = rows_and_time(metrics["horizon"], label)
    every = metrics.get("every") or 1
    if metrics.get("at") == "last":
        horizon = f"the value {horizon} ahead"
    else:
        horizon = f"the next {horizon}" + (f", every {_ordinal(every)} of them" if every > 1 else "")
    facts = [
        ("Target", with_unit(str(metrics["target"]), metrics.get("unit"))),
        ("Horizon", horizon),
        ("Lookback", _lookback(settings.get("lookback"), every, label)),
        ("Models", list_words([_named(metrics, name) for name in ordered_models(metrics)])),
        ("Split", _split(metrics["windows"], settings.get("split"))),
        ("Data", _data_words(run)),
    ]
    return facts_html([(k, v) for k, v in facts if v])


def _named(metrics: Mapping[str, Any], name: str) -> str:
    return f"{name} (baseline)" if metrics["models"][name]["kind"] == "baseline" else name


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _lookback(value: Any, every: int, label: str | None) -> str:
    if value in (None, ""):
        return ""
    text = brief(str(value))
    text = rows_and_time(int(text), label) if text.isdigit() else text
    return text + (f", every {_ordinal(every)} row" if every > 1 else "")


def _split(windows: Mapping[str, Any], setting: Any) -> str:
    counts = [f"{whole(windows[k])} windows for {v}" for k, v in _PARTS if isinstance(windows.get(k), int)]
    text = ", then ".join(counts)
    if setting not in (None, ""):
        shown = ", ".join(str(s) for s in setting) if isinstance(setting, (list, tuple)) else str(setting)
        text += f", in order of time (split {brief(shown)})"
    return text


_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))


def _data_words(run: SavedRun) -> str:
    data = run.data
    words = [f"{whole(data.get('rows'))} rows"] if isinstance(data.get("rows"), int) else []
    if data.get("frequency") and not str(data["frequency"]).endswith(("step", "steps")):
        words.append(f"one every {str(data['frequency']).removeprefix('1 ')}")
    if data.get("first") not in (None, "") and data.get("last") not in (None, ""):
        words.append(f"from {_moment(data['first'])} to {_moment(data['last'])}")
    if isinstance(data.get("series"), int) and data["series"] > 1:
        words.append(f"{data['series']} series")
    return ", ".join(words)


def _moment(value: Any) -> str:
    """A time without what is zero at its end; the offset from UTC stays.

    >>> _moment("2020-09-01T00:00:00"), _moment("2020-09-01T12:30:00+01:00")
    ('2020-09-01', '2020-09-01 12:30+01:00')
    """
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", str(value))
    if not match:
        return str(value)
    day, clock, seconds, zone = match[1], match[2], match[3] or "", match[4] or ""
    seconds = "" if not seconds.strip(":0.") else seconds
    return day if clock + seconds + zone == "00:00" else f"{day} {clock}{seconds}{zone}"


def facts_html(facts: Sequence[tuple[str, str]]) -> str:
    """Pairs of a name and a text as a description list."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f'<dl class="facts">{inner}</dl>'


def answer(run: SavedRun) -> str:
    """The chosen model against naive on validation and test, in plain words, better or worse."""
    metrics = run.metrics
    best, baseline = metrics["best"], metrics.get("baseline") or "naive"
    reference = metrics["models"].get(baseline)
    statements = [str(s) for s in metrics.get("statements") or []]
    if best == baseline and statements:  # the first statement then says that nothing beat the baseline
        lines = [f"<p>{escape(statements.pop(0))}</p>"]
    else:
        lines = [f"<p>{_verdict(metrics, best, baseline)}</p>"]
    if reference is not None and best != baseline:
        tiles = [_tile(metrics, split, word, best, baseline) for split, word in _PARTS[1:]]
        lines.append(f'<div class="tiles">{"".join(tiles)}</div>')
    for css, said in (("", statements), (' class="note"', metrics.get("notes") or [])):
        if said:
            lines.append(f"<ul{css}>" + "".join(f"<li>{escape(str(s))}</li>" for s in said) + "</ul>")
    return f'<div class="answer">{tied("".join(lines))}</div>'


def _gain(metrics: Mapping[str, Any], split: str, best: str, baseline: str) -> float | None:
    ours, theirs = metrics["models"][best][split]["mae"], metrics["models"][baseline][split]["mae"]
    return None if ours is None or not theirs else 1 - ours / theirs


def _verdict(metrics: Mapping[str, Any], best: str, baseline: str) -> str:
    name = f"<strong>{escape(best)}</strong>"
    if best == baseline:
        alone = len(metrics["models"]) == 1
        return (
            f"{name} is the only model."
            if alone
            else f"No model did better than {name} on validation, so {name} is the forecast."
        )
    if baseline not in metrics["models"]:
        return (
            f"{name} has the lowest error on validation. The run holds no {escape(baseline)} baseline to compare with."
        )
    valid, test = (_gain(metrics, split, best, baseline) for split in ("valid", "test"))
    against = f"than {escape(baseline)}"
    first = f"{name} was chosen on validation, where its error is {_compared(valid)} {against}"
    if valid is None or test is None:
        return first + "."
    link = "and" if (valid > 0) == (test > 0) else "but"
    return f"{first}, {link} on test {_compared(test)}."


def _compared(gain: float | None) -> str:
    if gain is None:
        return "not comparable"
    return f"{per_cent(abs(gain))} {'lower' if gain >= 0 else 'higher'}"


def _tile(metrics: Mapping[str, Any], split: str, word: str, best: str, baseline: str) -> str:
    ours, theirs = metrics["models"][best][split]["mae"], metrics["models"][baseline][split]["mae"]
    decimals = decimals_for([ours, theirs])
    unit = f" {metrics['unit']}" if metrics.get("unit") else ""
    gain = _gain(metrics, split, best, baseline)
    judged = (
        ""
        if gain is None
        else f", {'better' if gain > 0 else 'worse' if gain < 0 else 'the same'} ({signed_per_cent(gain)})"
    )
    return (
        f'<div class="tile"><b>{escape(fixed(ours, decimals) + unit)}</b><span>mean error on {word}; '
        f"{escape(baseline)}: {escape(fixed(theirs, decimals) + unit)}{judged}</span></div>"
    )


def data_quality(run: SavedRun) -> str:
    """What was found in the data, what was repaired, which windows were dropped, and every column's summary."""
    data = run.data
    parts = []
    unit = "line" if data.get("unit") == "line" else "row"
    findings = [_finding(str(f.get("text", f.get("kind", ""))), f.get("examples"), unit) for f in data["findings"]]
    parts.append(_list("Found", findings, "Nothing unusual was found."))
    repairs = [str(r.get("text", r.get("kind", ""))) for r in data["repairs"]]
    parts.append(_list("Repaired", repairs, "Nothing was repaired."))
    dropped = run.metrics["windows"].get("dropped") or {}
    parts.append(_list("Windows left out", [f"{reason}: {whole(n)}" for reason, n in dropped.items() if n], "None."))
    return "\n".join([*parts, _columns(data["columns"])])


def _finding(text: str, examples: Any, unit: str) -> str:
    """The sentence, and up to three places that it does not name itself."""
    places = []
    for e in examples if isinstance(examples, list) else []:
        if isinstance(e, Mapping) and str(e.get("row")) not in re.findall(r"\d+", text):
            place = f"{unit} {e.get('row')}" + (f", column {e['column']}" if e.get("column") else "")
            places.append(place + (f": {_value(e['value'])}" if e.get("value") not in (None, "") else ""))
    return f"{text} ({'; '.join(places[:3])})" if places else text


def _value(value: Any) -> str:
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def _list(heading: str, items: list[str], nothing: str) -> str:
    if not items:
        return f"<h3>{escape(heading)}</h3><p>{escape(nothing)}</p>"
    return f'<h3>{escape(heading)}</h3><ul class="plain">{"".join(f"<li>{escape(i)}</li>" for i in items)}</ul>'


def _columns(columns: list[Mapping[str, Any]]) -> str:
    if not columns:
        return ""
    heads = ("Missing", "Filled", "Lowest", "Mean", "Highest")
    head = '<th scope="col">Column</th>' + "".join(f'<th scope="col" class="num">{h}</th>' for h in heads)
    head += '<th scope="col">Remark</th>'
    rows = []
    for column in columns:
        cells = [whole(column.get("missing")), whole(column.get("filled"))]
        sizes = [column.get(key) for key in ("min", "mean", "max")]
        decimals = decimals_for(sizes)
        cells += [fixed(size, decimals) for size in sizes]
        remark = "constant" if column.get("constant") else ""
        inner = "".join(f'<td class="num">{escape(c)}</td>' for c in cells)
        rows.append(f'<tr><th scope="row">{escape(str(column.get("name", "")))}</th>{inner}<td>{remark}</td></tr>')
    return (
        '<div class="scroll tall" tabindex="0" role="region" aria-label="Table of columns"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def settings(run: SavedRun | TaskRun) -> str:
    """The command that runs it again, every setting, and what it ran on."""
    command = command_line(run.command, run.settings, run.source, run.seed, run.threads)
    own = {} if isinstance(run, SavedRun) else run.parameters
    given = [
        (str(k), f"{_shown(own[k])} (the model's own)" if v is None and own.get(k) is not None else _shown(v))
        for k, v in run.settings.items()
        if k.lstrip("-") not in _UNSAID
    ]
    pairs = "".join(f"<div><dt>{escape(brief(k))}</dt><dd>{escape(brief(v, _LONGEST))}</dd></div>" for k, v in given)
    facts = [(str(name), str(version)) for name, version in run.versions.items()]
    facts += [("seed", str(run.seed)), ("threads", str(run.threads))]
    if run.source.get("fingerprint"):
        facts.append(("data fingerprint", str(run.source["fingerprint"])))
    return (
        f'<p class="reading">This command repeats the run; NEW_FOLDER is a folder that does not exist yet.</p>\n'
        f'<pre tabindex="0"><code>{escape(command)}</code></pre>\n'
        f'<h3>All settings</h3><dl class="facts columns">{pairs}</dl>\n'
        f"<h3>Versions, seed and threads</h3>{facts_html(facts)}"
    )


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)
