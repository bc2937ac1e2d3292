"""The benchmark of growth: exponents, its tables, and one small table measured from file to forecast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.scale.page import chart, engine_table, exponent, growth_table
from bench.scale.phases import PHASES, main, write_table


def made(rows: int, power: float) -> dict[str, object]:
    return {"rows": rows, "peak": 1.0 * rows, "phases": {name: {"processor": 0.1 * rows**power} for name in PHASES}}


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_found(power: float):
    assert exponent([10, 100, 1000], [3 * size**power for size in (10, 100, 1000)]) == pytest.approx(power)
    told = growth_table([made(rows, power) for rows in (100, 1000, 10_000)], "rows", "row")
    assert len(told.splitlines()) == len(PHASES) + 3
    assert told.count(f"| {power:.2f} |") >= len(PHASES)


def test_what_is_too_small_to_tell_is_left_out():
    rows = [made(size, 1.0) for size in (100, 1000, 10_000)]
    rows[0]["phases"] = {name: {"processor": 1e-4} for name in PHASES}
    assert "| – |" in growth_table(rows, "rows", "row")


def test_engines_that_were_measured_for_all_counts_are_told():
    about = {"kind": "jobs", "engine": "local", "workers": 2, "start": 0.0}
    found = [{**about, "count": count, "seconds": 0.5 + 0.1 * count} for count in (1, 10, 100)]
    found.append({**about, "engine": "ray", "count": 1, "seconds": 3.0})
    told = engine_table(found, "jobs").splitlines()
    assert told[-1] == "| local, 2 workers | 0.00 | 0.60 | 1.50 | 10.50 | 0.1 |"
    assert len(told) == 3


def test_the_chart_is_drawn():
    rows = [made(size, 1.0) for size in (100, 1000)]
    assert chart(rows, [{**row, "series": row["rows"]} for row in rows]).startswith("<svg")


@pytest.mark.usefixtures("one_thread")
def test_a_table_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    path = write_table(tmp_path / "table.parquet", 2, 300)
    monkeypatch.setattr("sys.argv", ["phases", str(path)])
    monkeypatch.setattr("bench.scale.phases.STEPS", 4)  # the figures mean nothing here
    main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["phases"]) == set(PHASES)
    assert found["windows"] == 2 * (210 - 24 - 12 + 1)
    assert all(phase["processor"] >= 0 for phase in found["phases"].values())
