"""What a comparison says of its chosen model: what it rests on, and where the newest rows drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .decomposing import decompose
from .drift import drift_notes
from .explaining import Extent, columns_told, explain, explained_member
from .explanation import Explanation
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["ExplainedRun"]


@dataclass(frozen=True, eq=False)
class ExplainedRun:
    """The explanation of the chosen model, as it was scored (None where it is no network), and notes to tell."""

    member: str
    found: Explanation | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, best: Forecaster, data: ForecastData) -> ExplainedRun:
        """Explain the fitted model, or the best network of an ensemble, by the windows that choose."""
        member = explained_member(best)
        if member is None:
            return cls("", None, tuple(drift_notes(data, columns_told(best))))
        name = member[0]
        found = explain(best, data, Extent(seed=best.seed))
        statement = found.statement()
        return cls(name, found, (*([] if statement is None else [statement]), *found.notes))

    def to_json(self, final: Forecaster | None) -> dict[str, Any]:
        """`explained` of metrics.json, or nothing; a linear forecast is taken apart as the `final` model made it."""
        if self.found is None:
            return {}
        found = self.found.to_json()
        if final is not None:
            member = explained_member(final)
            same = member is not None and member[0] == self.member
            found["decomposed"] = Explanation.decomposed_json(decompose(member[1])) if member and same else []
        return {"explained": found}
