"""A model folder is whole or not there, and every kind of damage is refused with the file named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seqloom import load
from seqloom.errors import FormatError, SettingError
from seqloom_runtime.model_folder import read_model, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", "forecast", {"a": 1.5, "ü": ["ß", None]}, {"w": np.arange(6.0).reshape(2, 3)})
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    header, arrays = read_model(folder)
    assert (header["task"], header["a"], header["ü"]) == ("forecast", 1.5, ["ß", None])
    np.testing.assert_array_equal(arrays["w"], np.arange(6.0).reshape(2, 3))
    assert sorted(p.name for p in folder.iterdir()) == ["model.json", "model.safetensors"]
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_same_contents_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "again", "forecast", {"a": 1.5, "ü": ["ß", None]}, {"w": np.arange(6.0).reshape(2, 3)})
    for name in ("model.json", "model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_replaces_a_model_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    write_model(folder, "forecast", {"a": 2}, {})
    assert read_model(folder)[0]["a"] == 2
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingError, match="not empty"):
        write_model(other, "forecast", {}, {})
    assert (other / "thesis.txt").read_text() == "years of work"
    with pytest.raises(SettingError, match="is a file"):
        write_model(other / "thesis.txt", "forecast", {}, {})


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_truncated_weights(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"model\.safetensors.*truncated or altered"):
        read_model(folder)


def test_one_flipped_bit(folder: Path) -> None:
    path = folder / "model.safetensors"
    blob = bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(bytes(blob))
    with pytest.raises(FormatError, match="altered"):
        read_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h | {"a": 1.6}, "checksum"),
        (lambda h: {k: v for k, v in h.items() if k != "checksum"}, "checksum"),
        (lambda h: h | {"schema": 2}, "expected schema 1, found 2"),
        (lambda h: h | {"format": "something else"}, "not a seqloom model"),
        (lambda h: [h], "not a seqloom model"),
    ],
)
def test_altered_header(folder: Path, change, message: str) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FormatError, match=message):
        read_model(folder)


def test_header_that_is_not_json(folder: Path) -> None:
    (folder / "model.json").write_text("{'a': 1}")
    with pytest.raises(FormatError, match="line 1, column 2"):
        read_model(folder)
    (folder / "model.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(FormatError, match="not UTF-8"):
        read_model(folder)


def test_missing_and_foreign_folders(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FormatError, match="no such folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"model\.json is missing"):
        load(tmp_path / "empty")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"model\.safetensors is missing"):
        load(folder)


def test_unknown_task_is_refused_by_name(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "forcast", {}, {})
    with pytest.raises(FormatError, match=r"unknown task 'forcast'\. Did you mean 'forecast'"):
        load(tmp_path / "model")


def test_header_whose_fields_do_not_fit(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"model\.json: .parameters. is missing"):
        load(folder)
