"""How the rows of a table on disk are read: the arguments of `Panel.from_frame` that apply to tables of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ...errors import SettingError, shown
from ..frequency import Frequency

__all__ = ["HowRead"]


@dataclass(frozen=True)
class HowRead:
    """The arguments of `Panel.from_frame` of these names; `columns` None reads every column of numbers."""

    time: str | None = None
    id: str | None = None
    columns: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    zone: str | None = None
    missing: tuple[float, ...] = ()
    max_fill: int = 24
    time_format: str | None = None
    resample: str | None = None
    aggregate: str = "mean"
    duplicates: str | None = None
    holidays: str | None = None
    fill: str = "carry"
    season: int | float | str | None = None
    frequency: Frequency | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """From arguments by name; raises SettingError for one that tables on disk have not."""
        known = {field.name for field in fields(cls)}
        for name, value in arguments.items():
            if name not in known and value:
                raise SettingError(f"{name}: a panel on disk holds columns of numbers alone, got {shown(value)}.")
        held = {name: value for name, value in arguments.items() if name in known}
        for name in ("columns", "keep", "target", "missing"):
            if held.get(name) is not None:
                held[name] = tuple(held[name])
        for name in ("time", "id"):
            if held.get(name) is not None and not isinstance(held[name], str):
                held[name] = ",".join(held[name])
        return cls(**held)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {**found, "frequency": None if self.frequency is None else self.frequency.to_json()}
