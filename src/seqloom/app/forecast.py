"""`seqloom forecast`: from a table to a comparison with baselines, a forecast, and a report."""

from __future__ import annotations

from functools import partial

from .running import Prepared, training_command
from .tables import Settings

__all__ = ["forecast"]


def _prepare(settings: Settings) -> Prepared:
    from ..tasks.forecast import compare_forecasters
    from .plan import plan_for
    from .reading import load_table

    table = load_table(settings)
    plan = plan_for(settings, table.panel, table.target, inputs=table.inputs)
    compare = partial(
        compare_forecasters,
        table.panel,
        plan.models,
        plan.parameters,
        target=table.target,
        inputs=table.inputs,
        future=table.future,
        source={"time": table.time, "id": settings.id, "time_format": table.panel.time_format},
    )
    return Prepared(compare, [*table.notes, *plan.notes])


forecast = training_command(
    "forecast",
    Settings,
    _prepare,
    """Compare models with naive baselines on a table, forecast with the best, and draw a report.

    Without DATA it forecasts the weekly CO2 series that statsmodels bundles, a year ahead.

    A DURATION is written as 10min, 24h, 5d, 2w, 3mo or 1y.
    """,
)
