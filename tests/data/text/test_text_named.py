"""Named text data sets: found, checked, read; and sentences where they are not there."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import Corpus, LabelledTexts, TaggedSentences, find_named_text, read_named_text
from seqloom_runtime.data.text.named import NAMED_TEXTS

SMALL = {"sms_spam": (LabelledTexts, 5_574), "atis": (TaggedSentences, 4_978), "atis_intents": (TaggedSentences, 4_978)}


@pytest.mark.parametrize("name", list(NAMED_TEXTS))
def test_every_part_has_the_hash_of_the_original(data_dir: Path, name: str) -> None:
    for part in NAMED_TEXTS[name].parts:
        if name != "imdb" or part == "test":
            assert find_named_text(name, part, data_dir).is_file()


def test_reading(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))
    for name, (kind, count) in SMALL.items():
        found = read_named_text(name, next(iter(NAMED_TEXTS[name].parts)))
        assert type(found) is kind
        assert not isinstance(found, Corpus)
        assert len(found) == count
    words = read_named_text("ptb", "valid")
    assert isinstance(words, Corpus)
    assert len(words.tokens()) == 73_760
    symbols = read_named_text("ptb_characters", "valid")
    assert isinstance(symbols, Corpus)
    assert len(symbols.tokens()) == 393_042
    characters = read_named_text("tinyshakespeare", "all")
    assert isinstance(characters, Corpus)
    assert characters.level == "char"


def test_the_table_is_whole() -> None:
    digests = [digest for known in NAMED_TEXTS.values() for _, digest in known.parts.values()]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert len(set(digests)) == len(digests)
    assert all(known.origin and known.licence for known in NAMED_TEXTS.values())


def test_sentences_where_the_data_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLOOM_DATA", raising=False)
    with pytest.raises(DataError, match=r"imdb: set SEQLOOM_DATA to the folder that holds imdb/imdb_train\.csv"):
        find_named_text("imdb")
    monkeypatch.setenv("SEQLOOM_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"ptb: .* does not hold ptb/ptb\.test\.txt or .*\.gz \(SHA-256 dd65dff3"):
        read_named_text("ptb", "test")
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt.gz").write_bytes(gzip.compress(b"First Citizen:"))
    with pytest.raises(DataError, match=r"input\.txt\.gz: the file differs .*SHA-256 .* expected 86c4e6aa"):
        read_named_text("tinyshakespeare", "all")
    with pytest.raises(SettingError, match=r"no data set 'imbd'.*Did you mean 'imdb'"):
        find_named_text("imbd")
    with pytest.raises(SettingError, match="part: sms_spam has 'all', got 'train'"):
        read_named_text("sms_spam")
