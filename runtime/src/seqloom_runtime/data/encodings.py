"""The bytes of a text as UTF-8; where they are in another encoding, which ones fit, each with a word of the text in
it."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter

from ..errors import DataError, SettingError, printable, shown, suggest
from ..limits import need_memory
from .decisions import Decision

__all__ = ["fitting_encodings", "utf8_text"]

_NO_FILES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem")
"""Codecs of Python that files of text are not written in."""
_PIECE = 1 << 24
_DECODED = 6  # bytes for one, while a text is decoded and written again as UTF-8
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TRIED = (
    *(
        ("cp949", "Korean"),
        ("cp932", "Japanese"),
        ("euc_jp", "Japanese"),
        ("gb18030", "Chinese"),
    ),
    *(("big5", "Traditional Chinese"),),
    *(("cp1251", "Cyrillic"), ("koi8_r", "Cyrillic"), ("cp1253", "Greek"), ("cp1255", "Hebrew"), ("cp1256", "Arabic")),
    *(
        ("cp874", "Thai"),
        ("cp1252", "Western Latin"),
        ("cp1250", "Central European Latin"),
        ("cp1254", "Turkish Latin"),
    ),
    *(
        ("cp1257", "Baltic Latin"),
        ("cp437", "DOS Latin"),
        ("mac_roman", "Macintosh Latin"),
        ("latin-1", "Western Latin"),
    ),
)
_SCRIPTS = {
    "Korean": ("HANGUL",),
    "Japanese": ("HIRAGANA", "KATAKANA", "CJK"),
    "Chinese": ("CJK",),
    "Traditional Chinese": ("CJK",),
    "Cyrillic": ("CYRILLIC",),
    "Greek": ("GREEK",),
    "Hebrew": ("HEBREW",),
    "Arabic": ("ARABIC",),
    "Thai": ("THAI",),
}
_COMMON = {
    "Korean": ("euc_kr", 0xB0, 0xC8),
    "Japanese": ("euc_jp", 0xA4, 0xCF),
    "Chinese": ("gb18030", 0xB0, 0xD7),
    "Traditional Chinese": ("big5", 0xA4, 0xC6),
}
"""The lead bytes of the characters that are in daily use."""
_MARKS = frozenset("°²³µ€£§©®±«»„“”‘’–—…·¿¡№₂×÷½¼¾′″。、「」（），：")
_LOOKED_AT = 1 << 16
_MOST_NAMED = 4
_FOREIGN = re.compile(rb"[\x80-\xff]")


def utf8_text(
    data: bytes,
    source: str,
    encoding: str = "utf-8",
    kinds: str = "CSV or Parquet",
    said: list[Decision] | None = None,
) -> bytes:
    """The text of `data` in UTF-8 without a byte order mark.

    A byte order mark of UTF-16 or UTF-32 is believed where `encoding` is the default, and appended to `said`. Raises
    DataError with the line and byte that `encoding` can't read and the encodings that fit, or where the data is no
    text; `kinds` says in messages what the file should be.
    """
    name = _text_encoding(encoding)
    wide = name.startswith(("utf-16", "utf-32"))
    marked = next((known for mark, known in _BOMS if data.startswith(mark)), None)
    if marked is not None and not wide:
        if name != "utf-8" or said is None:
            raise DataError(
                f"{source}: the text is in {marked.upper()}, not {encoding}; name it with encoding={marked!r}."
            )
        said.append(
            Decision("encoding", f"The text is in {marked.upper()}, as its first bytes say.", option="encoding")
        )
        name = encoding = marked
        wide = True
    sample = data[:65536]
    control = sum(sample.count(bytes([code])) for code in (*range(1, 9), *range(14, 32)))
    if not wide and (b"\0" in sample or control * 20 > len(sample)):
        raise DataError(f"{source}: expected text, this looks like a binary file; give a {kinds} file.")
    try:
        if name in ("utf-8", "ascii"):
            _check_plain(data, name)
            return data.removeprefix(codecs.BOM_UTF8)
        need_memory(_DECODED * len(data), f"{source}: its text", "Give a part of it.", error=DataError)
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeDecodeError as error:
        byte, line = data[error.start], data.count(b"\n", 0, error.start) + 1
        remedy = f"; {_candidates(data, error.start)}" if name == "utf-8" else ""
        raise DataError(
            f"{source}, line {line}: byte 0x{byte:02X} at position {error.start} is not {encoding} text{remedy}."
        ) from None
    except UnicodeError as error:
        raise DataError(f"{source}: the text is not in {encoding}: {printable(str(error))[:160]}.") from None


def fitting_encodings(data: bytes) -> list[tuple[str, str, str]]:
    """(encoding, what it is for, a word of the text in it) of the encodings in which `data`, which is not UTF-8, reads
    as letters; the likeliest first, one of those that read it alike."""
    piece = _around_foreign(data)
    words: dict[str, tuple[float, str, str, str]] = {}
    for position, (name, kind) in enumerate(_TRIED):
        try:
            text = piece.decode(name)
        except UnicodeDecodeError:
            continue
        score, word = _plausible(text, kind)
        score -= position / 1000
        if score > 0 and score > words.get(text, (0.0,))[0]:
            words[text] = (score, name, kind, word)
    found = sorted(words.values(), reverse=True)
    best = found[0][0] if found else 0.0
    return [(name, kind, word) for score, name, kind, word in found if score > best - 0.35][:_MOST_NAMED]


def _candidates(data: bytes, start: int) -> str:
    found = fitting_encodings(data)
    if not found:
        return "try encoding='latin-1'"
    if len(found) == 1:
        name, kind, word = found[0]
        return f"try encoding={name!r}, which reads {shown(word, 20)} ({kind})"
    listed = ", ".join(f"{name!r} ({kind}: {shown(word, 20)})" for name, kind, word in found)
    return f"these encodings fit: {listed}; name the right one with encoding={found[0][0]!r}"


def _around_foreign(data: bytes) -> bytes:
    """Whole lines that hold other bytes than ASCII, up to a bound."""
    pieces, size = [], 0
    for line in data[: 1 << 24].split(b"\n"):
        if _FOREIGN.search(line):
            pieces.append(line.rstrip(b"\r"))
            size += len(line)
            if size > _LOOKED_AT:
                break
    return b"\n".join(pieces)


def _plausible(text: str, kind: str) -> tuple[float, str]:
    """How much the characters beyond ASCII look like what the encoding is for, from 0, and the first word of them."""
    foreign = [character for character in text if ord(character) > 127][:5000]
    if not foreign or any(unicodedata.category(character) in ("Cc", "Cn", "Co") for character in foreign):
        return 0.0, ""
    counts = Counter(_sort_of(character, kind) for character in foreign)
    words = [w for w in re.findall(r"[^\W\d_]+", text[:20_000]) if any(ord(character) > 127 for character in w)]
    mixed = sum(any(character.isascii() for character in word) for word in words) / max(len(words), 1)
    latin = kind not in _SCRIPTS
    score = (counts["own"] + 0.6 * counts["mark"] + 0.2 * counts["rare"] - counts["odd"]) / len(foreign)
    if words:
        short = sum(map(len, words)) < 2 * len(words)
        # A Latin word is not made of accents alone, one of another script has no Latin letters and more than one
        # letter.
        score += 0.4 * (2 * mixed - 1) if latin and not short else 0.0 if latin else -0.4 * (mixed + short)
        if any(word[0].islower() and not word.islower() for word in words):
            score -= 0.4
    shown_word = next(
        (w for w in re.findall(r"[^\s,;|\t\"]+", text) if any(ord(character) > 127 for character in w)), ""
    )
    return max(score + 0.05 * (kind == "Western Latin"), 0.0), shown_word


def _sort_of(character: str, kind: str) -> str:
    """Whether a character is one that texts of this kind are made of: own, rare, a mark of any kind, or odd."""
    if character in _MARKS:
        return "mark"
    name = unicodedata.name(character, "")
    if kind not in _SCRIPTS:
        return "odd" if not name.startswith("LATIN") else "own" if "SMALL" in name else "mark"
    if name.startswith("HALFWIDTH") or not name.startswith(_SCRIPTS[kind]):
        return "odd"
    if kind in _COMMON:
        codec, first, last = _COMMON[kind]
        try:
            return "own" if first <= character.encode(codec)[0] <= last else "rare"
        except UnicodeEncodeError:
            return "rare"
    return "own" if not character.isupper() else "mark"


def _text_encoding(encoding: str) -> str:
    """The name that Python gives an encoding of text; raises SettingError for what is none."""
    try:
        found = codecs.lookup(encoding)
        known = found._is_text_encoding and found.name not in _NO_FILES
    except (LookupError, TypeError, ValueError):
        known, found = False, None
    if found is None or not known:
        near = suggest(str(encoding), ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "iso-8859-15", "cp949"])
        raise SettingError(
            f"encoding: expected the name of a text encoding such as 'utf-8' or 'cp1252', got {shown(encoding)}.{near}"
        )
    return found.name


def _check_plain(data: bytes, name: str) -> None:
    """Raise UnicodeDecodeError, with its place in all of `data`, where it is not UTF-8 or ASCII; a piece at a time, as
    the decoded text takes up to four times the room."""
    if data.isascii():
        return
    start = 0
    while start < len(data):
        end = start + _PIECE
        while end < len(data) and data[end] & 0xC0 == 0x80 and end > start + _PIECE - 4:
            end -= 1  # not in the middle of a character
        try:
            data[start:end].decode(name)
        except UnicodeDecodeError as error:
            raise UnicodeDecodeError(name, data, start + error.start, start + error.end, error.reason) from None
        start = end
