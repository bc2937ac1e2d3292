"""The made tasks against their published facts, and the real sets against their counts."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.sequences import (
    adding_floor,
    adding_problem,
    copy_floor,
    copy_memory,
    load_mnist,
    load_music,
    next_frames,
    pixel_order,
    read_idx,
)
from seqloom_runtime.data.sequences.music import MUSIC, original_rolls, packed_rolls


@pytest.mark.parametrize("steps", [2, 3, 50])
def test_adding_has_a_mark_in_each_half_and_the_sum_of_what_is_marked(steps: int) -> None:
    x, y = adding_problem(500, steps, seed=3)
    assert x.shape == (500, steps, 2)
    assert x.dtype == y.dtype == np.float32
    assert ((x[:, :, 1] == 0) | (x[:, :, 1] == 1)).all()
    assert (x[:, : steps // 2, 1].sum(axis=1) == 1).all()
    assert (x[:, steps // 2 :, 1].sum(axis=1) == 1).all()
    assert 0 <= x[:, :, 0].min() < x[:, :, 0].max() < 1
    np.testing.assert_allclose(y, (x[:, :, 0] * x[:, :, 1]).sum(axis=1), rtol=1e-6)
    # Every step of a half is marked about equally often.
    share = x[:, :, 1].mean(axis=0) * np.where(np.arange(steps) < steps // 2, steps // 2, steps - steps // 2)
    assert abs(share - 1).max() < 0.9


def test_answering_one_throughout_scores_a_sixth() -> None:
    _, y = adding_problem(40_000, 4, seed=1)
    assert np.square(y.astype(float) - 1).mean() == pytest.approx(0.1667, abs=0.002)
    assert adding_floor() == pytest.approx(0.1667, abs=5e-5)


def test_copy_memory_is_laid_out_as_published() -> None:
    x, y = copy_memory(200, 30, seed=2)
    assert x.shape == (200, 50, 1)
    assert y.shape == (200, 50)
    assert set(np.unique(x[:, :10])) == set(range(1, 9))
    assert (x[:, 10:39] == 0).all()
    assert (x[:, 39:] == 9).all()
    assert (y[:, :40] == 0).all()
    assert np.array_equal(y[:, 40:], x[:, :10, 0].astype(int))


def test_the_memoryless_floor_is_the_published_one() -> None:
    assert copy_floor(1000) == pytest.approx(0.0204, abs=5e-5)
    # The cross-entropy of knowing everything but the ten digits, worked out on the data.
    _, y = copy_memory(50, 40)
    guess = np.zeros((60, 9))
    guess[:50, 0], guess[50:, 1:] = 1.0, 1 / 8
    loss = -np.log(np.take_along_axis(np.broadcast_to(guess, (50, 60, 9)), y[:, :, None], axis=2)).mean()
    assert loss == pytest.approx(copy_floor(40))


def test_made_sequences_come_from_the_seed_alone() -> None:
    for make in (adding_problem, copy_memory):
        one, two, other = make(5, 12, seed=4), make(5, 12, seed=4), make(5, 12, seed=5)
        assert one[0].tobytes() == two[0].tobytes()
        assert one[0].tobytes() != other[0].tobytes()
    for bad in ({"count": 0}, {"steps": 1}, {"seed": -1}, {"count": True}):
        with pytest.raises(SettingError, match=next(iter(bad))):
            adding_problem(**{"count": 3, "steps": 5, "seed": 0, **bad})


@pytest.fixture
def real(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))
    return data_dir


def test_mnist_has_its_counts(real: Path) -> None:
    x, y = load_mnist("test")
    assert x.shape == (10_000, 784, 1)
    assert np.bincount(y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x.min() == pytest.approx(-0.1307 / 0.3081, rel=1e-6)
    assert x.max() == pytest.approx((1 - 0.1307) / 0.3081, rel=1e-6)
    turned, same = load_mnist("test", permuted=True)
    assert np.array_equal(same, y)
    assert np.array_equal(turned[:50], x[:50, pixel_order()])
    labels = read_idx(real / "mnist" / "train-labels-idx1-ubyte.gz")
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    with pytest.raises(SettingError, match="part: expected one of train, test"):
        load_mnist("valid")


@pytest.mark.deep
def test_mnist_s_training_pixels_are_standardised(real: Path) -> None:
    x, y = load_mnist("train")
    assert x.shape == (60_000, 784, 1)
    assert len(y) == 60_000
    assert abs(x.mean(dtype=np.float64)) < 1e-3
    assert x.std(dtype=np.float64) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "pieces", "frames"),
    [("jsb", (229, 76, 77), 13_807), ("nottingham", (694, 173, 170), 176_561), ("muse", (524, 135, 124), 245_202)],
)
def test_music_has_its_counts(real: Path, name: str, pieces: tuple[int, ...], frames: int) -> None:
    parts = [load_music(name, part) for part in ("train", "valid", "test")]
    assert tuple(map(len, parts)) == pieces
    assert sum(map(len, parts[0])) == frames
    assert all(piece.shape[1] == 88 and set(np.unique(piece)) <= {0.0, 1.0} for piece in parts[1])


def test_packed_music_is_the_original_s(real: Path) -> None:
    pytest.importorskip("scipy")
    packed, original = (file.find() for file in MUSIC["jsb"])
    if packed is None or original is None:
        pytest.skip("one of the two forms of the chorales is not among the data sets")
    for part in ("train", "valid", "test"):
        ours, theirs = packed_rolls(packed, part), original_rolls(original, part)
        assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_next_frames_and_a_damaged_roll(tmp_path: Path) -> None:
    x, y = next_frames([np.arange(6.0).reshape(3, 2), np.ones((2, 2))])
    assert [len(piece) for piece in x] == [2, 1]
    assert y[0].tolist() == [[2, 3], [4, 5]]
    with pytest.raises(DataError, match="piece 1: expected at least 2 frames, got 1"):
        next_frames([np.ones((2, 2)), np.ones((1, 2))])
    path = tmp_path / "JSB.npz"
    np.savez(path, train_roll=np.zeros((5, 11), np.uint8), train_len=np.array([2, 2]))
    with pytest.raises(DataError, match="expected 4 frames in part 'train', found 5"):
        packed_rolls(path, "train")
    with pytest.raises(DataError, match="expected the piano rolls of part 'test'"):
        packed_rolls(path, "test")
    for arguments, words in ((("bach",), "name: expected one of jsb"), (("jsb", "all"), "part: expected one of")):
        with pytest.raises(SettingError, match=words):
            load_music(*arguments)


def test_idx_files(tmp_path: Path) -> None:
    path = tmp_path / "x"
    values = np.arange(-6, 6, dtype=np.int32).reshape(3, 4)
    body = struct.pack(">HBBII", 0, 0x0C, 2, 3, 4) + values.astype(">i4").tobytes()
    for data in (body, gzip.compress(body)):
        path.write_bytes(data)
        assert np.array_equal(read_idx(path), values)
    for data, words in (
        (body[:-1], "expected 48 bytes for shape"),
        (gzip.compress(body)[:-9], "the gzip file is cut short"),
        (b"\0\1" + body[2:], "expected an IDX file, its first bytes are 00 01 0c 02"),
        (b"\0\0\x07\1" + body[4:], "expected an IDX file"),
        (b"", "expected an IDX file, the file is empty"),
        (b"\0\0\x08\xff", "expected an IDX file"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            read_idx(path)
