"""History and its rows."""

from __future__ import annotations

import csv
import io
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from seqloom.training import EpochRow, History

numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.floats(allow_nan=False, allow_infinity=False), st.dictionaries(st.text(min_size=1, max_size=5), numbers))
def test_json_keeps_every_bit(loss: float, valid: dict[str, float]) -> None:
    row = EpochRow(3, 70, 1e-3, loss, None, valid)
    text = json.dumps(row.to_json(), allow_nan=False)
    back = EpochRow.from_json(json.loads(text))
    assert repr(back) == repr(row)  # repr tells -0.0 from 0.0, and nan equals nan


def test_csv_reads_back_exactly() -> None:
    rows = tuple(EpochRow(e, 10 * e, 0.1 / e, math.pi / e, 0.3 / e, {"mae": math.e * e}) for e in (1, 2, 3))
    read = list(csv.DictReader(io.StringIO(History(rows).to_csv())))
    assert list(read[0]) == ["epoch", "step", "learning_rate", "train_loss", "penalty", "valid_mae"]
    for row, line in zip(rows, read, strict=True):
        assert (float(line["train_loss"]), float(line["valid_mae"])) == (row.train_loss, row.valid["mae"])


def test_seconds_do_not_count_for_equality() -> None:
    assert History(seconds=(1.0,)) == History(seconds=(2.0,))
    assert History.empty().steps == 0
    assert History.empty().to_csv() == "epoch,step,learning_rate,train_loss\n"
