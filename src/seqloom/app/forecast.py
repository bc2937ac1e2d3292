"""`seqloom forecast`: from a table to a comparison with baselines, a forecast, and a report."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .running import Prepared, training_command
from .tables import ForecastSettings

if TYPE_CHECKING:
    from .plan import Plan
    from .reading import Named

__all__ = ["forecast"]


def _prepare(settings: ForecastSettings) -> Prepared:
    from .reading import load_table

    table = load_table(settings)  # before the imports with torch: what can't be read is told at once
    from ..tasks.forecast import compare_forecasters
    from .flags import in_flags
    from .plan import plan_for

    plan = plan_for(settings, table.panel, table.target, inputs=table.inputs)
    compare = partial(
        compare_forecasters,
        table.panel,
        plan.models,
        plan.parameters,
        optional=plan.optional,
        refit=settings.refit,
        ahead=plan.ahead,
        candidates=plan.candidates,
        target=table.target,
        inputs=table.inputs,
        future=table.future,
        source={"time": table.time, "id": settings.id, "time_format": table.panel.time_format},
        decisions=(*table.decisions, *plan.decisions),
    )
    quality = table.panel.quality
    read = [] if quality is None else [in_flags(line) for line in quality.lines()]
    return Prepared(compare, [*table.notes, *plan.notes], _future_notes(table, plan), read=read)


def _future_notes(table: Named, plan: Plan) -> list[str]:
    """What the columns known in advance lack in the rows to be forecast, told before anything is trained."""
    from seqloom_runtime.forecast.future_rows import lacking_note, rows_lacking

    from ..diagnostics import BASELINES
    from ..tasks import Forecaster
    from ..tasks.forecast.settings import window_spec
    from .flags import in_flags

    if not table.future or set(plan.models) <= set(BASELINES):
        return []
    forecaster = Forecaster(**plan.parameters)
    steps = window_spec(forecaster, table.panel.frequency).steps
    lacking = rows_lacking(table.panel, table.target, table.future, steps)
    note = lacking_note(lacking, table.future, len(steps), forecaster.fill_future)
    return [in_flags(note)] if lacking else []


forecast = training_command(
    "forecast",
    ForecastSettings,
    _prepare,
    """Compare models with naive baselines on a table, forecast with the best, and draw a report.

    Without DATA it forecasts the weekly CO2 series that statsmodels bundles, a year ahead.

    A DURATION is written as 10min, 24h, 5d, 2w, 3mo or 1y.
    """,
)
