"""Statistical methods that a worker fitted, and their forecasts of the windows that are scored, handed to a comparison.

They keep no checkpoint; fitting them, and applying STL at every origin, is what a preset of models takes its time for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import FormatError
from seqloom_runtime.statistical.restoring import numbers_of, restore

from ...diagnostics import Baseline

if TYPE_CHECKING:
    from .forecaster import Forecaster
    from .windowed import ForecastData

__all__ = ["made_fit", "take_fit"]


def made_fit(forecaster: Forecaster, data: ForecastData) -> dict[str, Any] | None:
    """What a fitted statistical method is, as `engines.packing` carries it; None for one that has no such form."""
    baseline = forecaster.baseline_
    found = numbers_of(baseline)
    if found is None:
        return None
    made = [
        {"origins": origins, "forecasts": forecasts, "note": note}
        for origins, forecasts, note in data.made.get(baseline, ())
    ]
    return {"body": found[0], "numbers": found[1], "made": made}


def take_fit(baseline: Baseline, data: ForecastData) -> bool:
    """Put into a baseline what a worker made of it on this data; whether one did."""
    made = data.fits.get(baseline.name)
    if made is None:
        return False
    try:
        restore(baseline, made["body"], made["numbers"], data.history)
    except FormatError:  # numbers out of the range of what is saved: fitted here again, to the same ones
        return False
    data.made[baseline] = [(each["origins"], each["forecasts"], each["note"]) for each in made["made"]]
    return True
