"""What a newcomer is told of a table of several series, and of words that don't stand where they should."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from command_line import Command, Refused

import seqloom
from seqloom import Panel

pl = pytest.importorskip("polars")


def shops(path: Path, days: dict[str, list[int]]) -> Path:
    first = date(2024, 1, 1)
    lines = [f"{shop},{first + timedelta(d)},{d % 7}" for shop, own in days.items() for d in own]
    path.write_text("shop,day,sales\n" + "\n".join(lines) + "\n")
    return path


def said(command: Command, file: Path) -> str:
    options = ("--id", "shop", "--time", "day", "--target", "sales", "--horizon", "14d", "--lookback", "7d")
    return command("forecast", file, *options, "--model", "naive").out


def test_the_terminal_says_of_which_series_its_rows_are(command: Command, tmp_path: Path) -> None:
    text = said(command, shops(tmp_path / "a.csv", {name: list(range(60)) for name in "ab"}))
    assert "2 series are forecast; the rows above are of 'a' alone." in text
    assert "Their data ends" not in text
    text = said(command, shops(tmp_path / "b.csv", {"a": list(range(60)), "b": list(range(55))}))
    assert "alone. Their data ends between 2024-02-24 and 2024-02-29." in text
    assert "series are forecast" not in said(command, shops(tmp_path / "c.csv", {"a": list(range(60))}))


def test_gaps_name_their_series(tmp_path: Path) -> None:
    hole = [day for day in range(28) if day not in (9, 10, 11)]
    small = [day for day in range(28) if day != 9]

    def lines(days: dict[str, list[int]], max_fill: int) -> list[str]:
        frame = pl.read_csv(shops(tmp_path / "a.csv", days))
        panel = Panel.from_frame(frame, time="day", id="shop", max_fill=max_fill)
        assert panel.quality is not None
        return [line for line in panel.quality.lines() if "gap" in line]

    every = {"a": list(range(28)), "b": small, "c": hole, "d": small, "e": small}
    found, left = (line for line in lines(every, 0) if "missing in all" in line or "left open" in line)
    assert "6 rows missing in all in series 'c', 'b' and 2 others; the largest, of 3 rows" in found
    assert "left open in series 'c', 'b' and 2 others; no window" in left
    assert any("in series 'c' and 'b';" in line for line in lines({"a": every["a"], "b": small, "c": hole}, 0))
    assert not any("in series" in line for line in lines({"a": hole}, 0))


def test_tune_without_a_command_says_the_words_that_work(refused: Refused, command: Command, tmp_path: Path) -> None:
    (tmp_path / "my data.csv").write_text("hour,value\n1,2\n")
    text = refused("tune", tmp_path / "my data.csv", "--trials", "3")
    assert f"as in seqloom tune forecast '{tmp_path}/my data.csv' --trials 3." in text
    assert "seqloom tune forecast not-there.csv" in refused("tune", "not-there.csv")
    assert "No such command 'forcast'" in refused("tune", "forcast")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that no user can write in")
def test_a_folder_that_takes_no_file(refused: Refused, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    import numpy as np

    panel = Panel.from_numpy(np.arange(60.0)[:, None], ["value"])
    seqloom.Forecaster(model="naive", lookback=4, horizon=2).fit(panel, target="value", inputs=[]).save(tmp_path / "m")
    text = refused("export", tmp_path / "m", "--onnx", "/proc/m.onnx")
    assert "/proc/m.onnx: nothing can be written in this folder" in text
    assert "no such file" in refused("export", tmp_path / "m", "--onnx", tmp_path / "no" / "m.onnx")


def test_a_server_that_refuses_to_start_says_that_alone(refused: Refused, tmp_path: Path) -> None:
    pytest.importorskip("uvloop")
    text = refused("serve", tmp_path / "nope", "--port", "0")
    assert "found no such folder" in text
    assert "stopped" not in text
