"""Panels on disk: the same panel as in memory whatever the memory bound, reused, refused, and never half made."""

from __future__ import annotations

import errno
import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqloom.app.flags import in_flags
from seqloom.app.stored import bytes_of
from seqloom_runtime.data import Panel, Split, Standardizer
from seqloom_runtime.data.batches import ShuffledOrigins
from seqloom_runtime.data.exact_sums import ExactSum, Moments
from seqloom_runtime.data.on_disk import StoredPanel, sample, spill, store_panel, written
from seqloom_runtime.data.on_disk.ticks import TickRanges
from seqloom_runtime.data.origin_set import DrawnOrigins, OriginSet
from seqloom_runtime.data.scaling import exact_moments
from seqloom_runtime.errors import DataError, FormatError, SettingError

HOUR = np.timedelta64(1, "h")


def table(series: int = 12, rows: int = 60, seed: int = 3) -> pl.DataFrame:
    """Series of unequal lengths with holes, single missing cells and rows out of order."""
    draw = np.random.default_rng(seed)
    parts = []
    for name in range(series):
        count = rows + int(draw.integers(0, 20))
        kept = np.sort(draw.permutation(count)[: count - 4])
        when = np.datetime64("2021-03-01T00", "us") + kept * HOUR
        load = draw.normal(10 * name, 1 + name, len(kept))
        load[draw.integers(0, len(kept), 3)] = np.nan
        parts.append(
            pl.DataFrame(
                {"shop": np.full(len(kept), name), "time": when, "load": load, "wind": draw.normal(0, 1, len(kept))}
            )
        )
    return pl.concat(parts)


def in_folder(frame: pl.DataFrame, folder: Path, files: int = 3) -> Path:
    """The rows in files, every file with rows of most series."""
    folder.mkdir()
    for at in range(files):
        frame.gather_every(files, at).write_parquet(folder / f"part-{at}.parquet", row_group_size=50)
    return folder


@pytest.fixture
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of two series or so, as of a table much larger than memory."""
    monkeypatch.setattr(spill, "most_rows", lambda memory, columns: 150)


def same(stored: StoredPanel, panel: Panel) -> None:
    whole = stored.rows(0, len(stored))
    assert whole.fingerprint() == panel.fingerprint()
    np.testing.assert_array_equal(whole.time, panel.time)


def test_is_the_panel_that_memory_holds(tmp_path: Path, few_rows_at_a_time: None) -> None:
    frame = table()
    told: list[str] = []
    stored = store_panel(
        in_folder(frame, tmp_path / "in"), tmp_path / "cache", id="shop", on_progress=lambda what, *_: told.append(what)
    )
    panel = Panel.from_frame(frame, time="time", id="shop")
    assert panel.filled.any()
    assert len(set(told)) == 4
    same(stored, panel)
    assert stored.quality is not None
    assert panel.quality is not None
    assert stored.quality.rows_read == len(frame)
    assert [(c.missing, c.filled, c.min, c.max) for c in stored.quality.columns] == [
        (c.missing, c.filled, c.min, c.max) for c in panel.quality.columns
    ]
    stored.verify()
    assert not list(tmp_path.glob(".*"))


def test_folders_may_name_the_series(tmp_path: Path) -> None:
    frame = table(series=3)
    for name in (0, 1, 2):
        folder = tmp_path / "in" / f"shop={name}"
        folder.mkdir(parents=True)
        frame.filter(pl.col("shop") == name).drop("shop").sample(fraction=1.0, shuffle=True, seed=2).write_parquet(
            folder / "a.parquet"
        )
    same(
        store_panel(tmp_path / "in", tmp_path / "cache", id="shop", time="time"),
        Panel.from_frame(frame, time="time", id="shop"),
    )


def test_several_columns_name_a_series(tmp_path: Path, few_rows_at_a_time: None) -> None:
    frame = table(series=4).with_columns(town=pl.col("shop") % 2, shop=pl.lit("a/b"))
    stored = store_panel(
        in_folder(frame.sort("time"), tmp_path / "in"), tmp_path / "cache", id="shop,town", duplicates="first"
    )
    assert stored.ids == ("a//b / 0", "a//b / 1")


def test_is_used_again_until_a_file_changes(tmp_path: Path) -> None:
    source = in_folder(table(), tmp_path / "in")
    first = store_panel(source, tmp_path / "cache", id="shop")
    stamp = (tmp_path / "cache" / "values.bin").stat().st_mtime_ns
    again = store_panel(source, tmp_path / "cache", id="shop", time="time", columns=["load"])
    assert "used again" in again.notes[0]
    assert (tmp_path / "cache" / "values.bin").stat().st_mtime_ns == stamp
    table(seed=9).write_parquet(source / "part-0.parquet")
    with pytest.raises(DataError, match=r"two rows of 2021-.* that differ, row \d+ of .*part-0.parquet and row"):
        store_panel(source, tmp_path / "cache", id="shop")
    assert StoredPanel.open(tmp_path / "cache").fingerprint == first.fingerprint
    with pytest.raises(SettingError, match="was made with id='shop', now it is None"):
        store_panel(source, tmp_path / "cache")
    with pytest.raises(SettingError, match=r"holds the panel of .*in, not of .*other"):
        store_panel(in_folder(table(), tmp_path / "other"), tmp_path / "cache", id="shop")


@pytest.mark.parametrize("file", ["values.bin", "tick.bin", "offsets.bin", "ids.json", "stored-panel.json"])
def test_a_damaged_one_is_refused_and_made_anew(tmp_path: Path, file: str) -> None:
    source = in_folder(table(series=3), tmp_path / "in")
    made = store_panel(source, tmp_path / "cache", id="shop")
    path = tmp_path / "cache" / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError):
        StoredPanel.open(tmp_path / "cache")
    again = store_panel(source, tmp_path / "cache", id="shop")
    assert "was made anew" in again.notes[0]
    assert again.fingerprint == made.fingerprint


def test_an_older_layout_is_made_anew(tmp_path: Path) -> None:
    source = in_folder(table(series=3), tmp_path / "in")
    store_panel(source, tmp_path / "cache", id="shop")
    header = tmp_path / "cache" / "stored-panel.json"
    header.write_text(header.read_text().replace('"schema": 1', '"schema": 7'))
    with pytest.raises(FormatError, match="expected schema 1, found 7"):
        StoredPanel.open(tmp_path / "cache")
    assert "found 7" in store_panel(source, tmp_path / "cache", id="shop").notes[0]


def test_what_the_files_hold_is_checked(tmp_path: Path) -> None:
    frame = table(series=3)
    source = in_folder(frame, tmp_path / "in")

    def refused(match: str, kind: type[Exception] = DataError, **how: object) -> None:
        with pytest.raises(kind, match=match):
            store_panel(source, tmp_path / "cache", **({"id": "shop"} | how))  # pyright: ignore[reportArgumentType]
        assert not (tmp_path / "cache").exists()
        assert not list(tmp_path.glob(".*"))

    frame.with_columns(pl.col("wind").cast(pl.Float32)).write_parquet(source / "part-9.parquet")
    refused("part-9.parquet: column 'wind' is of type Float32, in .*part-0.parquet of type Float64")
    frame.drop("wind").write_parquet(source / "part-9.parquet")
    refused("part-9.parquet: expected the columns of .*part-0.parquet, it lacks 'wind'")
    (source / "part-9.parquet").write_bytes(b"shop,time\n1,2\n")
    refused("part-9.parquet: a panel on disk is made of Parquet files, and this begins with 'shop'; a CSV file")
    (source / "part-9.parquet").write_bytes((source / "part-0.parquet").read_bytes()[:-20])
    refused("part-9.parquet: the file starts as Parquet but is damaged")
    (source / "part-9.parquet").unlink()
    (source / "notes.txt").write_text("x")
    refused("notes.txt: expected Parquet files alone")
    (source / "notes.txt").unlink()
    frame.clear().write_parquet(source / "part-9.parquet")
    refused("no column is named 'sun'", columns=["sun"])
    refused("no id column is named 'store'", id="store")
    refused("memory: expected at least 600", SettingError, memory=1000)
    refused("categories: a panel on disk holds columns of numbers alone", SettingError, categories=("wind",))
    store_panel(source, tmp_path / "cache", id="shop")  # an empty file among them is no fault
    for slip in ({"columns": ["sun"]}, {"id": "store"}):  # which are no reason to remove the panel that is there
        with pytest.raises(DataError, match="no column is named 's"):
            store_panel(source, tmp_path / "cache", **({"id": "shop"} | slip))  # pyright: ignore[reportArgumentType]


def test_a_file_in_the_place_of_the_panel(tmp_path: Path) -> None:
    source = in_folder(table(), tmp_path / "in")
    (tmp_path / "cache").write_text("x")
    with pytest.raises(SettingError, match="is a file; give the path of a new folder"):
        store_panel(source, tmp_path / "cache", id="shop")


def test_time_zones_that_differ_are_told_in_words(tmp_path: Path) -> None:
    source = in_folder(table(), tmp_path / "in")
    first = sorted(source.iterdir())[0]
    frame = pl.read_parquet(first)
    frame.with_columns(pl.col("time").dt.replace_time_zone("Europe/Berlin")).write_parquet(source / "z.parquet")
    with pytest.raises(DataError, match=r"Datetime in us, time zone Europe/Berlin, in .* without a time zone"):
        store_panel(source, tmp_path / "cache", id="shop")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thesis.txt").write_text("x")
    with pytest.raises(SettingError, match="holds other files"):
        store_panel(in_folder(table(series=2), tmp_path / "in"), tmp_path / "cache", id="shop")
    assert (tmp_path / "cache" / "thesis.txt").read_text() == "x"


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_where_writing_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_rows_at_a_time: None, fault: BaseException
) -> None:
    source = in_folder(table(), tmp_path / "in")
    add, calls = written.ArrayWriter.add, []

    def fails(self: written.ArrayWriter, rows: np.ndarray) -> None:
        calls.append(1)
        if len(calls) > 6:
            raise fault
        add(self, rows)

    monkeypatch.setattr(written.ArrayWriter, "add", fails)
    with pytest.raises(type(fault)):
        store_panel(source, tmp_path / "cache", id="shop")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    store_panel(source, tmp_path / "cache", id="shop")


def test_a_killed_one_is_begun_again(tmp_path: Path) -> None:
    left = tmp_path / ".cache.building"
    (left / "sorted" / "000000").mkdir(parents=True)
    (left / "values.bin").write_bytes(b"half")
    store_panel(in_folder(table(series=2), tmp_path / "in"), tmp_path / "cache", id="shop")
    assert not left.exists()


def test_too_little_disk_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"cache: the panel of .* takes up to .* 1,000 bytes are left"):
        store_panel(in_folder(table(series=2), tmp_path / "in"), tmp_path / "cache", id="shop")


def test_a_series_that_memory_cannot_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much as is said is enough, beside what the process takes by itself."""
    monkeypatch.setattr(spill, "_PER_CELL", 1_000_000)  # rows of megabytes
    source = in_folder(table(series=2), tmp_path / "in")
    with pytest.raises(DataError, match=r"series '0' has .* rows, which take up to .*; allow .*\(memory=\d+\)") as told:
        store_panel(source, tmp_path / "cache", id="shop", memory=620 << 20)
    match = re.search(r"memory=(\d+)", str(told.value))
    assert match is not None
    assert in_flags(str(told.value)).endswith(f"(--memory {match[1]}).")
    same(
        store_panel(source, tmp_path / "cache", id="shop", memory=bytes_of(match[1])),
        Panel.from_frame(pl.read_parquet(sorted(source.glob("*.parquet"))), time="time", id="shop"),
    )


def test_pieces_cover_every_row_once(tmp_path: Path) -> None:
    stored = store_panel(in_folder(table(), tmp_path / "in"), tmp_path / "cache", id="shop")
    for most in (10, 70, 200, 10_000):
        pieces = list(stored.pieces(most, before=5, after=3))
        assert [first for _, first, _, _ in pieces] == [0, *(end for _, _, end, _ in pieces[:-1])]
        assert pieces[-1][2] == len(stored)
        assert all(end - first <= most for _, first, end, _ in pieces)


def test_a_sample_is_split_where_all_rows_are(tmp_path: Path) -> None:
    frame = table(series=20)
    stored = store_panel(in_folder(frame, tmp_path / "in"), tmp_path / "cache", id="shop")
    panel = Panel.from_frame(frame, time="time", id="shop")
    some = sample(stored, 400)
    assert 2 <= len(some.ids) < 20
    assert Split.make(some, "0.6,0.2") == Split.make(panel, "0.6,0.2") == stored.split((0.6, 0.2))
    assert some.select(["wind"]).fingerprint() != some.fingerprint()
    one = panel.series(some.ids[1])
    assert some.series(some.ids[1]).values.tobytes() == one.values.tobytes()
    assert len(sample(stored, 10**6)) == len(panel)


def test_long_series_are_sampled_by_stretches(tmp_path: Path) -> None:
    rows = 40_000
    frame = pl.DataFrame({"at": np.arange(rows), "load": np.arange(rows) * 0.5})
    frame.write_parquet(tmp_path / "a.parquet")
    stored = store_panel(tmp_path / "a.parquet", tmp_path / "cache", time="at")
    some = sample(stored, 17_000)
    assert 12_000 < len(some) < 24_000
    assert some.tick[-1] == rows - 1
    np.testing.assert_array_equal(some.column("load"), some.tick * 0.5)
    split = Split.make(some, (0.7, 0.15))
    assert split == Split(28_000, 34_000)
    assert min(Split.part_rows(split, some).values()) > 2000


@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e150, 1e150)),
    st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_sums_are_exact_in_any_order(values: np.ndarray, cut: int) -> None:
    expected = sum(map(Fraction, values.tolist()), Fraction(0))
    total, found = ExactSum(), Moments()
    for part in (values[:cut], values[cut:]):
        total.add(part)
        found.add(part)
    assert total.value == expected
    mean = expected / len(values)
    variance = sum(((Fraction(value) - mean) ** 2 for value in values.tolist()), Fraction(0)) / len(values)
    assert found.mean == float(mean)
    if variance < Fraction(2) ** 2000:
        root = Fraction(found.std)
        near = abs(root * root - variance)
        assert near <= variance * Fraction(1, 2**50) or variance < Fraction(1, 2**2100)


def test_moments_of_a_constant_are_exact() -> None:
    found = Moments()
    found.add(np.full(1000, 0.1))
    assert (found.mean, found.std) == (0.1, 0.0)
    assert exact_moments(found, "load") == (0.1, 1.0)
    assert math.isnan(Moments().mean)


def test_large_columns_are_summed_alike_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom_runtime.data import scaling

    monkeypatch.setattr(scaling, "MOST_AT_ONCE", 50)
    values = np.random.default_rng(0).normal(1e6, 1, 301)
    whole = Standardizer().fit(Panel.from_numpy(values), np.ones(301, bool))
    found = Moments()
    for part in np.array_split(values, 7):
        found.add(part)
    assert whole.mean is not None
    assert whole.std is not None
    assert (whole.mean[0], whole.std[0]) == exact_moments(found, "x")


def test_orders_over_a_set_of_rows() -> None:
    members = np.random.default_rng(1).random(5000) < 0.3
    origins = OriginSet(5000)
    for start in range(0, 5000, 701):
        origins.add(start, members[start : start + 701])
    rows = np.flatnonzero(members)
    assert len(origins) == len(rows)
    np.testing.assert_array_equal(origins.take(np.arange(len(rows))), rows)
    listed, shuffled = DrawnOrigins(origins, 64, 7), ShuffledOrigins(rows, 64, 7)
    for _ in range(60):
        np.testing.assert_array_equal(next(listed), next(shuffled))
    drawn = DrawnOrigins(origins, 64, 7, listed=10)
    seen = np.concatenate([next(drawn) for _ in range(-(-len(rows) // 64))])
    assert sorted(seen[: len(rows)].tolist()) == rows.tolist()
    assert seen[: len(rows)].tolist() != rows.tolist()
    later = DrawnOrigins(origins, 64, 7, listed=10)
    later.restore(drawn.state())
    np.testing.assert_array_equal(next(later), next(drawn))
    assert len({tuple(next(DrawnOrigins(origins, 8, seed, listed=10))) for seed in range(9)}) == 9


@given(st.lists(st.lists(st.integers(-50, 50), max_size=9), max_size=6), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_ranges_of_ticks_are_sets(parts: list[list[int]], place: int) -> None:
    found, expected = TickRanges(), set()
    for part in parts:
        found.add(np.array(sorted(set(part)), dtype=np.int64))
        expected |= set(part)
    assert len(found) == len(expected)
    if place < len(expected):
        assert found.nth(place) == sorted(expected)[place]
