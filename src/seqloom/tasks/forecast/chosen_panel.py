"""The table of a fit as the panel that a forecaster reads, with the columns that were named for each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqloom_runtime.data.on_disk import USUAL_MEMORY, StoredPanel
from seqloom_runtime.forecast.frames import READING, as_panel
from seqloom_runtime.forecast.roles import ALL_COLUMNS, Inputs, check_named

from .inferred import only_target
from .stored_training import sampled
from .targets import Chosen, chosen_targets, named_targets

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["chosen_panel"]


def chosen_panel(
    forecaster: Forecaster,
    data: Any,
    target: str | Sequence[str] | None,
    time: str | None,
    id: str | Sequence[str] | None,
    inputs: Inputs,
    future: Sequence[str],
) -> Chosen:
    """The table as a panel; where `inputs` are named, other columns need not hold numbers."""
    forecaster.check_parameters()
    if isinstance(data, StoredPanel):
        data = sampled(data, USUAL_MEMORY, forecaster.split)
    static, categories = forecaster.static, forecaster.categories
    targets = () if target is None else named_targets(target)
    check_named(targets=targets, time=time, id=id, inputs=inputs, future=future, static=static, categories=categories)
    named = None if inputs == ALL_COLUMNS else inputs
    used = tuple(dict.fromkeys((*(named or ()), *targets, *future, *static)))
    panel = as_panel(
        data,
        time=time,
        id=id,
        columns=used if named is not None and targets else None,
        keep=(*targets, *(named or ()), *future),
        target=targets,
        **{name: getattr(forecaster, name) for name in READING},
    )
    if target is None:
        target = only_target(panel, inputs, future)[0]
    return chosen_targets(panel, target, inputs, future, static, categories)
