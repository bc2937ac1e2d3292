"""An evaluation holds what it says, and nothing that a file can't hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError
from seqloom.tasks.comparison import Evaluation


def test_numpy_values_become_plain_and_the_first_score_ranks() -> None:
    evaluation = Evaluation(
        {"loss": np.float32(0.5).item(), "accuracy": 1},
        frozenset({"loss"}),
        {"row": np.arange(3), "predicted": np.array(["a", "b", "c"])},
        {"confusion": {"counts": np.eye(2, dtype=np.int64)}, "nested": [np.float64(0.25), (1, 2)]},
    )
    assert evaluation.first == "loss"
    assert evaluation.better(0.1, 0.2)
    assert not evaluation.better(0.2, 0.2)
    assert dict(evaluation.scores) == {"loss": 0.5, "accuracy": 1.0}
    assert type(evaluation.scores["accuracy"]) is float
    assert dict(evaluation.details) == {"confusion": {"counts": [[1, 0], [0, 1]]}, "nested": [0.25, [1, 2]]}


def test_rows_get_their_names() -> None:
    evaluation = Evaluation(
        {"f1": 1.0},
        predictions={"row": np.array([0, 2, 2]), "predicted": np.array(["a", "b", "c"])},
        details={"mistakes": [{"row": 2, "loss": 1.0}], "roc": [{"class": "a"}], "confusion": {"counts": [[1]]}},
    )
    named = evaluation.with_rows(["x", "y", "z"])
    assert named.predictions["row"].tolist() == ["x", "z", "z"]
    assert named.predictions["predicted"].tolist() == ["a", "b", "c"]
    assert named.details == {**evaluation.details, "mistakes": [{"row": "z", "loss": 1.0}]}
    assert Evaluation({"f1": 1.0}).with_rows(["x"]).predictions == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scores": {}}, "at least one, the one that ranks"),
        ({"scores": {"f1": float("nan")}}, "expected a finite number for 'f1', got nan"),
        ({"scores": {"f1": "good"}}, "expected a number for 'f1', got 'good'"),
        ({"scores": {"f1": 1.0}, "lower_is_better": frozenset({"loss"})}, "'loss' is not among the scores f1"),
        (
            {"scores": {"f1": 1.0}, "predictions": {"row": np.arange(2), "actual": np.arange(3)}},
            "columns of one length, got row 2, actual 3",
        ),
        ({"scores": {"f1": 1.0}, "predictions": {"p": np.eye(2)}}, r"the column 'p' as \(N,\), got shape \(2, 2\)"),
        ({"scores": {"f1": 1.0}, "details": {"roc": [float("nan")]}}, "details: expected values that JSON can hold"),
        ({"scores": {"f1": 1.0}, "details": {"roc": {1j}}}, "details: expected values that JSON can hold"),
    ],
)
def test_what_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Evaluation(**values)


def test_a_rank_decides_in_place_of_the_first_score() -> None:
    better, worse = Evaluation({"mae": 2.0}, rank=0.5), Evaluation({}, rank=float("inf"))
    assert better.beats(worse)
    assert not worse.beats(better)
    assert not worse.beats(worse)
    assert Evaluation({"accuracy": 0.9}).beats(Evaluation({"accuracy": 0.8}))
    assert better.with_rows([]).rank == 0.5
