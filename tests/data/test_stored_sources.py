"""What a panel on disk is made of: the files that are named and no others, names of series as they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seqloom_runtime.data import Panel
from seqloom_runtime.data.on_disk import spill, store_panel
from seqloom_runtime.data.reading import read_table
from seqloom_runtime.errors import DataError


def series(level: float, rows: int = 30, **more: object) -> pl.DataFrame:
    when = np.datetime64("2021-03-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    return pl.DataFrame({"time": when, "load": level + np.arange(rows) / 7, **more})


def in_folders(frames: dict[str, pl.DataFrame], folder: Path) -> Path:
    for name, frame in frames.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / name)
    return folder


def alike(source: Path, cache: Path, id: str | None = None) -> Panel:
    """The panel on disk, which is that of memory."""
    stored = store_panel(source, cache, time="time", id=id)
    whole = stored.rows(0, len(stored))
    held = Panel.from_frame(read_table(source), time="time", id=id)
    assert whole.ids == held.ids
    np.testing.assert_array_equal(whole.values, held.values)
    return whole


@pytest.mark.parametrize("names", [("shop=[a]", "shop=a"), ("shop=a*", "shop=ab"), ("shop=a?", "shop=ab")])
def test_folders_whose_names_look_like_patterns(tmp_path: Path, names: tuple[str, str]) -> None:
    source = in_folders({f"{name}/x.parquet": series(100 * at) for at, name in enumerate(names)}, tmp_path / "in")
    panel = alike(source, tmp_path / "cache", id="shop")
    by_name = dict(zip((name.removeprefix("shop=") for name in names), (0.0, 100.0)))
    assert {name: panel.series(name).values[0, 0] for name in panel.ids} == by_name


def test_files_whose_names_look_like_patterns(tmp_path: Path) -> None:
    in_folders({"a[1].parquet": series(5), "a1.parquet": series(900)}, tmp_path / "in")
    assert alike(tmp_path / "in" / "a[1].parquet", tmp_path / "cache").values[0, 0] == 5


@pytest.mark.parametrize(
    "names",
    [("007", "12"), ("7", "07"), ("\N{ARABIC-INDIC DIGIT ONE}", "2"), ("-1", "3"), ("9" * 20, "1"), ("+1", "1")],
)
def test_folders_keep_the_names_that_they_have(tmp_path: Path, names: tuple[str, str]) -> None:
    frames = {f"shop={name}/x.parquet": series(100 * at) for at, name in enumerate(names)}
    panel = alike(in_folders(frames, tmp_path / "in"), tmp_path / "cache", id="shop")
    assert sorted(panel.ids) == sorted(names)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1], [2]]),
        pl.Series([{"a": 1}, {"a": 2}]),
        pl.Series([b"1", b"2"]),
        pl.Series([1, 2], dtype=pl.Duration),
        pl.Series([1, 2], dtype=pl.Time),
    ],
)
def test_what_names_no_series_is_refused_as_in_memory(tmp_path: Path, column: pl.Series) -> None:
    source = in_folders({"x.parquet": series(1, 2).with_columns(shop=column)}, tmp_path / "in")
    with pytest.raises(DataError) as held:
        Panel.from_frame(read_table(source), time="time", id="shop")
    with pytest.raises(DataError) as stored:
        store_panel(source, tmp_path / "cache", time="time", id="shop")
    assert str(stored.value).partition("column")[2] == str(held.value).partition("column")[2] != ""


EACH_ALONE = {
    "a series without a value": {
        "a": series(1),
        "b": series(2).with_columns(load=pl.lit(None, pl.Float64)),
        "c": series(3),
    },
    "a series of marks": {"a": series(1), "b": series(2).with_columns(load=-9999.0), "c": series(3)},
    "a column that one series lacks": {"a": series(1, wind=2.0), "b": series(2, wind=float("nan"))},
    "one value in each series": {"a": series(1, size=10.0), "b": series(2, size=20.0), "c": series(3, size=20.0)},
    "one value in all": {"a": series(1, size=10.0), "b": series(2, size=10.0)},
    "a value that changes in one": {"a": series(1, size=np.arange(30) * 1.0), "b": series(2, size=20.0)},
}


@pytest.mark.parametrize("tables", EACH_ALONE.values(), ids=EACH_ALONE)
def test_what_stands_in_a_group_together_decides_nothing(
    tmp_path: Path, tables: dict[str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = in_folders({f"shop={name}/x.parquet": frame for name, frame in tables.items()}, tmp_path / "in")
    held = Panel.from_frame(read_table(source), time="time", id="shop", missing=(-9999.0,))
    for rows in (30, 60, 1000):
        monkeypatch.setattr(spill, "most_rows", lambda memory, columns, rows=rows: rows)
        stored = store_panel(source, tmp_path / f"cache-{rows}", time="time", id="shop", missing=(-9999.0,))
        whole = stored.rows(0, len(stored))
        assert (whole.ids, whole.columns, set(whole.static)) == (held.ids, held.columns, set(held.static))
        np.testing.assert_array_equal(whole.values, held.values)
        np.testing.assert_array_equal(whole.filled, held.filled)


@pytest.mark.parametrize("columns", [None, ("load", "wind")])
def test_columns_without_any_value(tmp_path: Path, columns: tuple[str, ...] | None) -> None:
    frames = {f"shop={name}/x.parquet": series(1, wind=float("nan")) for name in "ab"}
    source = in_folders(frames, tmp_path / "in")
    if columns is None:
        assert store_panel(source, tmp_path / "cache", time="time", id="shop").columns == ("load",)
        return
    with pytest.raises(DataError, match=r"column 'wind' holds no value at all; leave it out"):
        store_panel(source, tmp_path / "cache", time="time", id="shop", columns=columns)
    assert not (tmp_path / "cache").exists()
