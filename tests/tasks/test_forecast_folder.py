"""Saved forecasters: the same forecasts from a fresh process, and a refusal in one sentence for every odd folder."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import MODELS, hourly, load_and_wind, several, small, swept
from hypothesis import given
from hypothesis import strategies as st

from seqloom import Forecaster, load
from seqloom.errors import FormatError, SeqloomError
from seqloom.tasks.loading import estimator_from
from seqloom_runtime.model_folder import read_model, write_model

EXTRA: dict[str, dict[str, Any]] = {
    "linear": {"anchor": "none", "scaling": "series"},
    "dense": {"anchor": "auto", "activation": "softsign", "layers": 2},
    "rnn": {"activation": "prelu", "missing_flags": True},
    "gru": {"bidirectional": True, "calendar": True},
    "lstm": {"layers": 2, "anchor": "seasonal", "lookback": "12h", "between_dropout": 0.2},
}


def fitted(model: str) -> Forecaster:
    future = ["wind"] if model == "dense" else []
    panel = hourly(zone="Europe/Berlin")
    if future:
        values = panel.values.copy()
        values[-6:, 0] = np.nan
        panel = dataclasses.replace(panel, values=values)
    return small(model=model, **EXTRA.get(model, {})).fit(
        panel, target="load", inputs=["load"] if future else "*", future=future
    )


SCRIPT = """
import json, sys
from pathlib import Path
from seqloom import load
for folder in sorted(Path(sys.argv[1]).iterdir()):
    table = load(folder).forecast()
    columns = {name: [x.hex() if isinstance(x, float) else str(x) for x in column.tolist()]
               for name, column in table.columns("load").items()}
    print(json.dumps({"name": folder.name, **columns}))
"""


@pytest.mark.parametrize("logarithms", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_every_model_forecasts_the_same_bits_in_a_fresh_process(tmp_path: Path, logarithms: bool) -> None:
    expected = {}
    models = [model for model in MODELS if model.startswith("log-") == logarithms]
    for model in models:
        forecaster = fitted(model)
        forecaster.save(tmp_path / model)
        columns = forecaster.forecast().columns("load")
        expected[model] = {
            name: [x.hex() if isinstance(x, float) else str(x) for x in column.tolist()]
            for name, column in columns.items()
        }
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=60,
    )  # fmt: skip
    found = {record.pop("name"): record for record in map(json.loads, run.stdout.splitlines())}
    assert set(found) == set(models)
    for model in models:
        assert found[model] == expected[model], model


@pytest.mark.parametrize("model", swept(MODELS))
def test_everything_comes_back(model: str, tmp_path: Path) -> None:
    forecaster = fitted(model)
    forecaster.save(tmp_path / "one")
    again = load(tmp_path / "one")
    # A scaling that was left open is saved as what it came to.
    scaling = "series" if forecaster.features_.per_series else "pooled"
    assert repr(again) == repr(forecaster.set_params(scaling=scaling))
    for name in ("anchor_", "choosing_mae_", "n_parameters_", "notes_", "season_", "zone_", "source_", "window_spec_"):
        assert getattr(again, name) == getattr(forecaster, name), name
    assert again.features_.to_json() == forecaster.features_.to_json()
    assert again.radii_.keys() == forecaster.radii_.keys()
    for level, radii in forecaster.radii_.items():
        np.testing.assert_array_equal(again.radii_[level], radii)
    again.save(tmp_path / "two")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    rows = hourly(zone="Europe/Berlin").take(np.arange(200 if model != "dense" else 240))
    if model != "dense":
        np.testing.assert_array_equal(again.predict(rows)["load"], forecaster.predict(rows)["load"])


@pytest.mark.parametrize("model", ["linear", "damped-persistence", "theta"])
def test_several_series_come_back(model: str, tmp_path: Path) -> None:
    panel = several({"a": 200, "b": 150, "c": 180})
    forecaster = small(model=model, scaling="series").fit(panel, target="column_0")
    forecaster.save(tmp_path / "m")
    again = load(tmp_path / "m")
    for data in (None, panel):
        one, two = again.predict(data), forecaster.predict(data)
        assert list(one) == list(two)
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])


def test_load_takes_a_run_folder(tmp_path: Path) -> None:
    small(model="naive").fit(hourly(), target="load", inputs="*").save(tmp_path / "run" / "model")
    assert isinstance(load(tmp_path / "run"), Forecaster)


def test_a_choice_without_a_score_is_saved(tmp_path: Path) -> None:
    """No choosing window has a season before it: the error is infinite, which JSON can't hold."""
    forecaster = small(model="seasonal", season=200).fit(hourly(), target="load", inputs="*")
    assert forecaster.choosing_mae_ == float("inf")
    forecaster.save(tmp_path / "m")
    assert load(tmp_path / "m").choosing_mae_ == float("inf")


# -- odd folders --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Header and arrays of a few models."""
    found = {}
    for model in ("gru", "linear", "damped-persistence"):
        folder = tmp_path_factory.mktemp(model) / "model"
        fitted(model).save(folder)
        found[model] = read_model(folder)
    return found


Header = dict[str, Any]
Arrays = dict[str, np.ndarray]


def rewritten(folder: Path, header: Header, arrays: Arrays) -> Path:
    """A folder with these contents and right checksums."""
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(folder, "forecast", body, arrays)
    return folder


def change(path: str, value: Any) -> Callable[[Header, Arrays], None]:
    """Set header[a][b]… at "a.b…"."""

    def apply(header: Header, arrays: Arrays) -> None:
        *names, last = path.split(".")
        for name in names:
            header = header[name]
        header[last] = value

    return apply


def arrays_with(**changes: Any) -> Callable[[Header, Arrays], None]:
    """Change arrays: a function of the old one, or None to remove it."""

    def apply(header: Header, arrays: Arrays) -> None:
        for name, value in changes.items():
            name = name.replace("__", ".")
            if value is None:
                del arrays[name]
            else:
                arrays[name] = value(arrays.get(name))

    return apply


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (change("network.name", "transformer"), "differs from what the other fields say"),
        (change("parameters.model", "transformer"), r"model: expected one of .*got 'transformer'"),
        (change("parameters.units", 5), "differs from what the other fields say"),
        (change("network.units", "4"), "expected int under 'units', found '4'"),
        (change("network.units", 4.0), "expected int under 'units', found 4.0"),
        (change("parameters.units", 10**6), "differs from what the other fields say"),
        (change("parameters.lookback", 13), "differ from what the parameters say"),
        (change("windows.horizon", 8), "differ from what the parameters say"),
        (change("windows.horizon", True), "differ from what the parameters say"),
        (change("parameters.epochs", "many"), "epochs: expected a whole number"),
        (change("parameters.unit", 3), r"the parameter 'unit' is unknown\. Did you mean 'units'"),
        (lambda header, arrays: header["parameters"].pop("units"), "the parameter 'units' is missing"),
        (change("parameters", None), "'parameters' is missing or of the wrong type"),
        (change("frequency.kind", "weekly"), "frequency: expected one of"),
        (change("frequency.zone", "Mars/Base"), "time zone"),
        (change("zone", "Europe/Paris"), "'zone' is 'Europe/Paris', but the other fields imply 'Europe/Berlin'"),
        (change("anchor", "seasonal"), "expected the anchor last, found 'seasonal'"),
        (change("radii", {"80": [1.0]}), "expected 4 radii"),
        (change("radii", {"99": [1.0] * 4}), "expected radii for levels among 80, 95"),
        (change("radii", {"80": [-1.0] * 4}), "radii of at least 0"),
        (change("choosing_mae", "low"), "under 'choosing_mae'"),
        (change("n_parameters", 7), "'n_parameters' is 7"),
        (change("notes", "x"), "'notes' is missing or of the wrong type"),
        (change("source", {}), "under 'source'"),
        (change("source.frame", "spark"), "under 'source'"),
        (change("source.whole_ids", 1), "under 'source'"),
        (change("source.whole_ids", True), "the source says that ids are whole numbers"),
        (change("features.target", "rain"), "don't fit 0 series and 3 columns"),
        (change("features.cycles", ["month"]), "contradict each other"),
        (change("features.inputs", ["load", "load"]), "'inputs' is"),
        (change("features.inputs", ["load"]), "scaler|columns"),
        (change("features.per_series", True), "contradict each other"),
        (change("context.columns", ["wind", "load"]), "'columns' is"),
        (change("context.ids", ["a", "b"]), "offsets"),
        (change("context.timed", False), "'timed' is False"),
        (arrays_with(scaler__mean=None), "expected the arrays 'mean' and 'std'"),
        (arrays_with(scaler__std=lambda a: a * 0), "positive standard deviations"),
        (arrays_with(scaler__mean=lambda a: a.astype(np.float32)), "as float64"),
        (arrays_with(context__values=lambda a: a.astype(np.float32)), "'context.values' with 2 axes of float64"),
        (arrays_with(context__values=lambda a: a * np.inf), "infinite"),
        (arrays_with(context__tick=lambda a: a[::-1].copy()), "ticks must rise"),
        (arrays_with(context__tick=None), "'context.tick' with 1 axes of int64, found none"),
        (arrays_with(context__offsets=lambda a: a + 1), "offsets must rise"),
        (arrays_with(context__filled=lambda a: a[:-1]), "expected filled of shape"),
        (arrays_with(stray=lambda a: np.zeros(3)), "'stray' belongs to nothing"),
        (arrays_with(network__output__bias=None), "has .* weights, the file holds"),
        (arrays_with(network__extra=lambda a: np.zeros(3, np.float32)), "has .* weights, the file holds"),
        (arrays_with(network__output__bias=lambda a: a[:-1]), "has .* weights, the file holds"),
        (arrays_with(network__output__weight=lambda a: a.T.copy()), "of shape .* and float32, found"),
        (arrays_with(network__output__bias=lambda a: a.astype(np.float64)), "and float32, found"),
        (arrays_with(network__output__bias=lambda a: a * np.nan), "NaN or infinite weights"),
        (
            arrays_with(network__output__bias=None, network__output__bais=lambda a: np.zeros(4, np.float32)),
            "is on one side only",
        ),
    ],
)
def test_folders_that_contradict_themselves(saved: Any, tmp_path: Path, alter: Any, words: str) -> None:
    header, arrays = copy.deepcopy(saved["gru"])
    alter(header, arrays)
    with pytest.raises(FormatError, match=words) as caught:
        load(rewritten(tmp_path / "model", header, arrays))
    assert str(tmp_path) in str(caught.value)


def test_network_and_baseline_are_not_mixed(saved: Any, tmp_path: Path) -> None:
    header, arrays = copy.deepcopy(saved["gru"])
    header["parameters"]["model"] = "naive"
    with pytest.raises(FormatError):
        load(rewritten(tmp_path / "a", header, arrays))
    header, arrays = copy.deepcopy(saved["damped-persistence"])
    header["network"] = saved["gru"][0]["network"]
    with pytest.raises(FormatError, match="is no network"):
        load(rewritten(tmp_path / "b", header, arrays))
    header, arrays = copy.deepcopy(saved["damped-persistence"])
    header["parameters"]["model"] = "gru"
    with pytest.raises(FormatError):
        load(rewritten(tmp_path / "c", header, arrays))


def test_a_size_that_would_fill_the_memory_is_refused(saved: Any, tmp_path: Path) -> None:
    for units in (10**6, 10**12):
        header, arrays = copy.deepcopy(saved["gru"])
        header["parameters"]["units"] = header["network"]["units"] = units
        with pytest.raises(FormatError, match=r"weights, the file holds|of at most 1,048,576"):
            load(rewritten(tmp_path / "model", header, arrays))
    header, arrays = copy.deepcopy(saved["damped-persistence"])
    header["parameters"]["horizon"] = header["windows"]["horizon"] = 4 * 10**8
    with pytest.raises(FormatError, match="at most 10,000,000 rows"):
        load(rewritten(tmp_path / "model", header, arrays))


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1, 2, 4, 12, 13, 24, 10**30, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["gru", "naive", "seasonal", "last", "none", "Europe/Paris", "load", "wind", "day", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_change_of_the_json_is_refused_or_harmless(saved: Any, data: st.DataObject) -> None:
    """With a right checksum: loading raises FormatError, or gives a forecaster that forecasts (or says why not)."""
    header, arrays = copy.deepcopy(saved[data.draw(st.sampled_from(sorted(saved)))])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from([p for p in places(header) if p[0] not in ("format", "schema", "checksum")]))
        parent: Any = header
        for key in path[:-1]:
            parent = parent[key]
        if data.draw(st.booleans()) or isinstance(parent, list):
            parent[path[-1]] = data.draw(JSON)
        else:
            del parent[path[-1]]
    try:
        forecaster = estimator_from("forecast", header, arrays)
    except FormatError:
        return
    try:
        table = forecaster.forecast()
    except SeqloomError:
        return
    assert len(table.values) == len(table.ids)


@given(st.data())
def test_any_change_of_the_files_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("bytes") / "model"
    small(model="linear", levels=()).fit(hourly(), target="load", inputs="*").save(folder)
    path = folder / data.draw(st.sampled_from(["model.json", "model.safetensors"]))
    before = path.read_bytes()
    blob = bytearray(before)
    at = data.draw(st.integers(0, len(blob) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    if kind == "flip":
        blob[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del blob[at:]
    else:
        blob[at:at] = data.draw(st.binary(min_size=1, max_size=4))
    path.write_bytes(bytes(blob))
    harmless = path.suffix == ".json" and same_json(bytes(blob), before)
    if harmless:
        load(folder)
    else:
        with pytest.raises(FormatError, match=str(folder)):
            load(folder)


def same_json(one: bytes, other: bytes) -> bool:
    """Whether two texts hold the same values: only the white space between them differs."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def test_odd_json(saved: Any, tmp_path: Path) -> None:
    for number, text in enumerate(
        ["[" * 100_000, "1" * 5000, '{"format": "seqloom model", "schema": 1, "x": NaN}', "null"]
    ):
        folder = rewritten(tmp_path / str(number), *saved["linear"])
        (folder / "model.json").write_text(text)
        with pytest.raises(FormatError, match=r"model\.json"):
            load(folder)


def test_safetensors_of_other_kinds(saved: Any, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save

    header, arrays = saved["linear"]
    folder = rewritten(tmp_path / "model", header, arrays)
    tensors = {name: torch.from_numpy(a.copy()) for name, a in arrays.items()}
    blob = save({**tensors, "network.output.bias": tensors["network.output.bias"].bfloat16()})
    from seqloom_runtime import model_folder

    record = json.loads((folder / "model.json").read_text())
    record["files"]["model.safetensors"] = {"bytes": len(blob), "sha256": model_folder.sha256_bytes(blob)}
    record["checksum"] = model_folder._checksum(record)
    (folder / "model.json").write_text(json.dumps(record))
    (folder / "model.safetensors").write_bytes(blob)
    with pytest.raises(FormatError):
        load(folder)


def test_header_without_its_files(saved: Any, tmp_path: Path) -> None:
    from seqloom_runtime import model_folder

    folder = rewritten(tmp_path / "model", *saved["linear"])
    for files in (None, {}, [], {"model.safetensors": 3}, {"model.safetensors": {"bytes": 3}}):
        record = json.loads((folder / "model.json").read_text()) | {"files": files}
        record["checksum"] = model_folder._checksum(record)
        (folder / "model.json").write_text(json.dumps(record))
        with pytest.raises(FormatError, match="size and checksum"):
            load(folder)


def test_unused_columns_are_not_kept(tmp_path: Path) -> None:
    values = np.concatenate([load_and_wind(), np.ones((240, 1))], axis=1)
    forecaster = small(model="linear").fit(values, target="column_0", inputs=["column_1"])
    forecaster.save(tmp_path / "m")
    _, arrays = read_model(tmp_path / "m")
    assert arrays["context.values"].shape == (12, 2)
