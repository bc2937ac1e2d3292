"""What a panel on disk is made of: the files that are named and no others, names of series as they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seqloom_runtime.data import Panel
from seqloom_runtime.data.on_disk import store_panel
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
