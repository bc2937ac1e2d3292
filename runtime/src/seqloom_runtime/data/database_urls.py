"""URLs of databases, and what of them may be shown: never a password."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..errors import printable

__all__ = ["is_database", "safe_name", "secrets_in"]

_URL = re.compile(r"(sqlite|duckdb|postgres(?:ql)?)://", re.IGNORECASE)
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)


def is_database(path: Any) -> bool:
    """Whether a path is the URL of a database."""
    return isinstance(path, str) and _URL.match(path) is not None


def safe_name(url: str) -> str:
    """A database's URL without its password and options, for messages and records.

    >>> safe_name("postgresql://ann:s3cret@db.example:5432/shop?sslmode=require")
    'postgresql://ann@db.example:5432/shop'
    """
    try:
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0].partition(":")[0]
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    return printable(f"{parts.scheme}://{user}{'@' if user else ''}{host}{parts.path}")


def secrets_in(url: str) -> list[str]:
    """Everything in a URL that may be a password, as it is written and decoded, the longest first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    password = parts.netloc.rpartition("@")[0].partition(":")[2]
    options = [value for key, value in parse_qsl(parts.query) if _SECRET.search(key)]
    own = [word for word in (password, *options, os.environ.get("PGPASSWORD", "")) if word]
    return sorted({form for word in own for form in (word, unquote(word), quote(word, safe=""))}, key=len, reverse=True)
