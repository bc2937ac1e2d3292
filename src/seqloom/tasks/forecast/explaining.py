"""Explaining a fitted network: permutation importance and integrated gradients over the windows that choose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import SettingError, shown

from ...training import derive_seed
from .attribution import STEPS, Attributed, attribute, baselines_of
from .bounded import floors_of_rows
from .decomposing import decompose
from .drift import drift_notes
from .explanation import Explanation
from .input_groups import InputGroup, groups_of
from .masking import mean_known
from .models import is_network
from .network import ForecastNetwork
from .permuting import Blocks, blocks_of, rises
from .targets import unit_of_data
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Explained", "Extent", "columns_told", "explain", "explained_member", "same_data"]

_OUTPUTS = 5  # steps of the forecast that are attributed
_MOST_PERMUTED = 40  # columns
_CELLS = 150_000_000  # numbers that the networks read in all, of permutations and of paths each
_FEWEST = 24  # windows


@dataclass(frozen=True)
class Extent:
    """How much is looked at: windows at most, permutations of each column, and the seed of these."""

    windows: int = 300
    permutations: int = 5
    seed: int = 0

    def check(self) -> None:
        """Raise SettingError for numbers below 1."""
        for name in ("windows", "permutations"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise SettingError(f"{name}: expected a whole number of at least 1, got {shown(value)}.")


def explained_member(forecaster: Forecaster) -> tuple[str, Forecaster] | None:
    """The network that is explained, with its name: the model itself, or of an ensemble the member with the largest
    weight that is a network; None of a baseline."""
    if hasattr(forecaster, "members_"):
        members = [each for each in forecaster.members_.members if is_network(each.forecaster.model)]
        best = max(members, key=lambda each: each.weight, default=None)
        return None if best is None else (best.name, best.forecaster)
    if not isinstance(getattr(getattr(forecaster, "learned_", None), "network", None), ForecastNetwork):
        return None
    return forecaster.model, forecaster


def _member_of(forecaster: Forecaster) -> tuple[str, Forecaster]:
    found = explained_member(forecaster)
    if found is None:
        raise SettingError(
            f"explain: the model {shown(forecaster.model)} is no network with weights for columns and lags; explain a "
            "network, or an ensemble with one among its members."
        )
    return found


def same_data(forecaster: Forecaster, panel: Panel) -> ForecastData:
    """The windows of a table such as the forecaster was fitted on, in the forecaster's own scales.

    Raises SettingError where the forecaster is no network, and for a table that is too short for its windows.
    """
    _member_of(forecaster)
    roles, spec = forecaster.features_.roles, forecaster.window_spec_
    columns: dict[str, Any] = {"target": roles.target, "inputs": roles.inputs, "future": roles.future}
    data = forecaster.prepare(panel, **columns)
    if data.spec != spec:  # lengths that were chosen for another table
        made = type(forecaster)(**{**forecaster.get_params(), "lookback": spec.lookback, "horizon": spec.horizon})
        data = made.prepare(panel, **columns)
    return data


def explain(forecaster: Forecaster, data: ForecastData, extent: Extent, name: str | None = None) -> Explanation:
    """What the forecasts of the fitted `forecaster`, or of its best network, rest on; see `Explanation`.

    Of the data, windows that choose and training rows are read, and for the notes on drift the last rows. Raises
    SettingError where no network takes part.
    """
    extent.check()
    member, one = _member_of(forecaster)
    data = replace(data, features=one.features_)  # the scales that its weights belong to
    network: Any = one.learned_.network
    groups = groups_of(one.features_, network.spec.name)
    blocks, origins = _windows(one, data, groups, extent)
    split, used = _attributed(one, data, origins)
    table = _by_group(groups, split, used, data, one.window_spec_.steps.tolist())
    error, rise = _permuted(one, data, groups, table["attribution"], blocks, extent)
    mean, spread = rise.mean(axis=1), rise.std(axis=1, ddof=1 if rise.shape[1] > 1 else 0)
    order = np.lexsort((-table["attribution"], -np.where(np.isfinite(mean), mean, -np.inf)))
    return Explanation(
        model=name or member,
        columns=tuple(groups[at].name for at in order),
        error=error,
        rise=mean[order],
        spread=spread[order],
        attribution=table["attribution"][order],
        ahead=table["ahead"][order],
        by_lag=table["by_lag"][order],
        lags=-one.window_spec_.input_offsets[::-1].astype(np.int64),
        steps=tuple(int(one.window_spec_.steps[at]) for at in _outputs(len(one.window_spec_.steps))),
        windows=len(origins) if blocks is None else len(blocks.flat),
        permutations=rise.shape[1] if blocks is not None else 0,
        block=0 if blocks is None else blocks.length,
        season_kept=data.season is None or (blocks is not None and blocks.length == round(data.season)),
        gap=split.gap,
        unit=unit_of_data(data),
        scale=one.transform,
        decomposed=tuple(decompose(one)),
        notes=tuple(drift_notes(data, columns_told(one))),
    )


def columns_told(forecaster: Forecaster) -> list[str]:
    """The columns of numbers that change with time and that the forecaster reads: what may drift."""
    roles = forecaster.features_.roles
    read = {name for name in forecaster.columns_read_ if name not in roles.static}
    return [name for name in dict.fromkeys((roles.target, *roles.numeric)) if name in read]


def _windows(
    forecaster: Forecaster, data: ForecastData, groups: list[InputGroup], extent: Extent
) -> tuple[Blocks | None, np.ndarray]:
    """The windows that choose, in blocks where they are enough, and as a list of those that are attributed."""
    origins = data.choose[np.isfinite(data.anchors(forecaster.anchor_, data.choose)).all(axis=1)]
    origins = origins[np.isfinite(data.truth(origins)).any(axis=1)]
    if not len(origins):
        raise SettingError("explain: no window that chooses has a forecast; give more rows.")
    cells = len(data.spec.input_offsets) * data.x.shape[1]
    each = cells * extent.permutations * min(len(groups), _MOST_PERMUTED)
    most = int(np.clip(_CELLS // each, _FEWEST, extent.windows))
    blocks = blocks_of(origins, data.panel.tick[origins], data.season, int(data.spec.steps[-1]), most)
    kept = origins if blocks is None else blocks.flat
    most = int(np.clip(_CELLS // (cells * STEPS * min(_OUTPUTS, len(data.spec.steps))), _FEWEST, extent.windows))
    return blocks, kept[np.unique(np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(np.int64))]


def _outputs(steps: int) -> list[int]:
    """The steps that are attributed: the first, the last, and some between them."""
    return np.unique(np.linspace(0, steps - 1, min(steps, _OUTPUTS)).round().astype(int)).tolist()


def _attributed(forecaster: Forecaster, data: ForecastData, origins: np.ndarray) -> tuple[Attributed, np.ndarray]:
    network: Any = forecaster.learned_.network
    x, future = data.inputs(origins)
    return attribute(network, x, future, baselines_of(network, data), _outputs(len(data.spec.steps))), origins


def _by_group(
    groups: list[InputGroup], split: Attributed, origins: np.ndarray, data: ForecastData, steps: list[int]
) -> dict[str, np.ndarray]:
    """Mean |attribution| of each column, of its values known ahead, and of its past by lag, the newest first."""
    unit = (data.std[origins][:, None] / data.unit(origins))[:, :, None]  # (N, 1, 1)
    whole, ahead, by_lag = [], [], []
    for group in groups:
        past = unit * split.past[:, :, :, list(group.past)].sum(axis=3)
        known = np.zeros(past.shape[:2])
        if group.ahead and split.ahead is not None:
            known = unit[:, :, 0] * split.ahead[:, :, :, list(group.ahead)].sum(axis=(2, 3))
        whole.append(np.abs(past.sum(axis=2) + known).mean())
        ahead.append(np.abs(known).mean())
        by_lag.append(np.abs(past).mean(axis=(0, 1))[::-1])
    return {"attribution": np.array(whole), "ahead": np.array(ahead), "by_lag": np.stack(by_lag)}


def _permuted(
    forecaster: Forecaster,
    data: ForecastData,
    groups: list[InputGroup],
    attribution: np.ndarray,
    blocks: Blocks | None,
    extent: Extent,
) -> tuple[float, np.ndarray]:
    """The error of the windows, and the rise by each permutation of each column: (C, R), NaN where it was not tried."""
    found = np.full((len(groups), extent.permutations), np.nan)
    if blocks is None:
        return float("nan"), found
    origins = blocks.flat
    x, future = data.inputs(origins)
    truth, unit = data.truth(origins), data.unit(origins)
    floors = floors_of_rows(forecaster.floors_, data, origins)

    def error(output: np.ndarray) -> float:
        forecast = np.maximum(data.unscaled(output, forecaster.anchor_, origins), floors)
        return float(mean_known(np.abs(forecast - truth) / unit, truth))

    tried = np.sort(np.argsort(-attribution, kind="stable")[:_MOST_PERMUTED])
    seed = derive_seed(extent.seed, forecaster.model, "explain")
    network: Any = forecaster.learned_.network
    first, found[tried] = rises(
        network, x, future, error, [groups[at] for at in tried], blocks, extent.permutations, seed
    )
    return first, found


class Explained:
    """What explains itself once fitted: a part of the forecaster."""

    def explain(self, data: Any, *, windows: int = 300, permutations: int = 5, seed: int | None = None) -> Explanation:
        """Which columns and lags the network's forecasts rest on; of an ensemble, those of its best network.

        `data` is the table that the fit saw, or what `prepare` made of it. At most `windows` of the windows that choose
        are looked at: the error rises where a column's values come from other windows (`permutations` of each column),
        and integrated gradients attribute the forecast to each column and lag. A forecast of a linear model is taken
        apart exactly. Raises SettingError where the model is a baseline, DataError for a table that can't be used.
        """
        forecaster = cast("Forecaster", self)
        forecaster._check_fitted()
        prepared = data if isinstance(data, ForecastData) else same_data(forecaster, forecaster.read(data))
        return explain(forecaster, prepared, Extent(windows, permutations, forecaster.seed if seed is None else seed))
