"""The forecast of a linear model taken apart: level, past of each column, what is known ahead and a constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import DataError
from seqloom_runtime.forecast.known_rows import measured_or_carried, observed
from seqloom_runtime.forecast.network_path import anchor_ahead, check_known
from seqloom_runtime.forecast.predicting import extended_rows
from seqloom_runtime.gather import gather_windows
from seqloom_runtime.tables import time_text

from .attribution import attribute, is_affine
from .input_groups import InputGroup, groups_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Decomposed", "decompose", "joined_terms"]

_MOST_SERIES = 6


@dataclass(frozen=True, eq=False)
class Decomposed:
    """The forecast of one series past the end of its rows, as terms (K,) by name that add up to `total` (K,).

    `level` is the window's, `constant` what is left of the forecast at the baseline. In the target's unit; with
    a transform (`scale` names it) in that of the transformed target, as only there they add up.
    """

    series: str
    times: tuple[str, ...]
    terms: Mapping[str, np.ndarray]
    total: np.ndarray
    scale: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        terms = [{"name": name, "values": values.tolist()} for name, values in self.terms.items()]
        return {"series": self.series, "times": list(self.times), "terms": terms, "total": self.total.tolist()}


def decompose(forecaster: Forecaster) -> list[Decomposed]:
    """The forecasts from the end of the rows that the fit kept, of the first few series; none of a model that is not
    linear, and none of a series that can't be forecast."""
    if not hasattr(forecaster, "learned_") or not is_affine(forecaster.learned_.network):
        return []
    panel = forecaster.context_
    found = []
    for index, name in enumerate(panel.ids[:_MOST_SERIES]):
        try:
            found.append(_series(forecaster, panel.series(index), name))
        except DataError:  # which the forecast itself has said
            continue
    return [each for each in found if each is not None]


def _series(forecaster: Forecaster, series: Panel, name: str) -> Decomposed | None:
    measured = np.flatnonzero(observed(series, forecaster.features_.roles.target))
    if not len(measured):
        return None
    features, spec = forecaster.features_, forecaster.window_spec_
    panel, at = extended_rows(forecaster, series, int(measured[-1]), spec.horizon, name)
    scaled = features.scaled(panel)
    x, future = features.inputs(panel, scaled), features.future(panel, scaled)
    mean, std = (float(moments[at]) for moments in features.target_moments(panel))
    rows, offsets = at + spec.steps, spec.input_offsets
    known = None
    if future is not None:
        check_known(forecaster, panel, future, rows, at, name)
        known = torch.from_numpy(future[rows][None])
    window = torch.from_numpy(gather_windows(x, np.array([at]), int(offsets[0]), len(offsets), spec.every))
    if not bool(torch.isfinite(window).all()):
        return None
    network: Any = forecaster.learned_.network
    # A straight line has the same gradient everywhere, so that one point is exact; from 0, the training mean.
    zeros = torch.zeros(window.shape[2]), None if known is None else torch.zeros(known.shape[2])
    split = attribute(network, window, known, zeros, range(len(spec.steps)), steps=1)
    target = measured_or_carried(panel, features.roles.target)
    level = anchor_ahead(forecaster, panel, target, mean, at) + std * split.level[0]
    terms = {"level": np.broadcast_to(level, len(rows)).astype(np.float64)}
    terms |= _by_column(groups_of(features, network.spec.name), split.past[0], split.ahead, std)
    terms["constant"] = std * split.constant[0]
    output = std * split.output[0] + terms["level"]
    texts = tuple(time_text((panel.tick if panel.time is None else panel.time)[rows], panel.zone))
    return Decomposed(name, texts, terms, output, forecaster.transform)


def _by_column(
    groups: list[InputGroup], past: np.ndarray, ahead: np.ndarray | None, std: float
) -> dict[str, np.ndarray]:
    """What each column adds to each step (K,), its past and what is known ahead of it apart."""
    terms = {}
    for group in groups:
        if group.past:
            terms[f"past of {group.name}"] = std * past[:, :, list(group.past)].sum(axis=(1, 2))
        if group.ahead and ahead is not None:
            terms[f"{group.name} (known ahead)"] = std * ahead[0][:, :, list(group.ahead)].sum(axis=(1, 2))
    return terms


def joined_terms(found: Decomposed, most: int) -> dict[str, np.ndarray]:
    """The terms, the smallest of many added up as `other columns`: at most `most`."""
    names = sorted(found.terms, key=lambda name: -float(np.abs(found.terms[name]).mean()))
    kept = {"level", "constant", *[n for n in names if n not in ("level", "constant")][: most - 3]}
    if len(found.terms) <= most:
        return dict(found.terms)
    terms = {name: values for name, values in found.terms.items() if name in kept}
    rest = np.sum([values for name, values in found.terms.items() if name not in kept], axis=0)
    return {**{n: v for n, v in terms.items() if n != "constant"}, "other columns": rest, "constant": terms["constant"]}
