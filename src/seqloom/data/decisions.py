"""What was decided where a table, a text or a column of times could be read in more than one way, as plain records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["SETTING", "Decision"]

SETTING = "setting"


@dataclass(frozen=True)
class Decision:
    """One thing that was decided while reading.

    `what` is a short word such as "header", "separator", "decimal" or "time order"; `text` one whole sentence that says
    what was done and, where there is another way, what to type for it; `column` the column that it is about, None for
    the whole file; `option` the keyword that settles it otherwise, such as "decimal", None where none does.
    `SETTING` is the word for a parameter that was not given and was chosen for the table.
    """

    what: str
    text: str
    column: str | None = None
    option: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, for data.json."""
        return asdict(self)
