"""The notes of several candidates together: under the candidates' names, once, with equal forecasts named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from seqloom.tasks.comparison import Evaluation
from seqloom.tasks.forecast.told import joined_notes, left_out_together, same_forecasts


def held(model: str, *notes: str) -> Any:
    return SimpleNamespace(model=model, notes_=list(notes))


def test_a_note_stands_under_the_names_of_its_candidates() -> None:
    """A network's note calls it by its model, which two candidates share; the sentence was once told under one name."""
    kept = "gru: training kept the linear path."
    told = joined_notes(
        {
            "naive": held("naive", "No 95 % interval."),
            "gru": held("gru", "No 95 % interval.", "gru: only this one."),
            "log-gru": held("gru", kept),
            "gru@1": held("gru", kept),
        }
    )
    assert told == ["No 95 % interval.", "gru: only this one.", "log-gru, gru@1: training kept the linear path."]


def test_what_else_is_said_of_a_method_is_a_sentence_of_its_own() -> None:
    rounded = "took the season of 52.1786 rows as 52."
    told = joined_notes(
        {
            "auto-ets": held("auto-ets", f"auto-ets {rounded} ETS(M,A,A), chosen by AICc."),
            "log-auto-ets": held("log-auto-ets", f"log-auto-ets: auto-ets {rounded} ETS(A,A,A), chosen by AICc."),
            "auto-theta": held("auto-theta", f"auto-theta {rounded} Theta (theta 83.7), chosen by AIC. It was cut."),
            "arima": held("arima", "arima models no season of 52 rows. ARIMA(4,1,2), chosen by AICc."),
            "stl-ets": held("stl-ets", f"stl-ets {rounded} stl-ets was scored at 200 of 635 origins."),
            "theta": held("theta", f"theta {rounded}"),
        }
    )
    assert told == [
        f"auto-ets, auto-theta, stl-ets, theta {rounded}",
        "Chosen by AICc: auto-ets ETS(M,A,A); log-auto-ets ETS(A,A,A); arima ARIMA(4,1,2).",
        "auto-theta: It was cut.",
        "Chosen by AIC: auto-theta Theta (theta 83.7).",
        "arima models no season of 52 rows.",
        "stl-ets was scored at 200 of 635 origins.",
    ]


def test_what_criteria_chose_is_one_sentence_each() -> None:
    told = joined_notes(
        {
            "auto-ets": held("auto-ets", "auto-ets: ETS(M,A,A), chosen by AICc."),
            "auto-theta": held("auto-theta", "auto-theta: standard Theta (theta 2), chosen by AIC."),
            "stl-ets": held("stl-ets", "stl-ets: something."),
            "arima": held("arima", "arima: ARIMA(1,0,0), chosen by AICc."),
        }
    )
    assert told == [
        "Chosen by AICc: auto-ets ETS(M,A,A); arima ARIMA(1,0,0).",
        "Chosen by AIC: auto-theta standard Theta (theta 2).",
        "stl-ets: something.",
    ]


def test_models_left_out_for_one_reason_share_a_sentence() -> None:
    why = "is left out: Baseline '{0}' needs 10 training rows, there are 9; leave '{0}' out."
    notes = [f"ets {why.format('ets')}", "gru is left out: it has a NaN.", f"arima {why.format('arima')}"]
    assert left_out_together(notes) == [
        "ets, arima are left out: each needs 10 training rows, there are 9; leave them out.",
        "gru is left out: it has a NaN.",
    ]
    assert left_out_together(notes[:2]) == notes[:2]


def test_equal_forecasts_are_named() -> None:
    actual = np.array([1.0, 2.0, 9.0])

    def part(**forecasts: np.ndarray) -> dict[str, Evaluation]:
        return {
            name: Evaluation({"mae": 1.0}, predictions={"actual": actual, "predicted": values})
            for name, values in forecasts.items()
        }

    one, other = np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.5, np.nan])
    valid = part(linear=one, gru=one + 1e-9, ets=other, arima=one)
    test = part(linear=one, gru=one, ets=other, arima=other)
    assert same_forecasts(valid, test) == ["The same forecasts, to the digit: linear and gru."]
    assert same_forecasts(part(a=one, b=other)) == []
