"""Faults that the attack found in readers, each as the smallest input that showed it."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import time
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from seqloom.data import Panel, read_table
from seqloom.errors import DataError, FormatError
from seqloom.tasks.text.labels import classes_of
from seqloom_runtime.data.arrow_headers import claims
from seqloom_runtime.data.parquet_headers import most_values
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.data.sequences.reading import read_sequences
from seqloom_runtime.data.table import Table
from seqloom_runtime.data.zones import _year, instants_to_wall, wall_to_instants

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved panel; change it to damage it."""
    hours = np.datetime64("2024-01-01T00") + np.arange(12)
    Panel.from_numpy(np.arange(24.0).reshape(12, 2), ["a", "b"], time=hours).save(tmp_path / "panel")
    return tmp_path / "panel"


def header(text: str) -> bytes:
    """A .npy of version 1 whose header is `text`."""
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode()


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.arange(3))
    return file.getvalue()


SHAPE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,)}\n"
ARRAYS: dict[str, bytes] = {
    "header cut short": header("{'descr': '<f8', 'shape': ("),
    "nested": header("[" * 3_000 + "\n"),
    "long number": header("9" * 5_000 + "\n"),
    "more than there is": header(SHAPE % 10**12) + bytes(64),
    "no number of the machine": header(SHAPE % 2**70) + bytes(64),
    "archive": archive(),
    "cut archive": b"PK\x03\x04" + bytes(40),
}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_saved_panel_with_a_damaged_array(name: str, mmap: bool, saved: Path) -> None:
    (saved / "values.npy").write_bytes(ARRAYS[name])
    with pytest.raises(FormatError) as raised:
        Panel.open(saved, mmap=mmap)
    assert str(saved) in str(raised.value)
    assert len(str(raised.value)) < 600
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("fingerprint"),
        lambda about: about["frequency"].update(size=2**62),
        lambda about: about.update(quality={"\x01": 1}),
        lambda about: about.update(columns=7),
        lambda about: about.update(ids=None),
    ],
)
def test_saved_panel_with_damaged_facts(change: Callable[[dict], object], saved: Path) -> None:
    about = json.loads((saved / "panel.json").read_text("utf-8"))
    change(about)
    (saved / "panel.json").write_text(json.dumps(about), "utf-8")
    with pytest.raises(FormatError) as raised:
        Panel.open(saved, mmap=False)
    assert str(raised.value).isprintable()


def test_tick_beyond_any_calendar(saved: Path) -> None:
    np.save(saved / "tick.npy", np.arange(12) + 2**62)
    with pytest.raises(FormatError, match="panel"):
        Panel.open(saved)


def test_decimals_of_sixty_digits_are_numbers() -> None:
    decimals = pa.array([Decimal("1.50"), Decimal("-2.25")], pa.decimal256(60, 10))
    assert Table.from_frame(pa.table({"x": decimals})).numbers("x").tolist() == [1.5, -2.25]


def test_maps_are_named(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"x": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int64()))}), tmp_path / "x.parquet"
    )
    table = read_table(tmp_path / "x.parquet")
    for read in (table.numbers, table.moments, table.labels):
        with pytest.raises(DataError, match="column 'x' is of type"):
            read("x")


def test_times_beyond_the_years_of_python_as_names(tmp_path: Path) -> None:
    pl.DataFrame({"x": pl.Series([2**60, 2**60 + 1], dtype=pl.Int64).cast(pl.Datetime("us"))}).write_parquet(
        tmp_path / "x.parquet"
    )
    with pytest.raises(DataError, match="column 'x' holds times beyond the years 1 to 9999"):
        read_table(tmp_path / "x.parquet").labels("x")


def test_times_at_which_polars_panics_as_names(capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing of the panic's page of text is printed."""
    times = pl.Series([2**62, 1, None], dtype=pl.Int64).cast(pl.Datetime("ms"))
    with pytest.raises(DataError, match="column 'x' holds times beyond the years 1 to 9999"):
        Table.from_frame(pl.DataFrame({"x": times})).labels("x")
    assert capfd.readouterr().err == ""


def test_words_of_thousands_of_letters_are_cut_in_any_message() -> None:
    assert len(str(DataError(f"folder: the field {'a' * 10_000!r} is unknown."))) < 250


def test_labels_of_several_columns_can_not_be_shared_out() -> None:
    with pytest.raises(DataError, match="expected one text or number for each example"):
        split_examples(4, 0.25, 0.25, seed=0, strata=[["a", "b"]] * 4)


def test_clock_of_ten_thousand_years_is_had_at_once() -> None:
    _year.cache_clear()
    wall = np.array([dt.datetime(year, 7, 1, 12).timestamp() for year in (1900, 2024)], np.int64) * 10**6
    wall = np.append(wall, np.array(["0005-07-01T12", "9990-07-01T12"], "M8[us]").astype(np.int64))
    began = time.process_time()
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"):
        assert (instants_to_wall(wall_to_instants(wall, zone), zone) == wall).all()
    assert _year.cache_info().currsize < 40_000
    assert time.process_time() - began < 30  # no timing: a guard against ten million questions to the calendar


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Africa/Casablanca", "Antarctica/Troll"])
@pytest.mark.parametrize("year", [3, 1799, 1801, 2024, 2099, 2100, 2499, 2500, 2900, 6011, 9997])
def test_offsets_of_every_age_are_those_of_zoneinfo(zone: str, year: int) -> None:
    info = zoneinfo.ZoneInfo(zone)
    start = int((dt.datetime(year, 1, 1, tzinfo=dt.UTC) - EPOCH).total_seconds())
    instants = (start + np.arange(0, 365 * 24, 5) * 3600) * 10**6
    shown = instants_to_wall(instants, zone)
    for instant, wall in zip(instants.tolist(), shown.tolist()):
        moment = (EPOCH + dt.timedelta(microseconds=instant)).astimezone(info)
        assert wall - instant == (moment.utcoffset() or dt.timedelta()) // dt.timedelta(microseconds=1)


def test_no_label_at_all_is_told() -> None:
    with pytest.raises(DataError, match="there is no text with a label"):
        classes_of([])


def test_messages_end_after_two_thousand_letters() -> None:
    assert len(str(DataError("found " + ", ".join(["[0, 0]"] * 5000)))) <= 2000


def test_files_without_a_column_are_told(tmp_path: Path) -> None:
    for name, write in (("x.parquet", "write_parquet"), ("x.arrow", "write_ipc")):
        getattr(pl.DataFrame(), write)(tmp_path / name)
        with pytest.raises(DataError, match=r"no columns|no rows|empty|holds nothing"):
            read_table(tmp_path / name)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_counts_below_nothing_in_a_page_of_lists(tmp_path: Path, version: Any) -> None:
    """polars allocates by them and ends the process."""
    table = pa.table({"id": ["a", "b"], "tags": [["x", "y"], ["z"]]})
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path, data_page_version=version, compression="none", use_dictionary=False)
    whole = path.read_bytes()
    assert most_values(whole)[0] == 3
    good = read_table(path).rows
    assert good == 2
    wrong = 0
    for at in range(4, len(whole) - 8):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            most_values(damaged)
        except ValueError as error:
            wrong += "fewer than no values" in str(error)
    assert wrong  # the last bit of a count is its sign


def test_a_saved_panel_of_numbers_without_bytes(saved: Path) -> None:
    np.save(saved / "values.npy", np.zeros((12, 2), dtype="V0"))
    for mmap in (False, True):
        with pytest.raises(FormatError):
            Panel.open(saved, mmap=mmap)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_an_arrow_buffer_that_claims_more_than_any_machine_has(tmp_path: Path, compression: Any) -> None:
    """polars allocates by it and ends the process; so every length of the file is held in turn to be enormous."""
    path = tmp_path / "x.arrow"
    pl.DataFrame({"x": [1.0] * 90, "y": ["a text too long to stand in its view"] * 90}).write_ipc(
        path, compression=compression
    )
    whole = path.read_bytes()
    assert claims(whole)[:2] == (90, 90)
    assert (claims(whole).inflated > 0) == (compression != "uncompressed")
    refused = 0
    for at in range(8, len(whole) - 16, 8):
        damaged = whole[:at] + (2**53).to_bytes(8, "little") + whole[at + 8 :]
        try:
            asked = claims(damaged)
        except ValueError:
            continue
        if max(asked) >= 2**53:
            refused += 1
            path.write_bytes(damaged)
            with pytest.raises(DataError, match="rows that claim"):
                read_table(path)
    assert refused >= (3 if compression != "uncompressed" else 1)


def test_arrow_headers_of_every_damage_are_read_or_refused() -> None:
    file = io.BytesIO()
    pl.DataFrame({"x": [1.0, 2.0], "l": [["a"], ["b", "c"]], "c": ["a", "b"]}).with_columns(
        pl.col("c").cast(pl.Categorical)
    ).write_ipc(file, compression="zstd")
    whole = file.getvalue()
    assert claims(whole)[:2] == (2, 3)
    for at in range(len(whole)):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            with contextlib.suppress(ValueError):
                claims(whole[:at] + bytes([value]) + whole[at + 1 :])
        with contextlib.suppress(ValueError):
            claims(whole[:at])


def test_a_parquet_list_that_claims_more_entries_than_bytes(tmp_path: Path) -> None:
    """polars allocates by it and ends the process, whatever the columns hold."""
    path = tmp_path / "x.parquet"
    pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}).write_parquet(path)
    whole = path.read_bytes()
    assert most_values(whole)[0] >= 2
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    lists = [at for at in range(footer, len(whole) - 8) if whole[at] in (0x3C, 0x2C, 0x1C)]  # short lists of structs
    assert lists
    for at in lists:
        body = whole[footer:at] + b"\xfc\xff\xff\xff\xff\x07" + whole[at + 1 : -8]
        path.write_bytes(whole[:footer] + body + len(body).to_bytes(4, "little") + b"PAR1")
        with pytest.raises(DataError, match="damaged"):
            read_table(path)


@pytest.mark.parametrize("kind", ["m8[s]", "M8[us]", "c16"])
def test_labels_that_are_spans_times_or_complex_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "x.npz", X=np.zeros((4, 3, 1)), y=np.arange(4).astype(kind))
    with pytest.raises(DataError, match="labels: expected numbers, truth values or texts, got an array of type"):
        read_sequences(tmp_path / "x.npz")
