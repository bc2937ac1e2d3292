"""The sections of the page that are words and tables: task, result, models, classes, data, settings, terms.

Each takes what the run has: a fact, a list or a table that its task does not know is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from seqloom_runtime.errors import brief

from ..diagnostics import BASELINES, score_named
from .markup import bullets, data_table, facts, per_model
from .ranking import kind_words
from .saved import SavedRun, is_forecast, ordered_models
from .scores import (
    chosen_on,
    lower_is_better,
    noun_of,
    score_text,
    scores_of,
    sizes_of,
    table_html,
    unit_of,
    unless_clear,
)
from .search_line import search_line
from .wording import (
    command_line,
    decimals_for,
    fixed,
    list_words,
    per_cent,
    rows_and_time,
    tied,
    whole,
    with_unit,
)

__all__ = ["TERMS", "answer", "asked", "class_scores", "comparison", "data_quality", "settings", "terms", "title_of"]

_LONGEST = 600  # characters of a setting
_UNSAID = frozenset({"out", "resume", "json", "quiet"})
_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))
_TITLES = {
    "forecast": "Forecast",
    "anomalies": "Anomalies",
    "sequences": "Sequences",
    "classify": "Text classification",
    "tag": "Sequence tagging",
    "transcribe": "Transcription",
    "translate": "Sequence to sequence",
    "frames": "Frames ahead",
    "caption": "Captions",
    "lm": "Language model",
    "embed": "Word vectors",
}


def title_of(run: SavedRun) -> str:
    """The page's title: the task and what is predicted."""
    task = _TITLES.get(run.command, run.command)
    return f"{task}: {run.metrics['target']}" if run.metrics.get("target") else task


def asked(run: SavedRun) -> str:
    """Target, data, split, models and the score that ranks, as a list of facts; and what the task adds."""
    metrics, label = run.metrics, run.metrics.get("step_label")
    every = metrics.get("every") or 1
    kinds = {name: kind_words(metrics, name) for name in ordered_models(metrics)}
    names = [f"{name} ({kind})" if kind in ("baseline", "statistical") else name for name, kind in kinds.items()]
    noun = noun_of(metrics)
    extra = next(iter(run.held("facts").values()), {})
    several = bool(metrics.get("targets"))
    unit = None if several else unit_of(metrics, "mae")
    # Of films it counts frames, which are told among the task's own facts.
    lookback = None if run.command == "frames" else run.settings.get("lookback") or metrics.get("lookback")
    return facts(
        [
            ("Targets" if several else "Target", with_unit(str(metrics.get("target") or ""), unit)),
            ("Horizon", _horizon(metrics, every, label)),
            ("Lookback", _lookback(lookback, every, label)),
            ("Data", _data_words(run)),
            (f"{noun[:1].upper()}{noun[1:]}s", _split(run)),
            *_words_read(metrics),
            ("Known ahead", _read_ahead(run)),
            ("Models", list_words(names)),
            ("Selected by", f"{score_named(scores_of(metrics)[0]).phrase} on {chosen_on(metrics)}"),
            *((str(name), whole(v) if isinstance(v, int) else _value(v, 3)) for name, v in extra.items()),
        ]
    )


def _horizon(metrics: Mapping[str, Any], every: int, label: str | None) -> str:
    if "horizon" not in metrics:
        return ""
    horizon = rows_and_time(metrics["horizon"], label)
    if metrics.get("at") == "last":
        return f"the value {horizon} ahead"
    return f"the next {horizon}" + (f", every {_ordinal(every)} of them" if every > 1 else "")


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _lookback(value: Any, every: int, label: str | None) -> str:
    if value in (None, ""):
        return ""
    text = brief(str(value))
    text = rows_and_time(int(text), label) if text.isdigit() else text
    return text + (f", every {_ordinal(every)} row" if every > 1 else "")


def _split(run: SavedRun) -> str:
    """How many examples each part has and, where they are cut in order of time, where."""
    sizes, setting = sizes_of(run.metrics), run.parameters.get("split") or run.settings.get("split")
    text = ", ".join(f"{whole(sizes[key])} {part}" for key, part in _PARTS if isinstance(sizes.get(key), int))
    if setting not in (None, ""):
        shown = ", ".join(str(s) for s in setting) if isinstance(setting, (list, tuple)) else str(setting)
        text += f", in chronological order (split {brief(shown)})"
    return text


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


def answer(run: SavedRun) -> str:
    """The selected model against the baseline on validation and test, in plain words, better or worse."""
    metrics = run.metrics
    best, baseline = metrics["best"], metrics.get("baseline") or "naive"
    statements = [str(text) for text in metrics.get("statements") or []]
    if best == baseline and statements:  # the first statement then says that nothing beat the baseline
        lines = [f"<p>{escape(statements.pop(0))}</p>"]
    else:
        lines = [f"<p>{_verdict(metrics, best, baseline)}</p>"]
    if best != baseline and baseline in metrics["models"]:
        tiles = [_tile(metrics, part, word, best, baseline) for part, word in _PARTS[1:]]
        lines.append(f'<div class="tiles">{"".join(tiles)}</div>')
    lines += [bullets(statements, ""), bullets([str(note) for note in metrics.get("notes") or []], "note")]
    return f'<div class="answer">{tied("".join(lines))}</div>'


def _verdict(metrics: Mapping[str, Any], best: str, baseline: str) -> str:
    name, words = f"<strong>{escape(best)}</strong>", score_named(scores_of(metrics)[0]).phrase
    if len(metrics["models"]) == 1:
        return f"{name} is the only model."
    if best == baseline:
        return f"No model did better than {name} on the validation set."
    if baseline not in metrics["models"]:
        lacking = f"The run holds no {escape(baseline)} baseline to compare with."
        return f"{name} has the best {escape(words)} on the validation set. {lacking}"
    valid, test = (_compared(metrics, part, best, baseline) for part in ("valid", "test"))
    held = test["judged"] + (" too" if test["judged"] == valid["judged"] else "")
    first = f"{name} was selected on the validation set: {escape(words)} {_against(valid, baseline)}."
    return f"{first} On the test set it is {held}: {_against(test, baseline)}."


def _against(compared: Mapping[str, str], baseline: str) -> str:
    change = f" ({compared['change']})" if compared["change"] else ""
    return escape(f"{compared['ours']} against {compared['theirs']} for {baseline}{change}")


def _compared(metrics: Mapping[str, Any], part: str, best: str, baseline: str) -> dict[str, str]:
    """The ranking score of both models as text, which is better, and by how much where that is a share of an error."""
    score = scores_of(metrics)[0]
    ours, theirs = (metrics["models"][name][part][score] for name in (best, baseline))
    unit = f" {unit_of(metrics, score)}" if unit_of(metrics, score) else ""
    lower, judged, change = lower_is_better(metrics, score), "not comparable", ""
    if ours is not None and theirs is not None:
        gain = theirs - ours if lower else ours - theirs
        judged = "better" if gain > 0 else "worse" if gain < 0 else "equal"
        if lower and theirs > 0 and gain:
            change = f"{per_cent(abs(gain) / theirs)} {'lower' if gain > 0 else 'higher'}"
    texts = [score_text(score, value, (ours, theirs)) + unit for value in (ours, theirs)]
    return {"ours": texts[0], "theirs": texts[1], "judged": judged, "change": change}


def _tile(metrics: Mapping[str, Any], part: str, word: str, best: str, baseline: str) -> str:
    found = _compared(metrics, part, best, baseline)
    judged = f"{found['judged']} ({found['change']})" if found["change"] else found["judged"]
    words = f"{score_named(scores_of(metrics)[0]).phrase} on the {word} set; {baseline}: {found['theirs']}, {judged}"
    return f'<div class="tile"><b>{escape(found["ours"])}</b><span>{escape(words)}</span></div>'


def comparison(run: SavedRun) -> str:
    """The table of all models, and how to read it."""
    metrics = run.metrics
    words = score_named(scores_of(metrics)[0]).phrase
    where = chosen_on(metrics) + (" (the last third calibrates the intervals)" if is_forecast(metrics) else "")
    note = (
        f"★ and bold type mark the best value of a column. The model was selected by {words} on "
        f"{where}{unless_clear(metrics)}; the test set was never used for training or selection."
    )
    return f'{table_html(metrics)}\n<p class="note">{escape(note)}</p>'


def class_scores(run: SavedRun) -> str:
    """Precision, recall and F1 of each class or kind of entity, by model."""
    parts = []
    for name, scores in run.held("per_class").items():
        keys = [key for key in ("precision", "recall", "f1", "support") if key in scores]
        rows = [
            [str(label), *(whole(scores[k][i]) if k == "support" else score_text(k, scores[k][i]) for k in keys)]
            for i, label in enumerate(scores["classes"])
        ]
        heads = ["Class", *(score_named(key).heading for key in keys)]
        parts.append((name, data_table(f"Classes, {name}", heads, rows, range(1, len(heads)))))
    return per_model(parts)


def data_quality(run: SavedRun) -> str:
    """How the data was read, what was found in it and repaired, which windows were dropped, and every column."""
    data = run.data
    unit = "line" if data.get("unit") == "line" else "row"
    findings = [_finding(str(f.get("text", f.get("kind", ""))), f.get("examples"), unit) for f in data["findings"]]
    repairs = [str(r.get("text", r.get("kind", ""))) for r in data["repairs"]]
    dropped = run.metrics["windows"].get("dropped") or {}
    windows = [f"{reason}: {whole(n)}" for reason, n in dropped.items() if n]
    decisions = [(d.get("what") == "setting", str(d.get("text", ""))) for d in data.get("decisions", ())]
    decided = (("How the data was read", False), ("Chosen for this table", True))
    told = [(heading, [text for one, text in decisions if one == setting], "") for heading, setting in decided]
    listed = (
        *(part for part in told if part[1]),
        ("Findings", findings, "Nothing unusual was found."),
        ("Repairs", repairs, "Nothing was repaired."),
        ("Dropped windows", windows, "None."),
    )
    parts = [
        f"<h3>{heading}</h3>{bullets(items, 'plain') or f'<p>{nothing}</p>'}" for heading, items, nothing in listed
    ]
    heads = ("Column", "Missing", "Filled", "Minimum", "Mean", "Maximum", "Remark")
    rows = [_column(column) for column in data["columns"]]
    return "\n".join([*parts, data_table("Columns of the data", heads, rows, range(1, 6)) if rows else ""])


def _finding(text: str, examples: Any, unit: str) -> str:
    """The sentence, and up to three places that it does not name itself."""
    places = []
    for e in examples if isinstance(examples, list) else []:
        if isinstance(e, Mapping) and str(e.get("row")) not in re.findall(r"\d+", text):
            place = f"{unit} {e.get('row')}" + (f", column {e['column']}" if e.get("column") else "")
            places.append(place + (f": {_value(e['value'])}" if e.get("value") not in (None, "") else ""))
    return f"{text.removesuffix('.')} ({'; '.join(places[:3])})." if places else text


def _value(value: Any, decimals: int | None = None) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:g}".replace("-", "−") if decimals is None else fixed(value, decimals)


def _column(column: Mapping[str, Any]) -> list[str]:
    """A row of the table of columns."""
    sizes = [column.get(key) for key in ("min", "mean", "max")]
    decimals = decimals_for(sizes)
    counts = [whole(column.get(key)) for key in ("missing", "filled")]
    remark = "constant" if column.get("constant") else ""
    return [str(column.get("name", "")), *counts, *(fixed(size, decimals) for size in sizes), remark]


def _words_read(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The categories with the words that have an input each, and the static columns, where networks read any."""
    held, static = metrics.get("categories"), metrics.get("static")
    found = held.items() if isinstance(held, Mapping) else ()
    words = [f"{column} ({', '.join(map(str, each))})" for column, each in found if isinstance(each, list)]
    columns = [str(column) for column in static] if isinstance(static, list) else []
    return [
        *([("Categories", brief("; ".join(words), _LONGEST))] if words else []),
        *([("Static columns", brief(", ".join(columns), _LONGEST))] if columns else []),
    ]


def chosen_lengths(run: SavedRun) -> dict[str, Any]:
    """The lengths that a forecast's table was given, where the settings say others or none."""
    own = run.parameters if is_forecast(run.metrics) else {}
    wanted = {name: own[name] for name in ("lookback", "horizon", "season", "split") if own.get(name) is not None}
    return {name: value for name, value in wanted.items() if name not in (run.given or {}) and name in run.settings}


def _read_ahead(run: SavedRun) -> str:
    """The columns that are known of the rows ahead, and which models read them; empty where there are none."""
    named = run.settings.get("future")
    if not named or not is_forecast(run.metrics):
        return ""
    models = run.metrics["models"]
    networks = [name for name in ordered_models(run.metrics) if models[name]["kind"] == "network"]
    columns = brief(_shown(named), _LONGEST)
    if not networks:
        return f"{columns}; read by none of the models, as baselines and statistical methods read the target alone"
    text = f"{columns}; read by {list_words(networks)}; baselines and statistical methods read the target alone"
    for name, model in models.items():
        held = model.get("members")
        readers = [f"{each} ({per_cent(held[each], 0)})" for each in networks if each in (held or {})]
        if held:
            text += f", {name} reads them through {list_words(readers)}" if readers else f", and so does {name}"
    return text


def settings(run: SavedRun) -> str:
    """The command that runs it again, every setting, and what it ran on."""
    if run.search:
        command = search_line(run)
    else:
        chosen = {} if run.given is None else chosen_lengths(run)
        command = command_line(run.command, run.settings, run.source, run.seed, run.threads, run.given, chosen)
    given = [(str(k), _setting(run, k, v)) for k, v in run.settings.items() if k.lstrip("-") not in _UNSAID]
    pairs = "".join(f"<div><dt>{escape(brief(k))}</dt><dd>{escape(brief(v, _LONGEST))}</dd></div>" for k, v in given)
    ran_on = [(str(name), str(version)) for name, version in run.versions.items()]
    ran_on += [("seed", str(run.seed)), ("threads", str(run.threads))]
    ran_on += [("data fingerprint", str(run.source.get("fingerprint") or ""))]
    return (
        '<p class="reading">This command repeats the run; NEW_FOLDER is a folder that does not exist yet.</p>\n'
        f'<pre tabindex="0"><code>{escape(command)}</code></pre>\n'
        f'<h3>All settings</h3><dl class="facts columns">{pairs}</dl>\n'
        f"<h3>Versions, seed and threads</h3>{facts(ran_on)}"
    )


def _setting(run: SavedRun, name: str, value: Any) -> str:
    """A setting as it was asked, or, where nothing was, what the table or the model was given instead."""
    own = run.parameters.get(name)
    if name in chosen_lengths(run) and run.given is not None:
        usual = "" if value is None or _shown(value) == _shown(own) else f" instead of {_shown(value)}"
        return f"{_shown(own)} (chosen for this table{usual})"
    return f"{_shown(own)} (the model's default)" if value is None and own is not None else _shown(value)


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)


TERMS = (
    ("", "baseline", "a simple model that any network has to beat"),
    ("", "training set", "the data that the weights are fitted to"),
    ("", "validation set", "the data that select the epoch and the model"),
    ("", "test set", "data that are never used for training or selection, so that scores on them are honest"),
    ("paired sign test", "paired sign test", "how often chance alone would part the models' right answers so unevenly"),
    ("curves", "epoch", "one pass over the training set, or as many steps as were asked for"),
    ("curves", "loss", "what training minimises"),
    ("forecast", "lookback", "the rows before a forecast that the model reads"),
    ("forecast", "horizon", "how far ahead is forecast"),
    ("choosing", "Choosing", "a model's error over naive's on the windows that select it, ± its standard error"),
    ("damped-persistence", "damped persistence", BASELINES["damped-persistence"].summary),
    ("forecast", "Within 80 %", "the share of actual values that lie inside the 80 % intervals; 80 % would be right"),
    ("forecast", "Winkler score", "the width of the intervals and a penalty for what lies outside; lower is better"),
    ("forecast", "CRPS", "the error of the whole distribution forecast, in the target's unit; lower is better"),
    ("forecast", "prediction interval", "a range that should hold the actual value as often as its level says"),
    ("forecast", "coverage", "the share of actual values that lie inside the intervals"),
    ("records", "alarm", "a risk at or above the threshold, which few validation records without the event may reach"),
    (
        "explained",
        "permutation importance",
        "how far the error rises where the values of one column come from other windows",
    ),
    (
        "explained",
        "integrated gradients",
        "each input's share of the forecast: its gradients, added up from a baseline to its value",
    ),
    ("trials", "trial", "one set of parameters, fitted on the training set and judged on the validation set"),
    ("trials", "stopped early", "trials that were behind two of three others at a ninth or a third of their epochs"),
    ("anomalies", "anomaly score", "a row's squared error over the usual one of the training rows"),
    ("anomalies", "threshold", "the score that as few rows exceed as false alarms are allowed, of rows held out"),
    ("precision_recall", "precision-recall curve", "precision against recall over all thresholds"),
    ("confusion", "confusion matrix", "counts of examples by actual class (rows) and predicted class (columns)"),
    ("roc", "ROC curve", "true positive rate against false positive rate over all thresholds"),
    ("calibration", "calibration", "whether events that are predicted with probability p occur with frequency p"),
    ("calibration", "expected calibration error", "mean gap between probability and frequency, weighted by examples"),
    ("advection", "advection", "the last frame carried along the motion that the frames before it show"),
    ("film", "persistence", "the last frame again, as if nothing moved"),
    ("music", "piano roll", "which keys sound at each step; held keys are one bar"),
    ("attention", "attention weight", "the share that a word has in its sentence's vector, a sentence in its text's"),
    ("alignment", "attention over the source", "the share that a source token has in what the decoder reads at a step"),
    ("heard", "frame", "a short stretch of the sound, as the energy in each of a few bands of pitch"),
    ("looked", "attention over the picture", "the share that a place has in what the decoder reads at a step"),
    ("embedding", "embedding", "the vector that stands for a word, here on its two first principal components"),
)
"""Terms of the page: what the run must have, or its sentences say, for one to appear; the term; what it means."""


def terms(run: SavedRun) -> str:
    """The terms that the page uses and what they mean, the scores first."""
    scores = [score_named(name) for name in scores_of(run.metrics)]
    said = " ".join(str(text) for text in run.metrics.get("statements") or [])
    models = run.metrics["models"]
    others = [(term, meaning) for need, term, meaning in TERMS if need in said or need in models or run.has(need)]
    return facts([*((score.heading, score.meaning) for score in scores), *others])
