"""What a table lacks in the rows to be forecast is told before the training, and filled only when asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Command


def test_rows_that_lack_a_plan_are_told_first(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    rows = [f"2024-{1 + n // 28:02d}-{1 + n % 28:02d},{n % 7}.5,{n % 3 % 2}" for n in range(84)]
    file.write_text("day,sales,promo\n" + "\n".join(rows) + "\n")
    asked = ("forecast", str(file), "--target", "sales", "--future", "promo", "--horizon", "3", "--lookback", "4")
    asked += ("--model", "linear", "--epochs", "1", "--time", "none")
    outcome = command(*asked, "--inputs", "promo")
    told = "--future: 3 of 3 rows to be forecast have no value of 'promo'; networks can't forecast past the end"
    assert outcome.code == 0
    assert outcome.err.startswith(told)
    assert told in outcome.out
    assert "or carry the last known value forward with --fill-future carry." in outcome.err
    carried = command(*asked, "--inputs", "promo", "--fill-future", "carry")
    assert carried.err.endswith("the last known one is carried forward (--fill-future carry).\n")
    assert command(*asked, "--inputs", "promo", "--quiet").err == ""


@pytest.mark.usefixtures("no_report")
def test_predict_and_update_fill_what_lacks_ahead_where_asked(command: Command, tmp_path: Path) -> None:
    file, later = tmp_path / "sales.csv", tmp_path / "later.csv"
    rows = [f"2024-{1 + n // 28:02d}-{1 + n % 28:02d},{n % 7}.5,{n % 3 % 2}" for n in range(84)]
    file.write_text("day,sales,promo\n" + "\n".join(rows) + "\n")
    asked = ("--target", "sales", "--future", "promo", "--horizon", "2", "--lookback", "4", "--model", "linear")
    run = str(tmp_path / "run")
    made = command("forecast", str(file), *asked, "--epochs", "1", "--fill-future", "carry", "--out", run, "--quiet")
    assert made.code == 0, made.err
    saved = tmp_path / "run" / "model" / "model.json"
    assert '"fill_future":"carry"' in saved.read_text().replace(" ", "")
    strict = str(tmp_path / "strict")
    plan = ["2024-03-29,,1", "2024-03-30,,1"]
    file.write_text("day,sales,promo\n" + "\n".join([*rows, *plan]) + "\n")
    assert command("forecast", str(file), *asked, "--epochs", "1", "--out", strict, "--quiet").code == 0
    later.write_text("day,sales,promo\n" + "\n".join([*rows, plan[0], "2024-03-30,,"]) + "\n")
    refused = command("predict", strict, str(later))
    assert refused.code == 2
    assert "type --fill-future carry" in refused.err
    filled = command("predict", strict, str(later), "--fill-future", "carry")
    assert filled.code == 0, filled.err
    file.write_text("day,sales,promo\n" + "\n".join([*rows, *plan]) + "\n")
    assert (
        command("predict", strict, str(file), "--quiet").out
        == command("predict", strict, str(later), "--fill-future", "carry", "--quiet").out
    )
    later.write_text("day,sales,promo\n" + "\n".join([*rows, "2024-03-29,4.5,1", "2024-03-30,,"]) + "\n")
    updated = command("update", strict, str(later), "--fill-future", "carry", "--out", str(tmp_path / "new"), "--quiet")
    assert updated.code == 0, updated.err
    bad = command("predict", strict, str(later), "--fill-future", "mean")
    assert (bad.code, "--fill-future: expected carry, got 'mean'" in bad.err) == (2, True)
