"""The corpora of the language-model studies: where their files lie, what they must hold, and their three parts.

Penn Treebank files are known by their SHA-256. For text8, WikiText-103 and LAMBADA none is on record here; what is
known of the originals is their size in characters, tokens or passages, and that is what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqloom_runtime.data.text.lines import read_text
from seqloom_runtime.data.text.named import NAMED_TEXTS
from seqloom_runtime.data.text.spaced import join_characters
from seqloom_runtime.errors import DataError
from seqloom_runtime.files import sha256_bytes

from .places import data_file, data_folder

__all__ = ["CORPORA", "PARTS", "Corpora", "Texts", "read_texts"]

PARTS = ("train", "valid", "test")
_QUICK = {"train": 40_000, "valid": 6_000, "test": 6_000}  # characters


@dataclass(frozen=True)
class Texts:
    """The parts of a corpus by name, whether they are the originals, and what to say of them."""

    parts: dict[str, str]
    original: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpora:
    """One corpus. files: the names that each part may have, below a data folder; origin: a sentence on the original.

    known: of the original: "sha256", or what of the parts is counted: "characters", "tokens" or "passages".
    """

    title: str
    origin: str
    files: Mapping[str, Sequence[str]]
    known: str
    sizes: dict[str, int]
    named: str = ""


def _treebank(title: str, file: str, named: str) -> Corpora:
    files = {part: (f"ptb/{file}.{part}.txt.gz", f"ptb/{file}.{part}.txt") for part in PARTS}
    origin = f"The original: {NAMED_TEXTS[named].origin}."
    return Corpora(title, origin, files, "sha256", {}, named)


CORPORA = {
    "ptb-words": _treebank("Penn Treebank", "ptb", "ptb"),
    "ptb-chars": _treebank("Penn Treebank, characters", "ptb.char", "ptb_characters"),
    "text8": Corpora(
        "text8",
        "The original: text8.zip of mattmahoney.net/dc, one line of 100,000,000 characters (from Wikipedia, 2006).",
        {"train": ("text8/text8.gz", "text8/text8")},
        "characters",
        {"train": 90_000_000, "valid": 5_000_000, "test": 5_000_000},
    ),
    "wikitext-103": Corpora(
        "WikiText-103",
        "The original: wikitext-103-v1.zip (Merity et al., arXiv 1609.07843), the files wiki.….tokens.",
        {
            part: (
                f"wikitext-103/wiki.{part}.tokens",
                f"wikitext-103/wiki.{part}.tokens.gz",
                f"wikitext-103/{part}.txt",
            )
            for part in PARTS
        },
        "tokens",
        {"valid": 217_646, "test": 245_569},
    ),
    "lambada": Corpora(
        "LAMBADA",
        "The original: lambada-dataset.tar.gz (Paperno et al., arXiv 1606.06031), with train-novels.tar unpacked "
        "beside the texts of passages.",
        {
            "valid": ("lambada/lambada_development_plain_text.txt", "lambada/lambada_development_plain_text.txt.gz"),
            "test": ("lambada/lambada_test_plain_text.txt", "lambada/lambada_test_plain_text.txt.gz"),
        },
        "passages",
        {"valid": 4_869, "test": 5_153},
    ),
}
_NOVELS = "lambada/train-novels"


def read_texts(name: str, given: str | None, *, quick: bool = False) -> Texts:
    """The corpus of that name, from the folder `given` or the one that SEQLOOM_DATA names.

    quick: the first lines of each part. Raises DataError, with what was looked for and where the original lies, where
    a part is not there, and for one without text.
    """
    corpus = CORPORA[name]
    paths = {part: data_file(given, names, corpus.origin) for part, names in corpus.files.items()}
    if name == "text8":
        parts = _thirds(read_text(paths["train"]))
    else:
        parts = {part: read_text(path) for part, path in paths.items()}
    if name == "lambada":
        parts = {"train": _novels(data_folder(given, _NOVELS, corpus.origin)), **parts}
    for part, text in parts.items():
        if not text.strip():
            raise DataError(f"{paths.get(part, _NOVELS)}: expected the {part} text of {corpus.title}, found none.")
    original, notes = _COMPARED[corpus.known](corpus, parts, paths)
    if name == "ptb-chars":
        parts = {part: join_characters(text) for part, text in parts.items()}
        notes = (*notes, "The spaces between the file's characters are no characters; its _ is a space.")
    if quick:
        parts = {part: _first_lines(text, _QUICK[part]) for part, text in parts.items()}
    return Texts(parts, original and not quick, notes)


def _thirds(text: str) -> dict[str, str]:
    """text8's usual parts: the last twentieth to test, the one before it to validate."""
    held = max(1, len(text) // 20)
    return {"train": text[: -2 * held], "valid": text[-2 * held : -held], "test": text[-held:]}


def _novels(folder: Path) -> str:
    """All text files below a folder, in the order of their names, a line end after each."""
    files = sorted(path for path in folder.rglob("*.txt*") if path.is_file() and path.suffix in (".txt", ".gz"))
    if not files:
        raise DataError(f"{folder}: expected the training novels as .txt files in folders, found none.")
    return "".join(text if text.endswith("\n") else text + "\n" for text in map(read_text, files))


def _first_lines(text: str, characters: int) -> str:
    """Whole lines of about so many characters; of a text with long lines the characters."""
    end = text.rfind("\n", 0, characters)
    return text[: end + 1 or characters]


def _by_checksum(corpus: Corpora, parts: dict[str, str], paths: dict[str, Path]) -> tuple[bool, tuple[str, ...]]:
    # Reading as text keeps line ends as they are, so the bytes are those of the file.
    digests = NAMED_TEXTS[corpus.named].parts
    other = [paths[part].name for part in PARTS if sha256_bytes(parts[part].encode()) != digests[part][1]]
    if not other:
        return True, (f"{corpus.title}: the files are the originals, by their SHA-256.",)
    return False, (f"{' and '.join(other)}: not the original, by SHA-256, so no published figures are shown.",)


def _by_count(count: Callable[[str], int], words: str) -> Callable[..., tuple[bool, tuple[str, ...]]]:
    def compare(corpus: Corpora, parts: dict[str, str], paths: dict[str, Path]) -> tuple[bool, tuple[str, ...]]:
        found = {part: count(parts[part]) for part in corpus.sizes}
        sizes = ", ".join(f"{part} {number:,}" for part, number in found.items())
        unknown = f"{corpus.title}: no SHA-256 of the original is on record; {words}: {sizes}"
        if found == corpus.sizes:
            return True, (f"{unknown}, as in the original.",)
        real = ", ".join(f"{part} {number:,}" for part, number in corpus.sizes.items())
        return False, (f"{unknown}; the original has {real}, so no published figures are shown.",)

    return compare


def _tokens(text: str) -> int:
    """White-space tokens and an end of every line."""
    return sum(len(line.split()) + 1 for line in text.splitlines())


def _passages(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip())


_COMPARED: dict[str, Callable[..., tuple[bool, tuple[str, ...]]]] = {
    "sha256": _by_checksum,
    "characters": _by_count(len, "characters"),
    "tokens": _by_count(_tokens, "tokens"),
    "passages": _by_count(_passages, "passages"),
}
