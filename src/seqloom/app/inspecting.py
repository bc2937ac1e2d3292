"""`seqloom inspect`: what a run or model folder holds, checked against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqloom_runtime.errors import FormatError, brief

from . import options as o
from .flags import to_resume
from .opened import RUN, opened

__all__ = ["inspect"]

_LONGEST = 2_000  # characters of a fact: hundreds of inputs are listed, thousands are not

Folder = Annotated[Path, typer.Argument(metavar="RUN", help=RUN, show_default=False)]


def inspect(run: Folder, json: o.Json = False) -> None:
    """Show what a run folder or a model folder holds."""
    from seqloom_runtime.limits import reading

    with reading(brief(str(run), 300), "run folder or model folder", error=FormatError):
        _inspect(opened(run), json)


def _inspect(run: Path, json: bool) -> None:
    from ..report import read_metrics
    from ..tasks import load
    from .columns import json_text, say, say_lines
    from .showing import scores_text

    record = _record(run)
    if record is not None and record.get("command") == "reproduce":
        _study(run, record, json)
        return
    if record is not None and record.get("finished") is None:
        _unfinished(run, record, json)
        return
    metrics = None if record is None else read_metrics(run / "metrics.json")
    # Loading is the check: every checksum and shape is looked at.
    facts = describe(load(run))
    if json:
        say(json_text({"finished": True, "model": facts, "metrics": metrics, "run": record}))
        return
    if metrics is not None:
        say(scores_text(metrics))
        say()
        say_lines(metrics.get("statements", []))
        say()
    say_lines(f"{name + ':':<14}{brief(value, _LONGEST)}" for name, value in (facts | _history(record)).items())


def describe(model: Any) -> dict[str, str]:
    """The facts of a fitted estimator, each in a phrase."""
    if not hasattr(model, "window_spec_"):
        return _describe_task(model)
    spec, roles = model.window_spec_, model.features_.roles
    ids = [brief(name) or "one, without a name" for name in model.context_.ids]
    steps = (
        f"{len(spec.steps)} steps up to {spec.horizon} rows" if spec.at == "path" else f"the row {spec.horizon} ahead"
    )
    own = None if roles.wide is None else roles.target
    return {
        "model": f"{model.model}, {model.n_parameters_:,} parameters, {_kind(model)}{_fitted_again(model)}",
        "target": brief(roles.target) if roles.wide is None else ", ".join(map(brief, roles.wide.targets)),
        "inputs": ", ".join("its own past" if name == own else brief(name) for name in model.features_.names),
        "known ahead": ", ".join(map(brief, roles.future)) or "nothing",
        **_kinds(model.features_),
        "window": f"reads {spec.lookback} rows ({len(spec.input_offsets)} steps), forecasts {steps}",
        "rows": f"one for each {model.frequency_.label.removeprefix('1 ')}",
        "intervals": ", ".join(f"{level} %" for level in model.radii_) or "none",
        "series": ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else ""),
        "validation": f"mean absolute error {model.choosing_mae_:.4g} on the windows that choose, those of the first "
        "two thirds of the validation rows; a comparison's table has it on all of them",
    }


def _kind(model: Any) -> str:
    """What a forecast model is, as the table of its run calls it."""
    from ..report.ranking import SIMPLE

    if hasattr(model, "learned_"):
        return f"added to the anchor {model.anchor_!r}"
    members = getattr(getattr(model, "members_", None), "members", None)
    if members is not None:
        return f"the average of {', '.join(f'{each.name} {100 * each.weight:.0f} %' for each in members)}"
    return "a baseline" if model.model in SIMPLE else "a statistical method"


def _fitted_again(model: Any) -> str:
    """That the saved model is not the one that was scored, whose parameters the table counts."""
    again = any("fitted once more on all" in note for note in model.notes_)
    return "; fitted once more on all rows after the scores of the table were made" if again else ""


def _kinds(features: Any) -> dict[str, str]:
    """The columns of words and the static columns, where there are any."""
    words = [f"{brief(c.column)} ({len(c.words)} words)" for c in features.categories]
    found = {"categories": ", ".join(words), "static": ", ".join(map(brief, features.roles.static))}
    return {name: text for name, text in found.items() if text}


def _describe_task(model: Any) -> dict[str, str]:
    """What any model of sequences or texts knows, and the facts that it adds by a method of that name."""
    classes = getattr(model, "classes_", None)
    facts = {"model": f"{type(model).__name__} {model.model}, {model.n_parameters_:,} parameters"}
    if classes is not None:
        shown = [brief(str(name)) for name in classes[:8]]
        facts["classes"] = ", ".join(shown) + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
    return facts | (model.facts() if hasattr(model, "facts") else {})


def _history(record: dict[str, Any] | None) -> dict[str, str]:
    if record is None:
        return {}
    versions = ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items())
    return {
        "made": f"{record.get('finished')} with seed {record.get('seed')}, threads {record.get('threads')}, {versions}"
    }


def _record(run: Path) -> dict[str, Any] | None:
    """What run.json says, None where there is none."""
    from seqloom_runtime.files import read_json

    path = run / "run.json"
    if not path.is_file():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("versions"), dict):
        raise FormatError(f"{path}: expected the record of a run; this is another file or a damaged one.")
    return record


def _study(run: Path, record: dict[str, Any], json: bool) -> None:
    """What a run of `seqloom reproduce` has found so far."""
    from seqloom_runtime.files import read_json

    from .columns import json_text, say

    finished = record.get("finished") is not None
    found = read_json(run / "results.json") if (run / "results.json").is_file() else None
    if json:
        say(json_text({"finished": finished, "results": found, "run": record}))
        return
    say((run / "results.md").read_text(encoding="utf-8") if found is not None else "No row is done yet.")
    if not finished:
        say(f"Unfinished. Resume with: {to_resume(record, run)}")


def _unfinished(run: Path, record: dict[str, Any], json: bool) -> None:
    from .columns import json_text, say, say_lines

    # Beside the networks' lie folders of the run itself, such as that of a search, which no network is called like.
    begun = sorted(path.name for path in (run / "checkpoint").glob("[!.]*") if any(path.iterdir()))
    if json:
        say(json_text({"finished": False, "begun": begun, "run": record}))
        return
    where = ", ".join(begun) or "none"
    kind = "search" if "search" in record else "run"
    say_lines([f"An unfinished {kind}, started {record.get('started')}; networks with a checkpoint: {where}."])
    say(f"Resume with: {to_resume(record, run)}")
