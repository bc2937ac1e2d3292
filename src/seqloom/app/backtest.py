"""`seqloom backtest`: rolling-origin evaluation of models beside the naive forecast."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from seqloom_runtime.errors import DataError, Interrupted, SettingError, TrainingError, brief

from . import options as o
from .engine_options import EngineName, RayAddress, Workers, chosen_engine
from .signature import takes
from .tables import BacktestSettings

__all__ = ["backtest"]

_PANEL = "Backtest"

Windows = Annotated[
    int, typer.Option("--windows", metavar="N", help="How many cutoffs to forecast from.", rich_help_panel=_PANEL)
]
Step = Annotated[
    str | None,
    typer.Option(
        metavar=o.DURATION, help="Distance between cutoffs.", show_default="the horizon", rich_help_panel=_PANEL
    ),
]
Gap = Annotated[
    str,
    typer.Option(metavar=o.DURATION, help="Rows left out between training and each cutoff.", rich_help_panel=_PANEL),
]
Refit = Annotated[
    bool, typer.Option("--refit/--no-refit", help="Train anew for every cutoff, or once.", rich_help_panel=_PANEL)
]


@takes(BacktestSettings)
def backtest(
    settings: BacktestSettings,
    windows: Windows = 5,
    step: Step = None,
    gap: Gap = "0",
    refit: Refit = True,
    engine: EngineName = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Forecast from several cutoffs, each model knowing only what came before, and score them beside naive.

    Nothing is written. --split gives the proportion of training to validation rows before each cutoff. With --preset
    the models are those of a preset that the table allows; fitted anew at every cutoff, they take about as many times
    what `seqloom forecast` takes.
    """
    from .columns import json_text, say, say_lines
    from .flags import in_flags
    from .progress import Progress
    from .reading import check_threads, load_table, threads_used

    how = {"n_windows": windows, "step": _rows(step, "--step"), "gap": _rows(gap, "--gap") or 0, "refit": refit}
    scores: dict[str, dict[str, Any]] = {}
    said: list[str] = []
    check_threads(settings.threads)
    table = load_table(settings)  # before the imports with torch: what can't be read is told at once
    from ..tasks.forecast import ModelFinished, ModelStarted, candidate
    from .plan import plan_for

    with threads_used(settings.threads):
        plan = plan_for(settings, table.panel, table.target, inputs=table.inputs, parts=False)
        columns = {"inputs": table.inputs, "future": table.future}
        shown = Progress(bar=not quiet and not json, notices=not quiet)
        with chosen_engine(engine, workers, ray_address) as how["engine"], shown as progress:
            for index, name in enumerate(plan.models):
                progress(ModelStarted(name, index, len(plan.models)))
                began = time.perf_counter()
                others = plan.models if not plan.optional else (*scores, name)  # whatever of a preset could be fitted
                forecaster = candidate(name, plan.parameters, others)
                try:
                    result = forecaster.cross_validate(
                        table.panel, target=table.target, **columns, **how, on_event=progress
                    )
                except KeyboardInterrupt:
                    # Said here: the general sentence would speak of a missing --out, which this command hasn't.
                    raise Interrupted("Interrupted; a backtest keeps nothing.") from None
                except (DataError, TrainingError) as problem:
                    if name not in plan.optional or not scores:
                        raise
                    said.append(f"{name} is left out: {in_flags(str(problem))}")
                    continue
                scores[name] = result.metrics
                said += [note for note in map(in_flags, result.notes) if note not in said]
                progress(ModelFinished(name, index, len(plan.models), time.perf_counter() - began))
    notes = [*table.notes, *plan.notes, *said]
    about = [] if table.panel.quality is None else [in_flags(line, "backtest") for line in table.panel.quality.lines()]
    wide = table.panel.wide
    named = table.target if wide is None else list(wide.targets)
    if json:
        say(json_text({"target": named, "assumed": notes, "data": about, "models": scores}))
        return
    if not quiet:
        say_lines([*notes, *about])
        one = next(iter(scores.values()))
        of = brief(table.target if wide is None else ", ".join(wide.targets))
        say(f"Forecasts of {of} from {one['cutoffs']} cutoffs, {one['rows']:,} values scored:")
        say()
    _say_tables(scores, () if wide is None else wide.targets)


def _say_tables(scores: dict[str, dict[str, Any]], targets: Iterable[str]) -> None:
    """The scores of all models, then those of each of several targets that a model was scored on."""
    from .columns import say

    say(_table(scores))
    for name in targets:
        own = {model: row["targets"][name] for model, row in scores.items() if name in row["targets"]}
        if own:
            say()
            say(f"{brief(name)}, in its own unit:")
            say(_table(own))


def _table(scores: dict[str, dict[str, Any]]) -> str:
    from ..diagnostics import SCORES
    from ..report.wording import per_cent, signed_per_cent
    from .columns import numbers_text, text_table

    rows = list(scores.values())
    errors = ("mae", "rmse", "naive_mae")
    texts = numbers_text([row[name] for row in rows for name in errors])
    heads = (SCORES["mae"].heading, SCORES["rmse"].heading, f"naive {SCORES['mae'].heading}")
    columns: list[tuple[str, list[str]]] = [("model", list(scores))]
    columns += [(head, texts[i :: len(errors)]) for i, head in enumerate(heads)]
    columns.append((SCORES["skill"].heading.lower(), [signed_per_cent(row["skill"]) for row in rows]))
    levels = dict.fromkeys(level for row in rows for level in row["coverage"])
    columns += [(f"within {level} %", [per_cent(row["coverage"].get(level)) for row in rows]) for level in levels]
    columns.append(("fits", [str(row["fits"]) for row in rows]))
    return text_table(columns)


def _rows(text: str | None, flag: str) -> int | str | None:
    value = o.rows_or_duration(text)
    if isinstance(value, int) and value < 0:
        raise SettingError(f"{flag}: expected a whole number of rows of at least 0, or a duration, got {text}.")
    return value
