"""Word vectors: three file formats, one content; broken files by line or byte; neighbours beside brute force."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import Vocabulary, WordVectors, read_vectors

LAYOUTS = ("glove", "word2vec-text", "word2vec-binary")
WORD = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1, max_size=5)


def written(layout: str, words: list[str], vectors: np.ndarray, end: bytes = b"") -> bytes:
    """A file of one of the three kinds, by struct and repr."""
    rows = [[float(number) for number in row] for row in vectors.astype(np.float32)]
    if layout == "word2vec-binary":
        records = [word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end for word, row in zip(words, rows)]
        return f"{len(words)} {vectors.shape[1]}\n".encode() + b"".join(records)
    lines = [" ".join([word, *map(repr, row)]) for word, row in zip(words, rows)]
    head = [f"{len(words)} {vectors.shape[1]}"] if layout == "word2vec-text" else []
    return "".join(f"{line}{end.decode()}\n" for line in head + lines).encode()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    words=st.lists(WORD, min_size=1, max_size=9, unique=True),
    width=st.integers(2, 5),
    seed=st.integers(0, 999),
    packed=st.booleans(),
    ended=st.booleans(),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    layout: str,
    words: list[str],
    width: int,
    seed: int,
    packed: bool,
    ended: bool,
) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.standard_normal((len(words), width)) * 10.0 ** rng.integers(-30, 30, width)).astype(np.float32)
    data = written(layout, words, vectors, (b"\n" if layout == "word2vec-binary" else b" ") * ended)
    path = write(tmp_path_factory.mktemp("v") / "v", gzip.compress(data) if packed else data)
    for name in ("auto", layout):
        found = read_vectors(path, layout=name)
        assert found.words == tuple(words)
        assert found.vectors.tobytes() == vectors.tobytes()
    kept = words[::2]
    part = read_vectors(path, words=[*kept, "absent from all"])
    assert part.words == tuple(kept)
    assert np.array_equal(part.vectors, vectors[::2])
    first = read_vectors(path, limit=max(1, len(words) // 2))
    assert first.words == tuple(words[: max(1, len(words) // 2)])


@pytest.mark.parametrize("packed", [False, True])
def test_binary_records_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr("seqloom_runtime.data.text.vector_files._BLOCK", 100)
    monkeypatch.setattr("seqloom_runtime.data.text.vector_files._LONGEST_WORD", 40)
    words = [f"word{'x' * (number % 30)}{number}" for number in range(200)]
    vectors = np.random.default_rng(0).standard_normal((200, 7)).astype(np.float32)
    data = written("word2vec-binary", words, vectors)
    found = read_vectors(write(tmp_path / "v", gzip.compress(data) if packed else data))
    assert found.words == tuple(words)
    assert np.array_equal(found.vectors, vectors)
    start = len(data) - 4 * 7 - 1 - len(words[-1])
    with pytest.raises(DataError, match=f"byte {start:,}: record 200 of 200 is cut short"):
        read_vectors(write(tmp_path / "w", gzip.compress(data[:-1])))


def test_words_with_spaces_and_lines_at_the_end(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path / "v", b"the 1 2\nat name@domain.com 3 4\n. . 5 6\r\n\n\n"))
    assert found.words == ("the", "at name@domain.com", ". .")
    assert found[". ."].tolist() == [5, 6]
    twice = write(tmp_path / "w", b"a 1 2\nb 3 4\na 5 6\n")
    assert read_vectors(twice, keep_first=True)["a"].tolist() == [1, 2]
    assert read_vectors(twice, words=Vocabulary(["b"])).words == ("b",)


BROKEN: dict[str, tuple[bytes, str]] = {
    "fewer numbers": (b"the 1 2 3\ncat 1 2\n", "line 2: expected a word and 3 numbers as on line 1, found 3 cells"),
    "more numbers": (b"the 1 2 3\ncat 1 2 3 4\n", "line 2: expected a word and 3 numbers as on line 1, found 5 cells"),
    "no number": (b"the 1 2\ncat 1 x2\n", "line 2: number 2 of the vector is 'x2'"),
    "two spaces": (b"the 1 2\ncat  1 2\n", "line 2: the word is missing, or two spaces follow"),
    "two spaces inside": (b"the 1 2\ncat 1  2\n", "line 2: expected a word and 2 numbers"),
    "not finite": (b"the 1 2\ncat nan 2\n", "line 2: the vector of 'cat' holds a number that is not finite"),
    "too large": (b"the 1 2\ncat 1e60 2\n", "line 2: the vector of 'cat' holds a number.*float32 can't hold"),
    "twice": (b"the 1 2\ncat 1 2\nthe 1 2\n", "line 3: the word 'the' came before, at line 1; give keep_first=True"),
    "invalid UTF-8": (b"the 1 2\nca\xff 1 2\n", "line 2: byte 0xFF, at position 2 of the line, is not UTF-8"),
    "empty line": (b"the 1 2\n\ncat 1 2\n", "line 2: expected a word and its vector, the line is empty"),
    "no word": (b"the 1 2\n 1 2\n", "line 2: the word is missing"),
    "one cell": (b"the\ncat\n", "line 1: expected a word and its vector, found one cell"),
    "fewer lines": (b"3 2\nthe 1 2\ncat 1 2\n", "the first line says 3 words, the file holds 2"),
    "more lines": (b"1 2\nthe 1 2\ncat 1 2\n", "the first line says 1 words, the file holds 2"),
    "wider than said": (b"1 2\nthe 1 2 3\n", "line 2: expected a word and 2 numbers"),
    "nothing": (b"", "expected word vectors, the file holds none"),
    "blank": (b"\n\n", "expected word vectors, the file holds none"),
    "header alone": (b"0 5\n", "first line with the numbers of words and of columns"),
    "damaged gzip": (gzip.compress(b"the 1 2\n" * 99)[:-20], "the gzip file is cut short"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_text_names_the_line(tmp_path: Path, name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(DataError, match=f"vectors.*{message}") as caught:
        read_vectors(write(tmp_path / "vectors", data))
    assert "\n" not in str(caught.value)


def test_broken_binary_names_the_byte(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    good = written("word2vec-binary", ["the", "cat", "sat"], vectors)
    infinite = written("word2vec-binary", ["the", "cat"], np.array([[1, 2], [np.inf, 1]]))
    cases: list[tuple[bytes, str]] = [
        (good[:-1], "byte 28: record 3 of 3 is cut short"),
        (good[:-10], "byte 28: record 3 of 3 is cut short"),
        (good[:20], r"says 3 vectors of 2 numbers, at least 30 bytes; the file holds 20"),
        (good.replace(b"3 2", b"9999999999 300", 1), "cut short or no word2vec file"),
        (good + b"more", "byte 40: more follows after the last of 3 records"),
        (good.replace(b"cat", b"c\xfft"), "byte 16: record 2 of 3 has a word that is not UTF-8 text at its byte 1"),
        (good.replace(b"cat", b""), "record 2 of 3 has no word"),
        (good.replace(b"cat", b"the"), "byte 16: the word 'the' came before, at byte 4"),
        (infinite, "byte 16: the vector of 'cat' holds a number that is not finite"),
        (good[3:], "first line with the numbers of words and of columns"),
        (b"x" * 200, "first line with the numbers of words and of columns"),
    ]
    for data, message in cases:
        alone = "at least" in message or "cut short or no" in message  # from the file's size, unknown where packed
        for content in (data,) if alone else (data, gzip.compress(data)):
            with pytest.raises(DataError, match=message):
                read_vectors(write(tmp_path / "v", content), layout="word2vec-binary")


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "v", b"the 1 2\ncat 1 3\n")
    with pytest.raises(DataError, match="none of the 2 words has a vector among the 2"):
        read_vectors(path, words=["The", "Cat"])
    with pytest.raises(SettingError, match="layout"):
        read_vectors(path, layout="fasttext")
    for limit in (0, -1, 2.0, True):
        with pytest.raises(SettingError, match="limit"):
            read_vectors(path, limit=limit)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="there is no such file"):
        read_vectors(tmp_path / "w")
    with pytest.raises(DataError, match="is a folder"):
        read_vectors(tmp_path)
    monkeypatch.setattr("seqloom_runtime.data.text.vector_files.memory_left", lambda: 1000)
    many = write(tmp_path / "w", b"".join(b"w%d 1 2\n" % number for number in range(70_000)))
    with pytest.raises(DataError, match=r"more vectors than memory allows after 65,536 words.*set limit to 32,768"):
        read_vectors(many)
    assert len(read_vectors(many, words=[f"w{number}" for number in range(50)])) == 50


# -- neighbours, coverage, matrices -----------------------------------------------------------------------------------


def made(count: int = 40, width: int = 6, seed: int = 0) -> WordVectors:
    rng = np.random.default_rng(seed)
    return WordVectors([f"w{number}" for number in range(count)], rng.standard_normal((count, width)) * 3 + 0.5)


def test_neighbours_beside_brute_force() -> None:
    vectors = made()
    exact = vectors.vectors.astype(np.float64)
    units = exact / np.linalg.norm(exact, axis=1, keepdims=True)

    def brute(target: np.ndarray, leave_out: set[int]) -> list[int]:
        cosine = units @ target / np.linalg.norm(target)
        return [int(place) for place in np.argsort(-cosine) if place not in leave_out][:5]

    for word in (0, 7, 39):
        found = vectors.nearest(f"w{word}", 5)
        assert [int(name[1:]) for name, _ in found] == brute(exact[word], {word})
        assert abs(found[0][1] - units[word] @ units[int(found[0][0][1:])]) < 1e-6
        free = vectors.nearest(exact[word], 5)
        assert free[0][0] == f"w{word}"
        assert abs(free[0][1] - 1) < 1e-6
    found = vectors.analogy("w1", "w2", "w3", 5)
    assert [int(name[1:]) for name, _ in found] == brute(units[2] - units[1] + units[3], {1, 2, 3})
    assert len(vectors.nearest("w0", 1000)) == 39


def test_a_zero_vector_is_near_nothing() -> None:
    vectors = WordVectors(["zero", "a", "b"], np.array([[0, 0], [1, 0], [-1, 0.0]]))
    assert vectors.nearest("a") == [("zero", 0.0), ("b", -1.0)]
    assert [cosine for _, cosine in vectors.nearest("zero")] == [0.0, 0.0]
    with pytest.raises(DataError, match=r"'c' has no vector among the 3"):
        vectors.nearest("c")
    with pytest.raises(DataError, match=r"Did you mean 'zero'"):
        vectors.analogy("a", "b", "zeros")
    for wrong in (np.zeros(3), np.array([np.nan, 1])):
        with pytest.raises(SettingError, match="word"):
            vectors.nearest(wrong)
    with pytest.raises(SettingError, match="count"):
        vectors.nearest("a", 0)


def test_coverage() -> None:
    vectors = WordVectors(["the", "cat"], np.eye(2))
    vocabulary = Vocabulary.fit([["the"] * 6, ["cat", "dog", "dog", "emu"]])
    found = vectors.coverage(vocabulary)
    assert (found.words, found.of_words, found.share) == (2, 4, 0.5)
    assert found.occurrences == pytest.approx(0.7)
    assert found.missing == ("dog", "emu")
    assert str(found).startswith("2 of 4 words have a vector (50.0%, 70.0% of the words in the training texts)")
    saved = Vocabulary.from_json(vocabulary.to_json())
    assert vectors.coverage(saved).occurrences is None
    assert vectors.coverage(saved, {"the": 1, "dog": 3}).occurrences == pytest.approx(0.25)


def test_the_matrix_of_a_vocabulary() -> None:
    vectors = made(600, 4)
    words = [f"w{number}" for number in range(500)] + [f"u{number}" for number in range(4000)]
    vocabulary = Vocabulary(words)
    matrix = vectors.matrix(vocabulary, seed=3)
    assert matrix.shape == (4502, 4)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    assert np.array_equal(matrix[2:502], vectors.vectors[:500])
    drawn = matrix[502:]
    assert np.abs(drawn.mean(axis=0) - vectors.vectors[:500].mean(axis=0)).max() < 0.2
    assert np.abs(drawn.std(axis=0) / vectors.vectors[:500].std(axis=0) - 1).max() < 0.05
    assert matrix[1].any()
    assert np.array_equal(matrix, vectors.matrix(vocabulary, seed=3))
    assert not np.array_equal(matrix[502:], vectors.matrix(vocabulary, seed=4)[502:])
    own = WordVectors(["<unk>", "a"], np.array([[1, 2], [3, 4]])).matrix(Vocabulary(["a"]), 0)
    assert own.tolist() == [[0, 0], [1, 2], [3, 4]]
    bare = WordVectors(["a"], np.array([[3, 4]])).matrix(Vocabulary(["a"], padding=False, unknown=None), 0)
    assert bare.tolist() == [[3, 4]]
    with pytest.raises(DataError, match="None of the vocabulary's words has a vector"):
        vectors.matrix(Vocabulary(["none"]), 0)


def test_refuses_vectors_that_are_none() -> None:
    wrong: list[tuple[list[str], Any, str]] = [
        (["a"], np.zeros(3), "shape"),
        (["a"], np.zeros((2, 3)), "shape"),
        ([], np.zeros((0, 3)), "shape"),
        (["a", "b", "a"], np.zeros((3, 2)), "'a' has two vectors"),
        (["a", "b"], np.array([[0, 1], [np.nan, 1]]), "vector of 'b'"),
    ]
    for words, vectors, message in wrong:
        with pytest.raises(DataError, match=message):
            WordVectors(words, vectors)
