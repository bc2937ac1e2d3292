"""Scores of forecasts on the validation and test windows, each beside the naive forecast of the same windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...diagnostics import SCORES, by_step, by_time_of_day, coverage, mae, mean_width, score
from .windowed import ForecastData

__all__ = ["Scores", "statements"]


@dataclass(frozen=True, eq=False)
class Scores:
    """What scoring any model needs; `naive` holds its forecasts (N, K) of each part, in the target's unit."""

    data: ForecastData
    mase_scale: float | None
    naive: dict[str, np.ndarray]

    def part(self, name: str) -> np.ndarray:
        """The origins of `valid` or `test`."""
        return self.data.valid if name == "valid" else self.data.test

    def of(self, part: str, forecasts: np.ndarray, radii: dict[str, np.ndarray]) -> dict[str, Any]:
        """The scores of one model on one part, as JSON values.

        Windows that it could not forecast (NaN) are not counted; skill compares with naive on the same windows.
        """
        origins = self.part(part)
        scored = np.isfinite(forecasts).all(axis=1)
        if not scored.any():
            return {
                **dict.fromkeys(name for name, entry in SCORES.items() if "forecasts" in entry.measures),
                "windows": 0,
            }
        truth, forecast = self.data.truth(origins)[scored], forecasts[scored]
        result: dict[str, Any] = score(
            truth,
            forecast,
            target_scale=self.data.std[origins][scored][:, None],
            mase_scale=self.mase_scale,
            baseline_mae=mae(truth, self.naive[part][scored]),
        )
        if part == "test" and radii:
            result["coverage"] = {k: coverage(truth, forecast - r, forecast + r) for k, r in radii.items()}
            result["width"] = {k: mean_width(forecast - r, forecast + r) for k, r in radii.items()}
        return result

    def against_naive(self, forecasts: np.ndarray) -> float:
        """MAE over naive's MAE on the choosing windows that the model could forecast; below 1 is better, inf for none.

        A ratio, so that a model which can't forecast every window is not judged on easier ones than the others.
        """
        choose = np.isin(self.data.valid, self.data.choose)
        choose &= np.isfinite(forecasts).all(axis=1)
        if not choose.any():
            return float("inf")
        truth = self.data.truth(self.data.valid[choose])
        error, reference = mae(truth, forecasts[choose]), mae(truth, self.naive["valid"][choose])
        if reference > 0:
            return error / reference
        return 1.0 if error == 0 else float("inf")

    def by_step(self, valid: np.ndarray, test: np.ndarray) -> dict[str, Any]:
        """Mean absolute error by step ahead."""
        steps = self.data.spec.steps
        result: dict[str, Any] = {"steps": [int(step) for step in steps]}
        for part, forecasts in (("valid", valid), ("test", test)):
            scored = np.isfinite(forecasts).all(axis=1)
            truth = self.data.truth(self.part(part))
            none = [None] * len(steps)
            result[f"{part}_mae"] = by_step(truth[scored], forecasts[scored], steps)["mae"] if scored.any() else none
        return result

    def by_time_of_day(self, valid: np.ndarray, test: np.ndarray) -> dict[str, Any] | None:
        """Mean absolute error by the local hour of the forecast row, or None where rows are a day or more apart."""
        history = self.data.history
        if history.slot is None or history.slots_per_day is None or history.slots_per_day < 2:
            return None
        bins = min(24, history.slots_per_day)
        result: dict[str, Any] = {}
        for part, forecasts in (("valid", valid), ("test", test)):
            scored = np.isfinite(forecasts).all(axis=1)
            origins = self.part(part)[scored]
            result[f"{part}_mae"] = [None] * bins
            if len(origins):
                slots = history.slot[origins[:, None] + self.data.spec.steps]
                errors = by_time_of_day(
                    self.data.truth(origins), forecasts[scored], slots, history.slots_per_day, bins=bins
                )
                result |= {"minutes": errors["minutes"], f"{part}_mae": errors["mae"]}
        return {"minutes": result.pop("minutes"), **result} if "minutes" in result else None


def statements(models: dict[str, dict[str, Any]], best: str, baseline: str = "naive") -> list[str]:
    """One plain sentence per model: how it stands to the naive forecast on validation and on test, better or worse."""
    lines = []
    for name, scores in models.items():
        if name == baseline:
            continue
        valid, test = (_against(scores[part], baseline) for part in ("valid", "test"))
        if scores["valid"]["windows"] == scores["test"]["windows"] == 0:
            lines.append(f"{name} has no scored windows.")
            continue
        lines.append(
            f"{name}{' (best on validation)' if name == best else ''} {valid} on validation and {test} on test."
        )
    if best == baseline:
        lines.insert(
            0, f"No model did better than {baseline} on the validation rows that choose: use the {baseline} forecast."
        )
    return lines


def _against(scores: dict[str, Any], baseline: str) -> str:
    if not scores["windows"]:
        return "has no scored windows"
    value = scores["skill"]
    if value is None:  # naive makes no error at all, so there is no ratio
        return f"is level with {baseline}" if scores["mae"] == 0 else f"is worse than {baseline}, which makes no error,"
    percent = abs(value) * 100
    if percent < 0.5:
        return f"is level with {baseline}"
    return f"is {percent:.0f} % {'better' if value > 0 else 'worse'} than {baseline}"
