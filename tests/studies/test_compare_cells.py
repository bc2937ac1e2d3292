"""The comparison of cells: its questions, and parameter counts by the textbook's formulas."""

from __future__ import annotations

import torch

from seqloom.studies import StudySettings, find_study, run_study
from seqloom.studies.compare_cells import questions


def test_questions_mark_one_number_in_each_half() -> None:
    made = questions(400, 11, seed=3)
    values, marks = made.x.unbind(2)
    assert torch.equal(marks[:, :5].sum(1), torch.ones(400))
    assert torch.equal(marks[:, 5:].sum(1), torch.ones(400))
    assert torch.equal((values * marks).sum(1) > 1, made.y[:, 0] == 1)
    assert 0.4 < float(made.y.mean()) < 0.6
    assert not torch.equal(questions(400, 11, seed=4).x, made.x)


def test_parameters_are_the_textbooks() -> None:
    results = run_study(find_study("compare-cells"), StudySettings(quick=True, epochs=1))
    counts = {row.name: results.median(row, "parameters") for row in results.rows}
    h, x = 32, 2
    base = h * (h + x) + h
    assert counts == {
        "majority": 0,
        "rnn": base + h + 1,
        "gru": 3 * base + h + 1,
        "lstm": 4 * base + h + 1,
        "rnn-large": 66 * 68 + 66 + 67,
    }
