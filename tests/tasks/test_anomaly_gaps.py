"""Which rows a repair filled is said: by a fit, by the command and by a prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seqloom import AnomalyDetector, Panel
from seqloom.tasks.anomalies.gaps import gap_decisions


def table(series: str = "") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    hours = pd.date_range("2024-01-01", periods=300, freq="h")
    frame = pd.DataFrame({"time": hours, "load": rng.normal(size=300), "wind": rng.normal(size=300)})
    frame.loc[200:203, "load"] = np.nan
    frame.loc[230, "wind"] = np.nan
    return frame.drop(index=[100, 101, 102, 250]).assign(**({"id": series} if series else {}))


def test_what_was_filled_is_listed_with_its_rows_and_columns() -> None:
    (said,) = gap_decisions(Panel.from_frame(table(), time="time"))
    assert said.text == (
        "Filled with the last values before, neither learned from nor scored: 3 rows (2024-01-05T04:00:00 to "
        "2024-01-05T06:00:00), 4 rows (2024-01-09T08:00:00 to 2024-01-09T11:00:00) in 'load', 1 row "
        "(2024-01-10T14:00:00) in 'wind', 1 row (2024-01-11T10:00:00); another limit can be named (max_fill=)."
    )
    model = AnomalyDetector(model="z-score").fit(table(), time="time")
    assert said.text in model.notes_
    whole = table().dropna().iloc[110:180]
    assert gap_decisions(Panel.from_frame(whole, time="time")) == []


def test_what_stays_missing_is_listed_too_and_long_lists_are_cut() -> None:
    filled, left = gap_decisions(Panel.from_frame(table(), time="time", max_fill=3))
    assert "3 rows (2024-01-09T08:00:00 to 2024-01-09T10:00:00) in 'load'" in filled.text
    assert left.text.startswith("Missing and not filled, so without a score of their own: 1 row (2024-01-09T11:00:00)")
    values = np.where(np.arange(400)[:, None] % 30 == 29, np.nan, 1.0 + np.arange(400)[:, None] % 7)
    (many,) = gap_decisions(Panel.from_frame(pd.DataFrame(values, columns=["a"])))
    assert "1 row (step 29), 1 row (step 59)" in many.text
    assert "and 8 more stretches; another limit" in many.text
    two = pd.concat([table("a"), table("b")])
    (each,) = gap_decisions(Panel.from_frame(two, time="time", id="id"))
    assert "1 row (2024-01-11T10:00:00) of 'a', 3 rows (2024-01-05T04:00:00 to 2024-01-05T06:00:00) of 'b'" in each.text
