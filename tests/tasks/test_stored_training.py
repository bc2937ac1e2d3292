"""Forecasters of panels on disk: the bits of the same fit in memory, and training on rows that no sample holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqloom.tasks import Forecaster
from seqloom.tasks.forecast import compare_forecasters, stored_training, windowed
from seqloom.tasks.forecast.batches import TrainingBatches
from seqloom.tasks.forecast.stored_training import StoredBatches, sampled, training_windows
from seqloom_runtime.data.on_disk import StoredPanel, spill, store_panel
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast import stored_rows
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.roles import Roles

SHAPE: dict[str, Any] = {"lookback": 8, "horizon": 2, "epochs": 1, "steps_per_epoch": 4, "batch_size": 16, "seed": 3}


def table(series: int = 9, rows: int = 120, holes: bool = True) -> pl.DataFrame:
    draw = np.random.default_rng(5)
    parts = []
    for name in range(series):
        load = 10 * name + draw.normal(0, 1 + name, rows).cumsum()
        if holes:
            load[draw.integers(10, rows - 1, 4)] = np.nan
        when = np.datetime64("2021-03-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
        parts.append(
            pl.DataFrame({"shop": np.full(rows, name), "time": when, "load": load, "wind": draw.normal(0, 1, rows)})
        )
    return pl.concat(parts)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredPanel:
    monkeypatch.setattr(spill, "most_rows", lambda memory, columns: 300)
    monkeypatch.setattr(stored_rows, "_PIECE", 250)
    (tmp_path / "in").mkdir()
    for at in range(2):
        table().gather_every(2, at).write_parquet(tmp_path / "in" / f"{at}.parquet")
    return store_panel(tmp_path / "in", tmp_path / "cache", id="shop", time="time")


@pytest.mark.parametrize(
    "how",
    [
        {"model": "gru", "units": 4},
        {"model": "linear", "scaling": "pooled", "anchor": "none"},
        {"model": "linear", "calendar": True, "transform": None, "missing_flags": False},
    ],
)
def test_trains_to_the_bits_of_memory(stored: StoredPanel, how: dict[str, Any]) -> None:
    names: dict[str, Any] = {"target": "load", "inputs": ["load", "wind"]}
    mapped = Forecaster(**SHAPE, **how).fit(stored, **names)
    held = Forecaster(**SHAPE, **how).fit(table(), time="time", id="shop", **names)
    ours, theirs = mapped.learned_.network.state_dict(), held.learned_.network.state_dict()
    assert all(np.array_equal(ours[name].numpy(), theirs[name].numpy()) for name in theirs)
    assert mapped.features_.flagged == held.features_.flagged
    np.testing.assert_array_equal(mapped.forecast().values, held.forecast().values)


def same(ours: Any, theirs: Any) -> None:
    for one, other in zip(ours, theirs, strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert np.array_equal(one.numpy(), other.numpy(), equal_nan=True)


def test_batches_and_scales_are_of_all_rows(stored: StoredPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_training, "rows_in_memory", lambda stored, memory: 400)
    monkeypatch.setattr(windowed, "MOST_SCORED", 7)
    some = sampled(stored, 2 << 30, (0.7, 0.15))
    assert 0 < len(some.ids) < 9
    forecaster = Forecaster(model="linear", **SHAPE)
    names: dict[str, Any] = {"target": "load", "inputs": ["load", "wind"]}
    part = forecaster.prepare(some, **names)
    from seqloom.data import Panel

    whole = forecaster.prepare(Panel.from_frame(table(), time="time", id="shop"), **names)
    assert part.split == whole.split
    for name in ("mean", "std"):
        np.testing.assert_array_equal(getattr(part.features.scaler, name), getattr(whole.features.scaler, name))
    assert len(part.valid) <= 7
    assert len(part.test) <= 7
    mapped, held = StoredBatches(part, "last", 16, 3), TrainingBatches(whole, "last", 16, 3)
    for _ in range(60):  # more than a pass
        same(next(mapped), next(held))
    for units in (False, True):  # targets that are worked out once are those of each batch
        kept, fresh = TrainingBatches(whole, "none", 16, 3, units), TrainingBatches(whole, "none", 16, 3, units)
        monkeypatch.setattr(fresh, "_few", False)
        for _ in range(20):
            same(next(kept), next(fresh))
    again = StoredBatches(part, "last", 16, 3)
    again.restore(mapped.state())  # the place of the next batch, though the disk was asked for later ones
    assert mapped.state() == again.state()
    assert (mapped.state()["epoch"], mapped.state()["position"]) == (held.state()["epoch"], held.state()["position"])
    same(next(again), next(held))
    assert training_windows(part) >= len(whole.train)
    with pytest.raises(SettingError, match="anchor: rows on disk have 'last' and 'none'"):
        next(StoredBatches(part, "seasonal", 16, 3))


def test_static_columns_and_series_without_values_are_scaled_by_all(tmp_path: Path) -> None:
    frame = table(series=4, holes=False).with_columns(
        size=pl.col("shop") * 2.0, wind=pl.when(pl.col("shop") == 2).then(None).otherwise(pl.col("wind"))
    )
    frame.write_parquet(tmp_path / "a.parquet")
    disk = store_panel(tmp_path / "a.parquet", tmp_path / "cache", id="shop", time="time")
    from seqloom.data import Panel

    panel = Panel.from_frame(frame, time="time", id="shop")
    some = sampled(disk, 2 << 30, (0.7, 0.15))
    roles = Roles.choose(panel, "load", ["load", "wind", "size"], (), (), ())
    split = some.bounds((0.7, 0.15))
    ours, theirs = (
        Features(roles, per_series=True).fit(each.select(roles.columns), each.tick < split.train_end)
        for each in (some, panel)
    )
    ours = stored_rows.whole_features(ours, some, split)
    assert ours.scaler is not None
    assert theirs.scaler is not None
    np.testing.assert_array_equal(ours.scaler.mean, theirs.scaler.mean)
    np.testing.assert_array_equal(ours.scaler.std, theirs.scaler.std)
    assert ours.unscaled == theirs.unscaled == ("2",)


def test_a_comparison_says_what_is_of_a_sample(stored: StoredPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_training, "rows_in_memory", lambda stored, memory: 500)
    some = sampled(stored, 2 << 30, (0.7, 0.15))
    run = compare_forecasters(some, ["linear"], {**SHAPE, "levels": (80,)}, target="load", inputs=["load"])
    assert run.metrics["windows"]["train"] > 9 * 60
    assert run.final is run.forecasters[run.metrics["best"]]
    assert set(run.table.ids) == set(some.ids)


def test_what_rows_on_disk_have_not_is_refused(stored: StoredPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"target": "load", "inputs": ["load"]}
    with pytest.raises(SettingError, match=r"refit: .*; fit with refit=False"):
        Forecaster(model="linear", refit=True, **SHAPE).fit(stored, **names)
    with pytest.raises(SettingError, match="cross_validate: rows on disk"):
        Forecaster(model="linear", **SHAPE).cross_validate(stored, **names)
    monkeypatch.setattr(stored_training, "rows_in_memory", lambda stored, memory: 500)
    fitted = Forecaster(model="naive", **SHAPE).fit(stored, **names)
    assert "all 1,080 rows of 9 series" in fitted.notes_[0]
