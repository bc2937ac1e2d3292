"""Bearer tokens: who may ask. They are compared in constant time and written nowhere."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from seqloom_runtime.errors import SettingError, shown

from .problem import Problem

__all__ = ["VARIABLE", "Tokens"]

VARIABLE = "SEQLOOM_TOKENS"
_LEAST = 16
_LARGEST_FILE = 1 << 20


class Tokens:
    """The tokens that are accepted, as digests; without any everybody may ask."""

    def __init__(self, tokens: list[str]) -> None:
        # Digests of one length: comparing tells not even how long a token is.
        self._digests = [_digest(token) for token in tokens]

    @classmethod
    def read(cls, file: Path | None, environment: Mapping[str, str] = os.environ) -> Tokens:
        """Those of a file, one a line (# begins a comment), and of the variable SEQLOOM_TOKENS, with commas between.

        Raises SettingError for a file that can't be read, or a token that is too short to be one.
        """
        found: list[str] = []
        if file is not None:
            try:
                if file.stat().st_size > _LARGEST_FILE:
                    raise SettingError(f"token_file: {file} is no list of tokens, it is too large.")
                text = file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as fault:
                why = getattr(fault, "strerror", None) or "it is no text"
                raise SettingError(f"token_file: {shown(str(file))} can't be read ({why.lower()}).") from None
            lines = (line.strip() for line in text.splitlines())
            found = [line for line in lines if line and not line.startswith("#")]
            if not found:
                raise SettingError(f"token_file: {file} holds no token; write one a line, or leave the option out.")
        found += [token.strip() for token in environment.get(VARIABLE, "").split(",") if token.strip()]
        for at, token in enumerate(found):
            if len(token) < _LEAST or not token.isascii() or any(mark.isspace() for mark in token):
                raise SettingError(
                    f"Token {at + 1}: expected at least {_LEAST} letters, digits or marks without spaces; make one by "
                    "python -c 'import secrets; print(secrets.token_urlsafe(32))'."
                )
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, authorization: bytes | str | None) -> bytes:
        """The digest of the bearer, b"" where none is needed; raises Problem for no token or another one."""
        if not self._digests:
            return b""
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization or ""
        scheme, _, token = text.partition(" ")
        given = _digest(token.strip())
        # All of them, however early one fits.
        fits = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(fits):
            raise Problem(
                401, "A token is needed: send the header 'Authorization: Bearer TOKEN' with one that is valid."
            )
        return given


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
