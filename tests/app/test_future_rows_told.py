"""What a table lacks in the rows to be forecast is told before the training, and filled only when asked."""

from __future__ import annotations

from pathlib import Path

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
