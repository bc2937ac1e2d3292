"""Tables larger than memory on the command line: from Parquet files to forecasts, and every fault in one sentence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import Command, Refused

from seqloom.app import stored as stored_app
from seqloom.tasks.forecast import stored_training
from seqloom_runtime.data.on_disk import StoredPanel, spill, store_panel
from seqloom_runtime.forecast import stored_rows

NAMES = ("--target", "load", "--time", "time", "--id", "shop")
TRAIN = (*NAMES, "--lookback", "8", "--horizon", "2", "--model", "naive,linear", "--epochs", "1", "--no-refit")
DISK = "64m"


def table(series: int = 6, rows: int = 400) -> pl.DataFrame:
    """Rows in order of time, as a table that grows by the day has them."""
    draw = np.random.default_rng(5)
    when = np.datetime64("2021-03-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    load, wind = draw.normal(0, 1, (rows, series)).cumsum(axis=0), draw.random((rows, series))
    names = np.tile(np.arange(series), rows)
    return pl.DataFrame({"shop": names, "time": np.repeat(when, series), "load": load.ravel(), "wind": wind.ravel()})


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three files, each of a stretch of time, that memory holds by groups of two series."""
    monkeypatch.setattr(spill, "most_rows", lambda memory, columns: 800)
    monkeypatch.setattr(stored_rows, "_PIECE", 900)
    monkeypatch.setattr(stored_app, "_ROWS", 40)
    monkeypatch.setattr(stored_training, "rows_in_memory", lambda stored, memory: 1300)  # of three series
    folder = tmp_path / "in"
    folder.mkdir()
    for at in range(3):
        table().slice(800 * at, 800).write_parquet(folder / f"part-{at}.parquet")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own and of bounded size."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system of bounded size can't be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, but: int) -> Path:
    """Fill the disk but for so many bytes."""
    filler, room = disk / "filler", os.statvfs(disk)
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize - but))
    return filler


@pytest.mark.usefixtures("no_report")
def test_from_files_to_forecasts(source: Path, tmp_path: Path, command: Command) -> None:
    stored = ("--cache", tmp_path / "cache")
    first = command("forecast", source, *stored, *TRAIN, "--out", tmp_path / "run")
    assert first.code == 0, first.err
    done = command("predict", tmp_path / "run", source, *stored, "--out", tmp_path / "ahead")
    assert done.code == 0, done.err
    assert "used again" in done.out
    parts = sorted((tmp_path / "ahead").iterdir())
    assert len(parts) > 1
    frame = pl.concat(map(pl.read_parquet, parts))
    assert frame["shop"].to_list() == [name for name in "012345" for _ in range(2)]
    table().write_parquet(tmp_path / "whole.parquet")
    held = command("predict", tmp_path / "run", tmp_path / "whole.parquet", "--out", tmp_path / "held.parquet")
    assert held.code == 0, held.err
    whole = pl.read_parquet(tmp_path / "held.parquet")
    assert frame.rename({"shop": "id"}).rows() == whole.rows()


def test_memory_is_looked_at_before_anything_is_read(tmp_path: Path, refused: Refused) -> None:
    for size, told in (("1MB", "at least 600 MiB, got 1.0 MiB"), ("9" * 400 + "TB", "at most 1,024 TiB")):
        asked = ("--cache", tmp_path / "cache", "--memory", size)
        assert told in refused("forecast", tmp_path / "none", *asked, *TRAIN, "--out", tmp_path / "run")
        assert told in refused("predict", tmp_path / "no-run", tmp_path / "none", *asked, "--out", tmp_path / "ahead")


def test_files_that_are_not_alike(source: Path, tmp_path: Path, refused: Refused) -> None:
    def told() -> str:
        told = refused("forecast", source, "--cache", tmp_path / "cache", *TRAIN, "--out", tmp_path / "run")
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
        return told

    odd = source / "part-9.parquet"
    table(rows=4).with_columns(pl.col("wind").cast(pl.String)).write_parquet(odd)
    assert f"{odd}: column 'wind' is of type String, in {source / 'part-0.parquet'} of type Float64" in told()
    table(rows=4).with_columns(load=1.0).write_parquet(odd)
    message = told()
    assert "series '0' has two rows of 2021-03-01 00:00:00 that differ" in message
    assert "part-0.parquet" in message
    assert "part-9.parquet" in message


@pytest.mark.usefixtures("no_report")
def test_a_disk_that_is_full_while_the_panel_is_made(
    source: Path, small_disk: Path, tmp_path: Path, command: Command, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("forecast", source, "--cache", small_disk / "cache", *TRAIN, "--out", tmp_path / "run")
    filler = fill(small_disk, 20_000)
    assert "is left where" in (message := refused(*asked)) or "are left where" in message
    usage = shutil.disk_usage(small_disk)
    with monkeypatch.context() as patch:  # what another program writes after the look at the space that is left
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 40))
        for room in (20_000, 60_000, 120_000):
            filler.unlink()
            filler = fill(small_disk, room)
            message = refused(*asked)
            assert "no space is left on the device" in message
            assert str(small_disk) in message
            assert [path.name for path in small_disk.iterdir()] == ["filler"]
    filler.unlink()
    assert not (tmp_path / "run").exists()
    assert command(*asked).code == 0


@pytest.mark.usefixtures("no_report")
def test_a_disk_that_is_full_while_forecasts_are_written(
    source: Path, small_disk: Path, tmp_path: Path, command: Command, refused: Refused
) -> None:
    stored = ("--cache", tmp_path / "cache")
    assert command("forecast", source, *stored, *TRAIN, "--out", tmp_path / "run").code == 0
    filler = fill(small_disk, 6_000)
    asked = ("predict", tmp_path / "run", source, *stored, "--out", small_disk / "ahead")
    message = refused(*asked)
    assert "no space is left on the device" in message
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    filler.unlink()
    assert command(*asked).code == 0


STOPS = """
import sys, time
from pathlib import Path
from seqloom_runtime.data.on_disk import spill, store_panel
spill.most_rows = lambda memory, columns: 800
def stop(what, done, of):
    if what == sys.argv[3] and done >= 800:
        print("here", flush=True)
        time.sleep(600)
store_panel(sys.argv[1], sys.argv[2], id="shop", time="time", on_progress=stop)
"""


@pytest.mark.parametrize("stage", ["series are counted", "rows are sorted", "rows are checked and stored"])
def test_killed_while_the_panel_is_made(source: Path, tmp_path: Path, stage: str) -> None:
    cache = tmp_path / "cache"
    arguments = [sys.executable, "-c", STOPS, str(source), str(cache), stage]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGKILL)
    assert not cache.exists()
    assert (tmp_path / ".cache.building").exists()
    made = store_panel(source, cache, id="shop", time="time")
    assert not (tmp_path / ".cache.building").exists()
    clean = store_panel(source, tmp_path / "other", id="shop", time="time")
    made.verify()
    assert made.fingerprint == clean.fingerprint == StoredPanel.open(cache).fingerprint


LEAVES = """
import sys
from seqloom_runtime.files import folder_lock
with folder_lock(sys.argv[1]):
    print("here", flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("no_report")
def test_what_a_killed_prediction_left_goes_with_the_next(source: Path, tmp_path: Path, command: Command) -> None:
    stored = ("--cache", tmp_path / "cache")
    assert command("forecast", source, *stored, *TRAIN, "--out", tmp_path / "run").code == 0
    names = ("0123456789ab", "0123456789ac", "0123456789ad", "0123456789ae", "of-somebody")
    dead, alive, foreign, unlocked, other = (tmp_path / f".ahead.{name}.tmp" for name in names)
    for folder in (dead, alive, foreign, unlocked, other):
        folder.mkdir()
        (folder / "part-00000.parquet").touch()
    (foreign / "thesis.tex").touch()
    for folder in (dead, foreign, other):
        (folder / ".lock").write_text("1\n")
    (dead / ".part-00001.parquet.0123456789ab.tmp").touch()
    (tmp_path / ".ahead.0123456789af.tmp").symlink_to(dead)
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES, str(alive)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        done = command("predict", tmp_path / "run", source, *stored, "--out", tmp_path / "ahead")
        assert done.code == 0, done.err
        kept = {alive, foreign, unlocked, other}
        assert {each for each in tmp_path.glob(".ahead.*") if not each.is_symlink()} == kept
        process.communicate("")
    assert (foreign / "thesis.tex").exists()
    assert all(each.suffix == ".parquet" for each in (tmp_path / "ahead").iterdir())
