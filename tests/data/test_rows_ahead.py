"""Rows ahead are told as such, not as missing cells that were filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqloom.data import Panel, read_table
from seqloom_runtime.data.rows_ahead import empty_ends


def report(path: Path, text: str, **how) -> tuple[list[str], dict[str, int]]:
    path.write_text(text)
    quality = Panel.from_frame(read_table(path), time="day", **how).quality
    assert quality is not None
    return [repair.text for repair in quality.repairs], {column.name: column.filled for column in quality.columns}


def rows(*cells: str) -> str:
    return "day,x,plan\n" + "".join(f"2024-01-{day:02},{cell}\n" for day, cell in enumerate(cells, 1))


def test_rows_ahead_of_a_target(tmp_path: Path) -> None:
    text = rows("1,1", ",2", "3,3", "4,4", ",5", ",6")
    said, filled = report(tmp_path / "a.csv", text, target=["x"])
    assert said[0] == (
        "2 rows ahead, in which 'x' is empty: what is to be forecast there is not filled; nothing need be done."
    )
    assert said[1].startswith("1 missing cell filled with the last value before")
    assert filled == {"x": 1, "plan": 0}
    said, filled = report(tmp_path / "a.csv", text)
    assert said[0].startswith("2 rows ahead, in which 'x' is empty: to be forecast where it is the target (target=)")
    assert filled == {"x": 3, "plan": 0}  # as it is where it is an input
    said, _ = report(tmp_path / "a.csv", text, target=["plan"])
    assert [text[:24] for text in said] == ["3 missing cells filled w"]


def test_each_series_has_rows_ahead_of_its_own(tmp_path: Path) -> None:
    text = "day,shop,x\n" + "".join(
        f"2024-01-{day:02},{shop},{'' if day > 5 + 2 * (shop == 'b') else day}\n"
        for shop in "ab"
        for day in range(1, 9)
    )
    said, _ = report(tmp_path / "a.csv", text, id="shop", target=["x"])
    assert len(said) == 1
    assert said[0].startswith("4 rows ahead")


def test_a_column_that_ended_long_ago_has_none(tmp_path: Path) -> None:
    text = rows("1,1", *(f",{k}" for k in range(20)))
    said, _ = report(tmp_path / "a.csv", text, max_fill=3)
    assert not any("ahead" in text for text in said)
    assert any("cells left missing" in text for text in said)


@pytest.mark.parametrize("column", [[np.nan, np.nan], [1.0, 2.0]])
def test_no_ends(column: list[float]) -> None:
    assert not empty_ends(np.array([column]).T, np.zeros(2, np.int64)).any()
