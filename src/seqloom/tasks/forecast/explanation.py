"""What explains a forecaster's forecasts: importance of columns, attribution by lag, a linear forecast taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np

from seqloom_runtime.errors import shown

from .decomposing import Decomposed, joined_terms

__all__ = ["Explanation"]

_LAG_COLUMNS = 8  # whose lags are written
_TERMS = 10
_LEAST_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which columns (C) and lags (L) a network's forecasts rest on, over windows that neither trained nor tested it.

    columns: names, those whose permutation raises the error most first. error: mean absolute error of the windows;
    rise (C,): how far it rises where the column's values come from other windows, the mean over permutations; spread
    (C,): their standard deviation; NaN of a column that was not permuted. block: windows that change places together;
    season_kept: whether it is a season, so that what a column says of the season stays. attribution (C,): mean
    |integrated gradient| of the forecast, over windows and `steps`; ahead (C,): that of the values known ahead; by_lag
    (C, L): that of the past by lag; lags (L,): rows before the last known row. All in `unit` (None: the target's own),
    attributions with a transform (`scale`) in that of the transformed target. gap: the share by which attributions miss
    the change of the forecast. decomposed: for the linear models, the forecast of each series past the end in terms
    that add up to it. notes: where the newest rows drift.
    """

    model: str
    columns: tuple[str, ...]
    error: float
    rise: np.ndarray
    spread: np.ndarray
    attribution: np.ndarray
    ahead: np.ndarray
    by_lag: np.ndarray
    lags: np.ndarray
    steps: tuple[int, ...]
    windows: int
    permutations: int
    block: int
    season_kept: bool
    gap: float
    unit: str | None = None
    scale: str | None = None
    decomposed: tuple[Decomposed, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, np.ndarray]:
        """A row for each column, ready for `pandas.DataFrame` or `polars.DataFrame`: column, rise, spread, rise_share
        (of the error), attribution, share (of all columns' attribution)."""
        return {
            "column": np.array(self.columns, dtype=object),
            "rise": self.rise,
            "spread": self.spread,
            "rise_share": self._over(self.rise, self.error),
            "attribution": self.attribution,
            "share": self._over(self.attribution, float(self.attribution.sum())),
        }

    def lag_table(self) -> dict[str, np.ndarray]:
        """A row for each lag: lag, and the mean |attribution| of each column there under the column's name."""
        return {"lag": self.lags, **dict(zip(self.columns, self.by_lag))}

    @staticmethod
    def _over(values: np.ndarray, whole: float) -> np.ndarray:
        return values / whole if whole > 0 else np.full(len(values), np.nan)

    def statement(self) -> str | None:
        """Which columns mattered, in a sentence; None where there is but one, or none was permuted."""
        known = [at for at in range(len(self.columns)) if np.isfinite(self.rise[at])]
        if len(known) < 2 or not self.error > 0:
            return None
        least = max(_LEAST_SHARE * self.error, 0.05 * float(np.nanmax(self.rise)))
        clear = [at for at in known if self.rise[at] > max(self.spread[at], least)][:3]
        head = f"{self.model}: on the windows that choose, the error"
        if not clear:
            return f"{head} rises no further with any one column permuted than permutations differ: none stands out."
        said = [f"{shown(self.columns[at])} ({100 * self.rise[at] / self.error:+,.0f} %)" for at in clear]
        idle = sum(abs(self.rise[at]) <= _LEAST_SHARE * self.error for at in known)
        rest = f"; {idle} of {len(known)} columns change it by less than 1 %" if idle else ""
        listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
        return f"{head} rises most with {listed} permuted{rest}."

    def to_json(self) -> dict[str, Any]:
        """As JSON values, None for NaN: what metrics.json holds under `explained`."""
        rows = []
        for at, name in enumerate(self.columns):
            row: dict[str, Any] = {"name": name, "rise": _number(self.rise[at]), "spread": _number(self.spread[at])}
            row |= {"attribution": _number(self.attribution[at]), "ahead": _number(self.ahead[at])}
            rows.append(row)
        drawn = sorted(np.argsort(-self.by_lag.sum(axis=1), kind="stable")[:_LAG_COLUMNS].tolist())
        scores = [
            {"name": self.columns[at], "values": [_number(v) for v in self.by_lag[at]]}
            for at in drawn
            if self.by_lag[at].any()
        ]
        return {
            "model": self.model,
            "unit": self.unit,
            "scale": self.scale,
            "error": _number(self.error),
            "windows": self.windows,
            "permutations": self.permutations,
            "block": self.block,
            "season_kept": self.season_kept,
            "steps": list(self.steps),
            "gap": _number(self.gap),
            "columns": rows,
            "lags": self.lags.tolist(),
            "by_lag": scores,
            "decomposed": self.decomposed_json(self.decomposed),
        }

    @staticmethod
    def decomposed_json(parts: Iterable[Decomposed]) -> list[dict[str, Any]]:
        """Forecasts taken apart, the smallest of many terms added up, as JSON values."""
        return [replace(each, terms=joined_terms(each, _TERMS)).to_json() for each in parts]

    def _repr_html_(self) -> str:
        """The table of columns with bars, and the bars of the lags, for a notebook."""
        table = self.to_dict()
        top = max(float(np.nanmax(self.rise, initial=0.0)), 1e-300)
        rows = []
        for at, name in enumerate(self.columns):
            width = 0 if not self.rise[at] > 0 else round(120 * float(self.rise[at]) / top)
            bar = f'<div style="background:#026cac;height:0.7em;width:{width}px"></div>'
            spread = "" if not np.isfinite(self.rise[at]) else f"{self.rise[at]:.4g} ± {self.spread[at]:.2g}"
            rows.append(
                f"<tr><td>{escape(name)}</td><td>{bar}</td><td>{spread}</td><td>{table['share'][at]:.1%}</td></tr>"
            )
        head = "<tr><th>column</th><th colspan=2>rise of the error</th><th>share of attribution</th></tr>"
        said = f"<p>{escape(self.statement() or '')}</p>"
        return f"<div>{said}<table>{head}{''.join(rows)}</table>{self._lag_bars()}</div>"

    def _lag_bars(self) -> str:
        """A bar for each lag, the newest on the right, as a picture without any library."""
        total = self.by_lag.sum(axis=0)
        if len(total) < 2 or not total.any():
            return ""
        kept = np.unique(np.linspace(0, len(total) - 1, min(len(total), 200)).round().astype(int))
        each, high = 400 / len(kept), 60 / float(total.max())
        bars = []
        for place, lag in enumerate(kept):
            at, tall = 400 - (place + 1) * each, total[lag] * high
            box = f'x="{at:.2f}" y="{62 - tall:.2f}" width="{max(each - 0.5, 0.5):.2f}" height="{tall:.2f}"'
            said = f"{self.lags[lag]} rows before the last known: {total[lag]:.4g}"
            bars.append(f'<rect {box} fill="#026cac"><title>{said}</title></rect>')
        return f'<svg width="402" height="64" role="img" aria-label="attribution by lag">{"".join(bars)}</svg>'


def _number(value: Any) -> float | None:
    """A number with 6 digits, which is what the page shows; None where there is none."""
    return float(f"{float(value):.6g}") if np.isfinite(value) else None
