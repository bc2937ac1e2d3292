"""What the forecasts are held to, and what the kept rows say of it: met, missed, or not measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from .etth2 import HORIZONS
from .results import Results
from .small import STATISTICAL
from .steps import CELLS
from .summary import means_by_table, small_summary
from .tables import SMALL

__all__ = ["Goal", "goals"]

DEFAULT, BEST = "seqloom", "seqloom --preset best"
PEERS = ("neuralforecast ", "darts ")


@dataclass(frozen=True)
class Goal:
    """One goal: what is measured, its bounds, and the value, None where nothing was measured."""

    what: str
    low: float | None
    high: float | None
    value: float | None

    @property
    def met(self) -> bool | None:
        """Whether the value lies in the bounds; None where there is none."""
        if self.value is None:
            return None
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        return f"≤ {self.high:g}" if self.high is not None else f"≥ {self.low:g}"


def goals(results: Results) -> Iterator[Goal]:
    """Every goal, in the order of the page."""
    yield from _small(results)
    yield from _m4(results)
    yield from _etth2(results)
    yield from _runs(results)
    yield from _intervals(results)
    for cell in CELLS:
        ratios = [
            row["scores"]["ratio"] for row in results.of(f"steps-{cell}") if not row["window"].startswith("seqloom")
        ]
        faster = min(ratios) if len(ratios) > 1 else None
        yield Goal(f"100 steps of a {cell.upper()}: the faster peer's time over ours", 3, None, faster)


def _small(results: Results) -> Iterator[Goal]:
    errors = {name: means_by_table(results, name, SMALL) for name in (*STATISTICAL, DEFAULT)}
    found = small_summary({name: each for name, each in errors.items() if each})["relative"].get(DEFAULT)
    single, hindsight, worst = found[1:] if found else (None, None, None)
    which = f"{found[0] if found else 0} of {len(SMALL)} small tables, default"
    yield Goal(f"{which}: MAE over that of the best single statistical method", None, 0.95, single)
    yield Goal(f"{which}: MAE over that of the best method of each", None, 1.03, hindsight)
    yield Goal("small tables, default: the worst of these ratios", None, 1.3, worst)
    seconds = [row["cpu"] for table in SMALL for row in results.of(table, DEFAULT) if "cpu" in row]
    yield Goal("small tables, default: seconds of the slowest forecast", None, 40, max(seconds, default=None))


def _m4(results: Results) -> Iterator[Goal]:
    limits = {DEFAULT: (6.5, 2.10, 180), BEST: (6.1, 1.90, 300)}
    for method, (smape, mase, seconds) in limits.items():
        rows = results.of("m4_weekly", method)
        yield Goal(f"M4 weekly, {method}: sMAPE", None, smape, _mean(rows, "smape"))
        yield Goal(f"M4 weekly, {method}: MASE", None, mase, _mean(rows, "mase"))
        slowest = max((row["cpu"] for row in rows if "cpu" in row), default=None)
        yield Goal(f"M4 weekly, {method}: seconds", None, seconds, slowest)


def _etth2(results: Results) -> Iterator[Goal]:
    limits = {(24, DEFAULT): (0.066, 0.191), (96, DEFAULT): (0.13, 0.278)}
    limits |= {(24, BEST): (0.064, 0.186), (96, BEST): (0.126, 0.273)}
    for (horizon, method), (mse, mae) in limits.items():
        rows = results.of(f"etth2-{horizon}", method)
        yield Goal(f"ETTh2, {horizon} h, {method}: MSE", None, mse, _mean(rows, "mse"))
        yield Goal(f"ETTh2, {horizon} h, {method}: MAE", None, mae, _mean(rows, "mae"))
    for horizon in HORIZONS:
        name = f"etth2-{horizon}"
        methods = results.methods([name])
        peers = _lowest(results, name, [method for method in methods if method.startswith(PEERS)])
        own = _mean(results.of(name, DEFAULT), "mse")
        ratio = own / peers if own is not None and peers is not None else None
        yield Goal(f"ETTh2, {horizon} h, default: MSE over that of the best peer", None, 1.02, ratio)
        last = _mean(results.of(name, "last value"), "mse")
        ours = [_mean(results.of(name, method), "mse") for method in methods if method.startswith("seqloom --model")]
        worst = max((value for value in ours if value is not None), default=None)
        ratio = worst / last if worst is not None and last is not None else None
        yield Goal(f"ETTh2, {horizon} h, our worst single model: MSE over that of the last value", None, 1, ratio)


def _runs(results: Results) -> Iterator[Goal]:
    worst = _highest(results.of("co2-run", "seqloom --model gru"))
    yield Goal("CO2, GRU: test MAE of the worst seed", None, 0.55, worst)
    for model in ("linear", "gru"):
        worst = _highest(results.of("case-55", f"seqloom --model {model}"))
        yield Goal(f"200 days with a promotion, {model}: test MAE of the worst seed", None, 1, worst)


def _intervals(results: Results) -> Iterator[Goal]:
    bounds = {"80": (76, 84), "95": (92, 97)}
    for name in ("co2", "jena", "etth2", "m4_weekly"):
        rows = results.of(f"intervals-{name}", DEFAULT)
        for level, (low, high) in bounds.items():
            inside = _mean(rows, f"within_{level}")
            yield Goal(f"rolling origins, {name}: percent inside the {level} % interval", low, high, inside)
        if name == "m4_weekly":
            poor = _mean(rows, "below_half_80")
            yield Goal("rolling origins, m4_weekly: percent of series below half the level", None, 10, poor)


def _mean(rows: Sequence[dict], score: str) -> float | None:
    values = [row["scores"][score] for row in rows if score in row["scores"]]
    return fmean(values) if values else None


def _highest(rows: Sequence[dict]) -> float | None:
    return max((row["scores"]["mae"] for row in rows), default=None)


def _lowest(results: Results, dataset: str, methods: Sequence[str]) -> float | None:
    values: list[float | None] = [_mean(results.of(dataset, method), "mse") for method in methods]
    return min((value for value in values if value is not None), default=None)
