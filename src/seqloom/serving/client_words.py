"""Sentences of the library in the words of a client, who has a request and no Python."""

from __future__ import annotations

import re

__all__ = ["in_client_words"]

_CLAUSES = (
    # The ways out that only whoever trains has.
    (r"\bName the columns to use \(columns=\), or put\b", "Put"),
    (r",? or (?:fit with|carry the last known value forward with) fill_future='carry'(?:, which [^.;]*)?", ""),
    (r"[;,] (?:or )?(?:say|try) [a-z_]+='[^']*'(?: or [a-z_]+='[^']*')?[^;.]*", ""),
    (r"; (?:name|another form)\b[^;.()]*\([a-z_]+=\)(?:, \([a-z_]+=\))*[^;.]*", ""),
    (r" \([a-z_]+='?[\w.,-]*'?\)", ""),
)


def in_client_words(sentence: str) -> str:
    """The sentence without the parameters of Python: a client can change what it sends, not how the model was trained.

    >>> in_client_words("body: no row; name the time column (time=).")
    'body: no row.'
    >>> in_client_words("Name the columns to use (columns=), or put the number there.")
    'Put the number there.'
    >>> in_client_words("byte 0xFF is not utf-8 text; try encoding='cp1251', which reads 'яю' (Cyrillic).")
    'byte 0xFF is not utf-8 text.'
    >>> in_client_words("add the rows with the target left empty, or fit with fill_future='carry', which carries on.")
    'add the rows with the target left empty.'
    >>> in_client_words("value: expected a number, got 'a=b'.")
    "value: expected a number, got 'a=b'."
    """
    for pattern, instead in _CLAUSES:
        sentence = re.sub(pattern, instead, sentence)
    return sentence
