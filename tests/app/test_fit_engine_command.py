"""The engine options of the commands that train."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import TINY, Command, Refused


@pytest.mark.usefixtures("no_report")
def test_models_are_fitted_by_workers_to_the_same_table(command: Command, hourly: Path, tmp_path: Path) -> None:
    asked = ("forecast", hourly, *TINY, "--model", "linear,gru", "--epochs", 1, "--no-refit", "--quiet")
    one = command(*asked, "--out", tmp_path / "one")
    two = command(*asked, "--engine", "local", "--workers", 2, "--out", tmp_path / "two")
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert two.out == one.out.replace(str(tmp_path / "one"), str(tmp_path / "two"))
    for name in ("metrics.json", "history.csv", "predictions.csv", "forecast.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_an_engine_can_not_do_is_refused(refused: Refused, hourly: Path) -> None:
    assert refused("forecast", hourly, "--workers", 2).startswith("error: --workers: it goes with an engine; name one")
    assert refused("forecast", hourly, "--engine", "local", "--workers", 0).startswith("error: --workers: expected a")
    assert (
        refused("forecast", hourly, "--engine", "dask") == "error: --engine: expected one of local, ray, got 'dask'.\n"
    )
    told = refused("forecast", hourly, "--engine", "local", "--threads", 2)
    assert told.startswith("error: --threads: a worker has one thread, so that with --engine all is computed with one")
