"""A tokenizer as a file holds it, back to the class that wrote it."""

from __future__ import annotations

from typing import Any

from ...errors import FormatError, shown
from .characters import CharTokenizer
from .subword import SubwordTokenizer
from .tokenizer import Tokenizer
from .words import WordTokenizer

__all__ = ["load_tokenizer"]

# By the name in the file: no class is ever looked up by what a file says.
_KINDS: dict[str, type[Tokenizer]] = {kind.kind: kind for kind in (CharTokenizer, SubwordTokenizer, WordTokenizer)}


def load_tokenizer(value: Any) -> Tokenizer:
    """The tokenizer whose `to_json` gave `value`; raises FormatError for an unknown kind or damaged values."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise FormatError(
            f"tokenizer: expected an object with 'kind' one of {', '.join(sorted(_KINDS))}, got {shown(kind)}."
        )
    return _KINDS[kind].from_json(value)
