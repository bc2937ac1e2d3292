"""Piano rolls: collections in one file, and MIDI files written of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.sequences import load_music
from seqloom_runtime.data.sequences.midi import midi_bytes, notes_of, write_midi
from seqloom_runtime.data.sequences.rolls import is_rolls, read_rolls


def _saved(path: Path, lengths: tuple[int, ...] = (5, 3)) -> dict[str, list[np.ndarray]]:
    """Made pieces of each part in the packed form."""
    random = np.random.default_rng(0)
    made = {part: [random.integers(0, 2, (n, 88)) for n in lengths] for part in ("train", "valid", "test")}
    arrays = {}
    for part, pieces in made.items():
        arrays[f"{part}_roll"] = np.packbits(np.concatenate(pieces).astype(np.uint8), axis=1)
        arrays[f"{part}_len"] = np.array([len(piece) for piece in pieces], dtype=np.int32)
    np.savez(path, **arrays)
    return made


def test_a_packed_collection(tmp_path: Path) -> None:
    made = _saved(tmp_path / "made.npz")
    assert is_rolls(tmp_path / "made.npz")
    for part, pieces in read_rolls(tmp_path / "made.npz").items():
        for found, expected in zip(pieces, made[part], strict=True):
            np.testing.assert_array_equal(found, expected)


def test_both_forms_hold_the_same(data_dir: Path) -> None:
    pytest.importorskip("scipy")
    packed, original = (read_rolls(data_dir / "poly_music" / f"JSB_Chorales.{form}") for form in ("npz", "mat"))
    assert [len(pieces) for pieces in packed.values()] == [229, 76, 77]
    np.testing.assert_array_equal(np.concatenate(packed["test"]), np.concatenate(original["test"]))
    np.testing.assert_array_equal(packed["valid"][3], load_music("jsb", "valid", cache=data_dir)[3])


def test_other_files_are_no_collections(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", X=np.zeros((2, 3, 1)), y=np.zeros(2))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    assert not is_rolls(tmp_path / "plain.npz")
    assert not is_rolls(tmp_path / "broken.npz")
    assert not is_rolls(tmp_path / "absent.mat")
    _saved(tmp_path / "short.npz", (5, 1))
    with pytest.raises(DataError, match=r"part train, piece 1 \(from 0\): expected at least 2 frames, got 1"):
        read_rolls(tmp_path / "short.npz")


def test_notes_are_held_keys() -> None:
    roll = np.zeros((6, 88))
    roll[0:2, 40] = roll[3, 40] = 1
    roll[1:6, 44] = 1
    assert notes_of(roll) == [(0, 2, 40), (1, 6, 44), (3, 4, 40)]
    assert notes_of(np.zeros((3, 88))) == []


def test_a_midi_file_sounds_what_the_roll_says(tmp_path: Path) -> None:
    mido = pytest.importorskip("mido")
    roll = np.random.default_rng(1).random((40, 88)) < 0.1
    write_midi(tmp_path / "piece.mid", roll, steps_per_minute=120)
    file = mido.MidiFile(tmp_path / "piece.mid")
    assert file.length == pytest.approx(40 * 0.5)
    # Read back independently: what sounds halfway through each step.
    found = np.zeros((40, 88), dtype=bool)
    at, began = 0.0, {}
    for message in file:
        at += message.time
        if message.type == "note_on":
            began[message.note - 21] = at
        elif message.type == "note_off":
            start = began.pop(message.note - 21)
            found[round(start / 0.5) : round(at / 0.5), message.note - 21] = True
    np.testing.assert_array_equal(found, roll)
    assert not began


def test_what_is_no_roll() -> None:
    pytest.importorskip("mido")
    with pytest.raises(DataError, match="expected the 88 keys"):
        midi_bytes(np.zeros((4, 12)))
    with pytest.raises(SettingError, match="steps_per_minute"):
        midi_bytes(np.zeros((4, 88)), steps_per_minute=0)
    import mido

    empty = mido.MidiFile(file=io.BytesIO(midi_bytes(np.zeros((4, 88)))))
    assert empty.length == pytest.approx(1.0)
