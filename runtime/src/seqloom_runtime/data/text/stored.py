"""Running text that is never in memory whole: a part of a file read a piece at a time, its token ids kept on disk.

The tokens are those of `Corpus` over the same bytes. The ids are written once for a vocabulary, as int32 in a temporary
folder that goes with the object, and read through a memory map, so that memory holds pieces and the vocabulary alone.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..decisions import Decision
from ..sources import source_name
from .corpus import Corpus, chosen_level
from .spaced import join_characters, joined_or_kept
from .vocabulary import Vocabulary

__all__ = ["LARGE", "TextFile", "large_text"]

LARGE = 1 << 27
"""Bytes from which a file is read a piece at a time: 128 MiB."""

_PIECE = 1 << 22  # bytes
_FEW_LINES = 10
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")


def large_text(path: str | os.PathLike[str], encoding: str = "utf-8") -> bool:
    """Whether a file is so large, and so plain, that it is read a piece at a time: UTF-8, neither packed nor a pipe."""
    if codecs.lookup(encoding).name != "utf-8" or not os.path.isfile(path) or os.path.getsize(path) < LARGE:
        return False
    with open(path, "rb") as file:
        return not file.read(8).startswith(_PACKED)


class TextFile:
    """The bytes `start` up to `stop` of a UTF-8 file as running text at a level, see `Corpus`.

    join: the text's characters stand apart, and the spaces between them are left out (`seqloom.data.text.spaced`).

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("the cat\\nsat\\n")
    ...     file.flush()
    ...     list(TextFile(file.name).lines())
    [['the', 'cat', '<eos>'], ['sat', '<eos>']]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        level: str = "word",
        *,
        start: int = 0,
        stop: int | None = None,
        join: bool = False,
        end: str = "<eos>",
    ) -> None:
        self.path, self.level, self.join, self.end = Path(path), level, join, end
        self.start, self.stop = start, os.path.getsize(path) if stop is None else stop
        self.source = source_name(path)
        self._vocabulary: tuple[tuple[int | None, int], Vocabulary] | None = None
        self._ids: tuple[tuple[str, ...], np.ndarray] | None = None
        self._folder: str | None = None

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], level: str, join_spaced: bool = True
    ) -> tuple[TextFile, tuple[Decision, ...]]:
        """The whole of a file, and what its first piece lets be said of it."""
        whole = cls(path, level)
        first = next(whole.pieces(), "")
        chosen, about = chosen_level(first, level)
        _, spaced = joined_or_kept(first, chosen, join_spaced)
        joined = bool(spaced) and chosen == "char"
        said = Decision(
            "data",
            f"{whole.source} has {len(whole) / 1e6:,.0f} MB, so it is read a piece at a time and its tokens are kept "
            "in a file, not in memory.",
        )
        return cls(path, chosen, join=joined), (said, *about, *spaced)

    def __len__(self) -> int:
        """Bytes."""
        return self.stop - self.start

    def fingerprint(self) -> str:
        """SHA-256 of the bytes."""
        digest = hashlib.sha256()
        for data in self._bytes():
            digest.update(data)
        return digest.hexdigest()

    def read(self) -> str:
        """All of it as one text."""
        return "".join(self.pieces())

    def pieces(self) -> Iterator[str]:
        """The text in pieces, none of which ends inside a word (a character); DataError for bytes that aren't UTF-8."""
        rest, at = b"", self.start
        for data in (*self._bytes(), b""):
            rest += data
            cut = self._cut(rest) if data else len(rest)
            if cut:
                piece, rest = rest[:cut], rest[cut:]
                try:
                    text = piece.decode()
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{self.source}, byte {at + error.start + 1}: expected UTF-8, found "
                        f"{piece[error.start : error.start + 1]!r}; convert the file, or name its encoding (encoding=)."
                    ) from None
                at += cut
                yield join_characters(text) if self.join else text

    def _cut(self, data: bytes) -> int:
        """Where the part of a piece ends that can be read without what follows."""
        if self.level == "word":
            return max(data.rfind(b"\n"), data.rfind(b" "), data.rfind(b"\t")) + 1
        place = len(data) - 1
        while place > 0 and data[place] & 0xC0 == 0x80:  # inside a character
            place -= 1
        return place

    def lines(self) -> Iterator[list[str]]:
        """The tokens of each line, of a long line in pieces; at level "char" pieces of the text."""
        if self.level == "char":
            for piece in self.pieces():
                yield from Corpus(piece, "char").lines()
            return
        begun = False  # whether the line under way has words
        for piece in self.pieces():
            *whole, last = piece.split("\n")
            for line in whole:
                yield [*line.split(), self.end]
                begun = False
            words = last.split()
            begun = begun or bool(words)
            if words:
                yield words
        if begun:
            yield [self.end]

    def count(self) -> int:
        """How many tokens there are; at level "word" each line's end is one."""
        found, begun = 0, False
        for piece in self.pieces():
            if self.level == "char":
                found += len(piece)
                continue
            found += len(piece.split()) + piece.count("\n")
            last = piece.rpartition("\n")[2]
            begun = bool(last.split()) or (begun and "\n" not in piece)
        return found + begun

    def split(self, fraction: float) -> tuple[TextFile, TextFile, tuple[Decision, ...]]:
        """The first part and the last `fraction`, as `split_running` splits a text, at the next line end or space.

        Raises DataError where a part would be empty.
        """
        said: tuple[Decision, ...] = ()
        lines = 0
        for data in self._bytes() if self.level == "word" else ():
            lines += data.count(b"\n")
        if lines >= _FEW_LINES:
            at = self._after_line(max(1, min(lines - 1, round(lines * (1 - fraction)))))
        else:
            at = self._next_cut(self.start + round(len(self) * (1 - fraction)))
            if self.level == "word":
                sentence = f"The text has {lines or 1} lines, so its end is split off at a space, not at a line end."
                said = (Decision("split", sentence),)
        if not self.start < at < self.stop:
            raise DataError(f"{self.source}: no place to split off {fraction:.3g} of it; give a file to validate on.")
        first, last = (self._part(self.start, at), self._part(at, self.stop))
        return first, last, said

    def vocabulary(self, *, max_words: int | None, min_count: int) -> Vocabulary:
        """As `Corpus.vocabulary`; counted once."""
        asked = (max_words, min_count)
        if self._vocabulary is None or self._vocabulary[0] != asked:
            found = Vocabulary.fit(self.lines(), max_words=max_words, min_count=min_count, padding=False)
            if len(found) == found.first:
                raise DataError(f"{self.source}: expected text, found no token in it that is frequent enough.")
            self._vocabulary = (asked, found)
        return self._vocabulary[1]

    def encode(self, vocabulary: Vocabulary) -> np.ndarray:
        """The ids of all tokens (N,), int32 in a memory map; written once for a vocabulary."""
        if self._ids is None or self._ids[0] != vocabulary.words:
            if self._folder is None:
                self._folder = tempfile.mkdtemp(prefix="seqloom-tokens-")
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            path = Path(self._folder) / "ids"
            with open(path, "wb") as file:
                for words in self._bundles():
                    file.write(np.array(vocabulary.ids(words), dtype=np.int32).tobytes())
            self._ids = (vocabulary.words, np.memmap(path, dtype=np.int32, mode="r"))
        return self._ids[1]

    def _bundles(self) -> Iterator[list[str]]:
        """The tokens many lines at a time."""
        bundle: list[str] = []
        for words in self.lines():
            bundle += words
            if len(bundle) >= 1 << 17:
                yield bundle
                bundle = []
        if bundle:
            yield bundle

    def _part(self, start: int, stop: int) -> TextFile:
        return TextFile(self.path, self.level, start=start, stop=stop, join=self.join, end=self.end)

    def _bytes(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            file.seek(self.start)
            left = len(self)
            while left and (data := file.read(min(left, _PIECE))):
                left -= len(data)
                yield data

    def _after_line(self, number: int) -> int:
        """The place behind that many lines."""
        at = self.start
        for data in self._bytes():
            inside = data.count(b"\n")
            if inside < number:
                number -= inside
                at += len(data)
                continue
            place = -1
            for _ in range(number):
                place = data.index(b"\n", place + 1)
            return at + place + 1
        return self.stop

    def _next_cut(self, at: int) -> int:
        """The first place from `at` on behind white space, at level "char" the next start of a character."""
        part = self._part(at, self.stop)
        for data in part._bytes():
            for place, byte in enumerate(data):
                if self.level == "char" and byte & 0xC0 != 0x80:
                    return at + place
                if self.level == "word" and byte in b" \n\t":
                    return at + place + 1
            at += len(data)
        return self.stop
