"""The source of a fuzzer's choices: ordinary values, and now and then one that no honest file holds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

__all__ = ["TOKENS", "Wild", "damage_bytes"]

T = TypeVar("T")

COUNTS = (
    0, 1, 2, -1, 7, 127, 128, 255, 256, 32767, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 10**12, 2**53,
    2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30,
)  # fmt: skip
NUMBERS = (
    "nan", "inf", "-inf", "1e400", "-1e400", "1e-400", "-0", "+5", "1_000", "٣٤", "0x1F", "1,5", "1.5.2", "--3", "1e",
    "e5", ".", "", " ", "9" * 400, "1" + "0" * 5000, "5 %", "1 000", "−3", "NULL", "true", "#N/A", "1e308",
    "1.7976931348623159e308", "½",
)  # fmt: skip
TEXTS = (
    "", " ", "\t", "\0", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff",
    "\U0001f468\u200d\U0001f469", "é", "e\u0301", "'", '"', '""', "\\", "a" * 300, "=1+1", "../../etc/passwd",
    "__proto__", "[red]", "{}", "%s%n", "</script>",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "null", "nan", "id", "time", "text", "label",
    "2024-13-45", "0000-00-00", "9999-12-31T23:59:60Z", "-DOCSTRING-", "BOS", "O", "B-",
)  # fmt: skip
TIMES = (
    "2024-02-30", "2024-01-01T24:00", "24:00", "1e9", "99999999999999", "-1", "0", "0001-01-01", "9999-12-31",
    "10000-01-01", "2024-01-01T00:00:00+99:99", "2024-01-01 00:00:00.123456789012", "2024-W01", "1. Januar",
    "01/02/03", "2024-01-01T00:00:00Z", "262143-12-31", "-262144-01-01",
)  # fmt: skip
TOKENS = (
    b'"', b'""', b"\n", b"\r\n", b"\r", b"\0", b",", b";", b"\t", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf",
    b"\xc3\x28", b"\xed\xa0\x80", b"PAR1", b"ARROW1", b"PK\x03\x04", b"\x1f\x8b", b"\x93NUMPY", b"\x80\x04", b"BZh",
    b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"1e400", b"nan", b"NaN", b"Infinity", b"-9999", b"\x00\x00\x08\x03",
    b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\xff\xff\xff\xff\x0f", b"\\u0000",
    b"\\ud800", b"null", b"true", b"{}", b"[]", b" ", b"  ", b"\x1a", b"\x01", b"\x1b[31m",
)  # fmt: skip


class Wild(random.Random):
    """A generator of random choices in which a fraction `wildness` of the values asked for are extreme."""

    def __init__(self, seed: Any, wildness: float = 0.0) -> None:
        super().__init__(seed)
        self.wildness = wildness

    @property
    def strays(self) -> bool:
        """Whether this value shall be an extreme one."""
        return self.wildness > 0 and self.random() < self.wildness

    def of(self, value: T, extremes: Sequence[Any]) -> T | Any:
        """`value`, or one of `extremes`."""
        return self.choice(extremes) if self.strays else value

    def count(self, value: int, bits: int = 64, signed: bool = False) -> int:
        """A whole number that a field of so many bits can hold."""
        if not self.strays:
            return value
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        found = self.choice((value + 1, value - 1, value * 2, -value, self.getrandbits(bits), *COUNTS))
        return min(max(found, low), high)

    def number(self) -> str:
        """A number as text."""
        return self.choice(NUMBERS) if self.strays else f"{self.gauss(0, 50):.{self.randrange(4)}f}"

    def word(self, length: int = 5) -> str:
        """A word of small letters."""
        plain = "".join(self.choices("abcdefgh", k=self.randint(1, length)))
        return self.choice(TEXTS) if self.strays else plain

    def time(self, row: int) -> str:
        """An hour of the year 2024 as ISO 8601."""
        return self.choice(TIMES) if self.strays else f"2024-01-{row // 24 % 28 + 1:02d}T{row % 24:02d}:00"


def damage_bytes(draw: random.Random, data: bytes, times: int) -> bytes:
    """`data` with so many random changes: flips, cuts, pieces repeated, moved or put in from a list."""
    found = bytearray(data)
    for _ in range(times):
        at = draw.randrange(len(found) + 1)
        length = min(draw.choice((1, 1, 2, 4, 8, 64, 512)), len(found) - at)
        kind = draw.randrange(7)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and at < len(found):
            found[at] = draw.choice((0, 1, 10, 34, 44, 127, 128, 255, draw.randrange(256)))
        elif kind == 2:
            del found[at : at + length]
        elif kind == 3:
            del found[at:]
        elif kind == 4:
            found[at:at] = draw.choice(TOKENS)
        elif kind == 5 and length and len(found) < 1 << 20:
            found[at:at] = found[at : at + length] * draw.choice((1, 2, 300))
        else:
            other = draw.randrange(len(found) + 1)
            found[at : at + length] = found[other : other + length]
    return bytes(found)
