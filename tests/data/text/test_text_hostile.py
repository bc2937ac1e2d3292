"""Texts and vectors that claim too much, come through a pipe, or say something twice: one sentence each."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged, read_vectors

Read = Callable[[Any], Any]
GOOD: list[tuple[str, bytes, Read, Callable[[Any], Any]]] = [
    ("labelled", b"label,text\nham,hello\n", read_labelled, lambda found: (found.labels, found.texts)),
    ("lines", b'{"label": 1, "text": "a"}\n', read_labelled, lambda found: (found.labels, found.texts)),
    ("tagged", b"fly O\nboston B\n", read_tagged, lambda found: (found.words, found.tags)),
    ("corpus", b"a b\nc\n", read_corpus, lambda found: found.text),
    ("vectors", b"the 1 2\ncat 3 4\n", read_vectors, lambda found: (list(found.words), found.vectors.tolist())),
]


@pytest.mark.parametrize(("data", "read", "says"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_and_standard_input_are_read_as_a_file(
    data: bytes, read: Read, says: Callable[[Any], Any], packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = gzip.compress(data) if packed else data
    (tmp_path / "file").write_bytes(stored)
    expected = says(read(tmp_path / "file"))
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(stored,))
    writer.start()
    assert says(read(tmp_path / "pipe")) == expected
    writer.join()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stored)))
    assert says(read("-")) == expected


@pytest.mark.parametrize("read", [case[2] for case in GOOD], ids=[case[0] for case in GOOD])
def test_devices_and_folders_are_refused(read: Read, tmp_path: Path) -> None:
    for path in ("/dev/zero", tmp_path):
        with pytest.raises(DataError, match=r"is a (device|folder)"):
            read(path)


@pytest.mark.parametrize("claim", ["1000000000000 2", "2 1000000000", "999999999999999 999999999999999"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_more_than_the_file_can_hold(claim: str, packed: bool, tmp_path: Path) -> None:
    data = f"{claim}\n".encode() + b"the " + np.ones(2, "<f4").tobytes()
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match="at most, so it is cut short or no word2vec file"):
        read_vectors(path, layout="word2vec-binary")


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "vectors.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(65):
            file.write(b"a" * (1 << 20))
    with pytest.raises(DataError, match="line 1: expected a word and its vector, the line is too long for any"):
        read_vectors(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "label": "x", "text": "b"}', "the field 'text' comes twice"),
        ('{"text": "a", "label": "x", "more": {"k": 1, "k": 2}}', "the field 'k' comes twice"),
        ('{"text": "a", "label": NaN}', "found NaN, which is no number there"),
        ('{"text": "a", "label": -Infinity}', "found -Infinity"),
        ('{"text": "a", "label": 1e999}', "expected one label in field 'label', found inf"),
        ('{"text": "a", "label": ' + "9" * 10**6 + "}", "one has too many digits"),
        ('{"text": "a", "label": "\\ud800"}', "half of a surrogate pair"),
        ('{"\\u001b[31m": "a"}', r"there are '\\x1b\[31m'"),
    ],
)
def test_json_lines_that_say_what_json_does_not(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "a", "label": "x"}\n' + line + "\n")
    with pytest.raises(DataError, match=rf"texts\.jsonl, line 2: .*{words}") as caught:
        read_labelled(tmp_path / "texts.jsonl")
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_objects_inside_objects_are_no_fields_that_come_twice(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"text": "a", "label": "x", "more": {"text": 1}, "list": [{"a": 1}, {"a": 2}]}\n'
    )
    assert read_labelled(tmp_path / "t.jsonl").texts == ["a"]


def test_a_label_that_is_nan_is_a_missing_one(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    polars.DataFrame({"text": ["a", "b"], "label": [1.0, float("nan")]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the label in column 'label' is missing"):
        read_labelled(tmp_path / "t.parquet")


@pytest.mark.parametrize("read", [read_labelled, read_tagged, read_corpus])
def test_codecs_that_are_no_text(read: Any, tmp_path: Path) -> None:
    (tmp_path / "texts").write_bytes(b"label,text\na,b\n")
    for encoding in ("base64", "rot13", "hex"):
        with pytest.raises(SettingError, match="encoding: expected the name of a text encoding"):
            read(tmp_path / "texts", encoding=encoding)
