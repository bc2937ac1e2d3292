"""Whatever bytes a file holds, a reader gives its content or one sentence under SeqloomError."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import SeqloomError
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged, read_vectors

GOOD = [
    b'label,text\npos,"a, b"\nneg,c\n',
    b'{"text": "a", "label": "x"}\n{"text": "b", "label": 1}\n',
    b"ham\tsay \"hi\nspam\twin\n",
    b"fly O\nto B-x\n\nfares O\n",
    b"BOS fly EOS\tO O intent\nBOS to EOS\tO B-x O\n",
    b'{"tokens": ["a", "b"], "tags": ["O", "O"]}\n',
    b"the 1 2.5\ncat 1e3 -2\n",
    b"2 2\nthe 1 2\ncat 3 4\n",
    b"2 1\nthe \0\0\x80?cat \0\0\0@",
]  # fmt: skip
READERS: dict[str, Callable[[Path], Any]] = {
    "labelled": read_labelled,
    "tagged": read_tagged,
    "vectors": read_vectors,
    "binary vectors": lambda path: read_vectors(path, layout="word2vec-binary"),
    "words": read_corpus,
    "characters": lambda path: read_corpus(path, "char"),
}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 3))] = draw(st.one_of(st.binary(max_size=3), st.sampled_from(
            [b"\n", b"\t", b'"', b"{", b"\r", b"\0", b",", b"\x1f\x8b", b" ", b"\xff", b"9999999", b"PAR1", b"\\ud800"]
        )))  # fmt: skip
    return bytes(data)


@pytest.mark.parametrize("name", list(READERS))
@given(data=st.one_of(damaged(), st.binary(max_size=60)))
def test_damage(tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    message = "damaged"
    try:
        READERS[name](path)
    except SeqloomError as error:
        message = str(error)
    assert "damaged" in message
    assert "\n" not in message
