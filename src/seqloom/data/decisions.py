"""What was decided while data was read, and how to have it otherwise: one sentence each, for screen and record."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decision"]


@dataclass(frozen=True)
class Decision:
    """One thing that could have been read in another way: `what` names its kind ("time-format", "joined", "snapped",
    "resampled", …), `text` is a whole sentence that says what was done and what to type otherwise."""

    what: str
    text: str

    def to_json(self) -> dict[str, str]:
        """The fields as JSON values."""
        return {"what": self.what, "text": self.text}
