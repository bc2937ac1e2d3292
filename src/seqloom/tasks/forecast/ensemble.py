"""The ensemble: the weighted average of the best few models, chosen and weighed on the windows that choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError, TrainingError, shown
from seqloom_runtime.forecast.mixture import ENSEMBLE, Member, Mixture
from seqloom_runtime.forecast.reach import read_before

from ..checkpointing import Checkpointing
from .choosing import Standing, fallback_of, naive_windows, standing, weigh
from .models import candidate_changes
from .presets import USUAL_PRESET, candidates_for
from .reach import range_of
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["members_of", "mix", "mixture_windows", "stands_of", "weights_told"]


def mixture_windows(mixture: Mixture, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """A fitted ensemble's forecasts at the origins: (N, K) in the target's unit, NaN where no member has one."""
    each = np.stack([member.forecaster.forecast_windows(data, origins) for member in mixture.members])
    names = [data.panel.ids[series] for series in data.panel.series_index[origins]]
    read = read_before(data.target, data.measured, data.panel.series_index, origins)
    values = mixture.averaged(each, names, read)[0]
    return mixture.filled(values, data.season, data.history, origins, data.spec.steps)


def members_of(forecaster: Forecaster, names: Sequence[str] = ()) -> dict[str, Forecaster]:
    """An unfitted forecaster for each member by name, of those `names` where none are given.

    Raises SettingError for names that can't be averaged.
    """
    if forecaster.members:
        names = (forecaster.members,) if isinstance(forecaster.members, str) else tuple(forecaster.members)
    made = {}
    for name in names:
        number, changes = name.partition("@")[2], candidate_changes(name)
        if changes["model"] == ENSEMBLE or (number and not number.isdecimal()):
            raise SettingError(
                f"members: expected names of models, or of one with another seed such as 'gru@1', got {shown(name)}."
            )
        changes |= {"members": (), "refit": False, "seed": forecaster.seed + changes.pop("seeds_on")}
        made[name] = type(forecaster)(**{**forecaster.get_params(), **changes})
    return made


def mix(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    fitted: Mapping[str, Forecaster] | None = None,
    source: Mapping[str, Any] | None = None,
) -> tuple[Mixture, list[str]]:
    """Fit the members where none are `fitted` yet, keep the best few, and weigh them; with notes.

    A model that can't be fitted on this
    table is left out with a note; raises what it raised where none can be.
    """
    found, notes, problem = dict(fitted or {}), [], None
    usual: tuple[str, ...] = ()
    if fitted is None and not forecaster.members:
        roles, days = data.features.roles, data.features.holidays
        ahead = bool(roles.future) or days is not None
        tried = candidates_for(USUAL_PRESET, data.panel, data.split, data.season, roles.target, ahead=ahead)
        usual = tuple(name for name in tried.models if name != ENSEMBLE)
        notes = [note.replace("model=", "members=") for note in tried.notes()]
    for name, member in members_of(forecaster, usual).items() if fitted is None else ():
        try:
            below = checkpoints.below(f"member-{name}")
            kept = {"directory": below.directory, "resume": below.resume, "on_event": below.on_event}
            found[name] = member.fit_prepared(data, source=source, **kept)
        except (DataError, TrainingError) as error:
            problem = problem or error
            notes.append(f"{name} is left out: {error}")
    stands = stands_of(found, data, data.choose)
    weights = weigh(stands)
    if not weights:
        raise problem or DataError("members: none of the models could forecast a window that chooses; name others.")
    members = tuple(Member(name, weight, found[name]) for name, weight in weights.items())
    mixture = Mixture(members, data.panel.ids, *range_of(data), candidates=found, fallback=fallback_of(stands))
    return mixture, [*notes, weights_told(mixture, len(found))]


def stands_of(models: Mapping[str, Forecaster], data: ForecastData, origins: np.ndarray) -> dict[str, Standing]:
    """How each fitted model stands on windows of the data, the later ones counting more."""
    naive = naive_windows(data, origins)
    return {
        name: standing(data, origins, each.forecast_windows(data, origins), naive, recent=True)
        for name, each in models.items()
    }


def weights_told(mixture: Mixture, among: int, anew: bool = False) -> str:
    """Which models an ensemble averages, in a sentence; `anew` says that it is weighed once more for the forecast."""
    shares = ", ".join(f"{member.name} {100 * member.weight:.0f} %" for member in mixture.members)
    several = len(mixture.members) > 1
    what = f"is the average of {shares}" if several else f"is one model alone, {shares.rpartition(' 100 %')[0]}"
    if anew:
        return f"For the forecast, {ENSEMBLE} {what}: the best of {among} on all rows that were held back."
    return f"{ENSEMBLE} {what}: the best of {among} on the windows that choose, by their errors there."
