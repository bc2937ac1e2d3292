"""The table of the libraries' fits: medians of the pairs' ratios, losses marked, both ways to accelerate compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.accelerated import EPOCHS, MARKS, WHAT, table, wanted
from bench.accelerating import __file__ as programs


def rows() -> list[dict[str, Any]]:
    of = {"program": "flair", "kind": "LSTM"}
    apart = {"losses": 1e-7, "forecasts": 2e-6}
    return [
        *(
            {**of, "do": "pair 1", "number": n, "torch": t, "ours": o}
            for n, (t, o) in enumerate([(2, 1), (9, 3), (3, 3)])
        ),
        {**of, "do": "pair 2", "number": 0, "torch": 4.0, "ours": 1.0},
        {**of, "do": "share", "number": 0, "share": 0.41},
        {**of, "do": "check", "number": 0, "ours": apart, "converted": {"losses": 0.0, "forecasts": 3e-6}},
        {"program": "Darts", "kind": "GRU", "do": "pair 1", "number": 0, "torch": 3.0, "ours": 2.0},
    ]


def test_the_table_has_medians_of_ratios_and_marks_what_misses() -> None:
    lines = table(rows()).splitlines()
    assert len(lines) == 4
    assert lines[2] == f"| Darts: {WHAT['Darts']} | GRU | 3.00 | 2.00 | **1.50×** (1.50–1.50) † | – | – | – | – |"
    assert "two threads" not in table([row for row in rows() if row["do"] != "pair 2"])
    assert lines[3].endswith("| 3.00 | 3.00 | **2.00×** (1.00–3.00) | 41% | 1e-07 | 3e-06 | 4.00× (4.00–4.00) |")


def test_checks_come_before_pairs_and_the_page_has_the_marks() -> None:
    class Every:
        def can(self, program: str) -> bool:
            return program != "Darts"

    order = list(wanted(Every(), 2, "", 1))  # pyright: ignore[reportArgumentType]
    assert len(order) == 4 * 2 * (len(EPOCHS) - 1)
    assert [each[0] for each in order][:: 2 * (len(EPOCHS) - 1)] == ["check", "share", "pair 1", "pair 1"]
    page = (Path(str(programs)).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in MARKS)
    assert "| Darts: " in page.partition(MARKS[0])[2].partition(MARKS[1])[0]
