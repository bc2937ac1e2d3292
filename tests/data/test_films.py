"""Films: arrays and lists of them, the arrays of files, and one sentence for what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.films import Films, read_films


def test_arrays_lists_and_windows() -> None:
    films = Films.make([np.zeros((4, 3, 2)), np.ones((2, 3, 2)), np.ones((5, 3, 2), dtype=np.uint8)])
    assert (len(films), films.size, films.plain, films.frames.dtype) == (3, (3, 2, 1), True, np.float32)
    starts = films.starts(3)
    assert starts.tolist() == [0, 1, 6, 7, 8]
    assert films.film_of(starts).tolist() == [0, 0, 2, 2, 2]
    taken = films.take([2, 1])
    assert (taken.lengths.tolist(), float(taken.frames.min())) == ([5, 2], 1.0)
    assert Films.make(np.zeros((7, 3, 2))).lengths.tolist() == [7]
    colour = Films.make(np.zeros((2, 7, 3, 2, 3), dtype=np.uint8))
    assert (colour.size, colour.plain, colour.frames.dtype) == ((3, 2, 3), False, np.uint8)
    assert films.fingerprint() != taken.fingerprint() == films.take([2, 1]).fingerprint()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("text", "expected an array or a list of films, got str"),
        ([], "expected at least one film, got none"),
        (np.zeros((2, 3)), r"one film \(T, Y, X\), got \(2, 3\)"),
        (
            [np.zeros((4, 3, 2)), np.zeros((4, 2, 3))],
            r"film 1: expected frames of 3 × 2 like those of film 0, got 2 × 3",
        ),
        ([np.zeros((4, 3, 2)), np.full((4, 3, 2), np.nan)], "film 1: frame 0 holds a value that is not finite"),
        ([np.zeros((0, 3, 2))], "expected frames of at least one pixel"),
        ([np.array([["a"]])], r"expected \(T, Y, X\)"),
        (np.full((1, 2, 3, 4), "a"), "expected numbers, got an array of type"),
        ([[np.zeros((3, 2)), np.zeros((2, 3))]], "film 0: expected .* got frames of unequal size"),
    ],
)
def test_one_sentence_for_no_films(value: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Films.make(value)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "films.npz"
    frames = np.arange(4 * 5 * 3 * 2, dtype=np.uint8).reshape(4, 5, 3, 2)
    np.savez(path, X=frames, other=np.zeros(3))
    films, said = read_films(path)
    assert films.lengths.tolist() == [5] * 4
    assert [decision.what for decision in said] == ["array", "axes"]
    assert "(array=)" in said[0].text
    one, said = read_films(path, array="X", axes="THWC")
    assert (one.lengths.tolist(), one.size, said) == ([4], (5, 3, 2), [])
    for how, error, words in (
        ({"array": "Y"}, DataError, "expected an array 'Y', it holds 'X', 'other'"),
        ({"axes": "HWT"}, SettingError, "axes: expected one of THW, NTHW, THWC, NTHWC, got 'HWT'"),
        ({"axes": "THW"}, DataError, "axes: THW are 3"),
        ({"array": "other"}, DataError, "expected 3 axes"),
    ):
        with pytest.raises(error, match=words):
            read_films(path, **how)
    np.savez(tmp_path / "odd.npz", a=frames, b=frames)
    with pytest.raises(DataError, match="expected an array named frames or X, found 'a', 'b'"):
        read_films(tmp_path / "odd.npz")
    np.save(tmp_path / "one.npy", frames[0])
    assert read_films(tmp_path / "one.npy")[0].lengths.tolist() == [5]
    with pytest.raises(DataError, match="holds one array without a name"):
        read_films(tmp_path / "one.npy", array="X")
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cut\.npz"):
        read_films(tmp_path / "cut.npz")
