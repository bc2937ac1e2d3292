"""What a model said about examples: columns of equal length, with sentences about how they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Predicted"]


class Predicted(dict[str, Sequence[Any]]):
    """Name of a column → its values, a row for each example; `notes` holds a sentence for each choice of the reader.

    files: by the ending of a file's name what else than a table the predictions are written as: a function that gives
    the bytes, and sentences about them.

    >>> Predicted({"predicted": ["ham"]}, ["Each line is a text."]).notes
    ['Each line is a text.']
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence[Any]],
        notes: Sequence[str] = (),
        files: Mapping[str, Callable[[], tuple[bytes, Sequence[str]]]] | None = None,
    ) -> None:
        super().__init__(columns)
        self.notes = list(notes)
        self.files = dict(files or {})
