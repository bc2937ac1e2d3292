"""Rows that share a time: the column that tells them apart is named first, before anything is merged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seqloom.data import Panel, read_table
from seqloom.errors import DataError


def refusal(path: Path, text: str, **how) -> str:
    path.write_text(text)
    with pytest.raises(DataError) as refused:
        Panel.from_frame(read_table(path), time="day", **how)
    return str(refused.value)


def sales(*heads: str, days: int = 6) -> str:
    ids = [(shop, item) for shop in ("a", "b") for item in (10, 20, 30)]
    rows = []
    for day in range(1, days + 1):
        for number, (shop, item) in enumerate(ids):
            cells = {"shop": shop, "item": item, "key": number, "x": 0.5 * number + day, "n": number * 7 + day}
            rows.append(",".join([f"2024-01-{day:02}", *(str(cells[head]) for head in heads)]))
    return ",".join(["day", *heads]) + "\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("heads", "id"),
    [(("key", "x"), "key"), (("x", "key", "shop"), "key"), (("shop", "item", "x"), "shop,item"), (("x", "n"), None)],
)
def test_the_id_is_named_first(tmp_path: Path, heads: tuple[str, ...], id: str | None) -> None:
    said = refusal(tmp_path / "a.csv", sales(*heads))
    if id is None:
        assert "or name the id column (id=) if they belong to different series" in said
        return
    assert f"series, say id='{id}', which tells all rows of a time apart. Only where" in said
    found = re.search("id='(.*?)'", said)
    assert found is not None
    assert len(Panel.from_frame(read_table(tmp_path / "a.csv"), time="day", id=found[1]).ids) == 6


def test_a_further_id_is_added_to_the_one_that_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path / "a.csv", sales("shop", "item", "x"), id="shop")
    assert "if the columns name the series, say id='shop,item'" in said
