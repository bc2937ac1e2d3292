"""Models that were scored on fewer windows than the others: their scores are told, and compared with no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqloom_runtime.errors import brief

from .saved import is_forecast, ordered_models
from .wording import whole

__all__ = ["comparable", "fewer_windows", "fewer_windows_told"]

_NAMED = 3


def fewer_windows(metrics: Mapping[str, Any], split: str) -> dict[str, int]:
    """Windows of the forecast models that were scored on fewer than another one, of those scored at all."""
    if not is_forecast(metrics):
        return {}
    counts = {name: metrics["models"][name][split].get("windows") for name in ordered_models(metrics)}
    known = {name: count for name, count in counts.items() if isinstance(count, int) and count > 0}
    most = max(known.values(), default=0)
    return {name: count for name, count in known.items() if count < most}


def comparable(metrics: Mapping[str, Any], split: str, values: Sequence[float | None]) -> list[float | None]:
    """The values of a column, one a model in the order of `ordered_models`, without those that no other can be held
    against."""
    fewer = fewer_windows(metrics, split)
    return [None if name in fewer else value for name, value in zip(ordered_models(metrics), values)]


def fewer_windows_told(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    """What the mark beside a model says, in words; "" where no model has it."""
    told = []
    for split, where in (("valid", "validation"), ("test", "test")):
        fewer = {name: count for name, count in fewer_windows(metrics, split).items() if name in names}
        if fewer:
            most = max(metrics["models"][name][split].get("windows") or 0 for name in metrics["models"])
            each = [f"{brief(name, 60)} on {whole(count)}" for name, count in list(fewer.items())[:_NAMED]]
            more = [f"{len(fewer) - _NAMED} more"] if len(fewer) > _NAMED else []
            told.append(f"{', '.join([*each, *more])} of the {whole(most)} {where} windows")
    return f"† scored on fewer windows, and so without a star: {'; '.join(told)}" if told else ""
