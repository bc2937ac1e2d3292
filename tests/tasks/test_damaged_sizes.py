"""Sizes in saved models are bounded by what the file holds, and what is said about them is one short sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import hourly, small
from sequence_cases import fitted, walks

from seqloom import Panel, TextClassifier, load
from seqloom.errors import FormatError, SeqloomError, SettingError
from seqloom.tasks import LanguageModel
from seqloom.tasks.networks.pooling import max_of_steps
from seqloom_runtime import limits
from seqloom_runtime.files import read_json, sha256_bytes, write_json
from seqloom_runtime.model_folder import read_model, write_model


def test_a_pool_beyond_the_sequence_takes_no_room() -> None:
    """The largest of 10¹² steps is the largest of those that there are."""
    x = torch.tensor([[[1.0, -2.0], [5.0, -3.0], [3.0, -9.0]]])
    counted = torch.tensor([[True, False, True]])
    assert max_of_steps(x, None, 10**12)[0].tolist() == [[[5.0, -2.0]]]
    found, mask = max_of_steps(x, counted, 10**12)
    assert (found.tolist(), None if mask is None else mask.tolist()) == ([[[3.0, -2.0]]], [[True]])
    none = max_of_steps(x[:, :1], counted[:, :1] & False, 10**12)
    assert none[0].tolist() == [[[0.0, 0.0]]]


def test_a_model_with_such_a_pool_predicts(tmp_path: Path) -> None:
    fitted("classifier", "conv", epochs=1).save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    for place in (header["parameters"], header["network"]["body"]):
        place["pool_size"] = 1 << 20
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, arrays)
    before = torch.get_num_threads()
    assert len(load(tmp_path / "m").predict(walks(400))) == 400
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["gru", "tcn"])
def test_layers_that_no_model_has_are_refused_before_any_is_built(name: str, tmp_path: Path) -> None:
    """Neither the parameters nor the network of a damaged file may name 10¹⁵ of them."""
    text = "the cat sat on the mat\n" * 40
    LanguageModel(model=name, units=6, layers=1, epochs=1, batch_size=2, window=5).fit(text).save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    for place in (header["network"], header["parameters"]):
        place["layers"] = 10**15
        body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
        write_model(tmp_path / "m", header["task"], body, arrays)
        with pytest.raises(FormatError, match="layers"):
            load(tmp_path / "m")


def test_the_damped_baseline_of_rows_a_microsecond_apart() -> None:
    """A day has 86,400,000,000 of them; only those with training rows take room."""
    times = np.datetime64("2024-01-01", "us") + np.arange(60)
    panel = Panel.from_numpy(np.sin(np.arange(60.0))[:, None], ["y"], time=times)
    table = small(model="damped-persistence", season=None).fit(panel, target="y").predict()
    assert np.isfinite(table["y"]).all()


# -- odd files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small(model="naive").fit(hourly(), target="load").save(tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(FormatError, match=name.replace(".", r"\.")):
        load(folder)
    with pytest.raises(FormatError, match="expected a file, found"):
        read_json(path)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_file_that_does_not_fit_the_memory_is_not_read(folder: Path, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: 30_000_000)
    os.truncate(folder / name, 10**10)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read") if path.name == name else b"")
    with pytest.raises(FormatError, match=r"10,000,000,000 bytes needs|10000000000 bytes that differ"):
        load(folder) if name == "model.json" else read_model_but_header(folder)


def read_model_but_header(folder: Path) -> Any:
    """The arrays alone, as `read_model` reads them."""
    from seqloom_runtime import model_folder

    header = {"files": {"model.safetensors": {"bytes": 7, "sha256": ""}}}
    return model_folder._arrays(folder, header)


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"a": NaN}', "NaN"), ('{"a": ' + "9" * 5000 + "}", "ordinary numbers"), ("[" * 10**5, "too deeply")],
)
def test_json_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FormatError, match=rf"run\.json: .*{words}"):
        read_json(tmp_path / "run.json")


def altered(folder: Path, place: tuple[Any, ...], value: Any) -> Path:
    """The model with another value at that place and a checksum that matches, NaN and half characters included."""
    header = json.loads((folder / "model.json").read_text())
    above = header
    for key in place[:-1]:
        above = above[key]
    above[place[-1]] = value
    del header["checksum"]
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    header["checksum"] = sha256_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "model.json").write_text(json.dumps(header))
    return folder


@pytest.mark.parametrize(
    "place", [("parameters", "units"), ("windows",), ("features", "inputs"), ("notes",), ("radii",), ("source",)]
)
@pytest.mark.parametrize("value", [[7] * 100_000, "x\x1b[31m" * 10_000, {"k": ["y"] * 50_000}])
def test_long_values_make_no_long_sentence(folder: Path, place: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(SeqloomError) as caught:
        load(altered(folder, place, value))
    assert len(str(caught.value)) < 1200
    assert str(caught.value).isprintable()


def test_half_a_character_is_refused_before_it_reaches_a_table(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="half of a surrogate pair"):
        load(altered(folder, ("notes",), ["caf\ud800"]))
    texts, labels = ["a b", "c d"] * 4, ["\ud800", "y"] * 4
    model = TextClassifier(model="majority").fit(texts, labels)
    with pytest.raises(SettingError, match="half of a surrogate pair"):
        model.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_model_loads_where_it_could_not_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(model="linear").fit(hourly(), target="load")
    model.save(tmp_path / "m")
    monkeypatch.setattr("seqloom.tasks.memory.need_memory", lambda *_, **__: pytest.fail("training was thought of"))
    assert load(tmp_path / "m").predict()["load"].tolist() == model.predict()["load"].tolist()


def test_json_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": float("nan"), "y": [1, "ä\u2028"]})
    assert read_json(tmp_path / "a.json") == {"x": None, "y": [1, "ä\u2028"]}
