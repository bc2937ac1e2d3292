"""The studies' speed beside plain torch.nn: the same sizes, shapes and batches, and the table that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bench.plain_studies import PlainLanguage, plain_optimizer, plain_step
from bench.studies import between_marks
from bench.study_speed import CASES, MARKS, Case, Timed, caught, plain_loss, speed_table, timed

from seqloom.studies import StudySettings, find_study
from seqloom.studies.networks import count
from seqloom.tasks.language.network import LanguageSpec, build_language_network

PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies.md"
BIASES = {"lstm": 4, "gru": 3}  # torch's layers carry a second bias vector for each gate


def _case(study: str, row: str) -> Case:
    return next(case for case in CASES if (case.study, case.row) == (study, row))


@pytest.mark.parametrize("row", ["tcn", "lstm", "gru"])
def test_the_plain_rendering_has_the_published_size(row: str) -> None:
    case, small = _case("adding", row), find_study("adding").prepare(StudySettings(quick=True))
    # Networks of the published size on little data: what is counted needs no more.
    _, ours = caught("adding", row, small, StudySettings())
    batch = next(iter(ours.batches))
    plain, loss = plain_loss(case, ours, batch, quick=False)
    assert case.models is not None
    # Weight norm of a convolution is a number for each channel in both; the TCN's are equal to the last one.
    assert count(plain) - count(ours.module) == BIASES.get(row, 0) * case.models[row].units
    before = loss(batch)
    assert torch.isfinite(before)
    assert before.shape == ours.loss(ours.module, batch).shape
    optimizer = plain_optimizer(ours.settings.optimizer, ours.settings.learning_rate, plain)
    for _ in range(3):
        plain_step(plain, optimizer, loss(batch), ours.settings.clip_norm)
    assert loss(batch) < before


@pytest.mark.parametrize(("name", "tied"), [("tcn", True), ("lstm", False)])
def test_the_plain_language_model_has_the_same_shape(name: str, tied: bool) -> None:
    spec = LanguageSpec(name, words=11, embedding_size=6, units=8, layers=2, tied=tied)
    ours, plain = build_language_network(spec, 1), PlainLanguage(spec, None)
    assert count(plain) - count(ours) == (2 * 4 * 8 if name == "lstm" else 0)


def test_turns_of_both_and_the_table() -> None:
    case, settings = _case("copy-memory", "tcn"), StudySettings(quick=True)
    found = timed(case, find_study("copy-memory").prepare(settings), settings, turns=2, seconds=0.01)
    assert len(found.ours) == len(found.plain) == 2
    assert found.steps == 3
    made = Timed(case, "TCN", (0.1, 0.2, 0.3), (0.4, 0.5, 0.9), 600, (5, 5))
    text = speed_table([made, Timed(case, "slow", (1.0,), (2.0,), 60, (5, 5))], 1, 3)
    assert "| copy-memory | TCN | 600 | 2.00 (1.00–3.00) | 5.00 (4.00–9.00) | 3.00× (2.50–4.00) | ≥ 3× ✓ |" in text
    assert "1 of 2 rows reach the goal. Missed: `copy-memory` slow." in text
    page = PAGE.read_text()
    once = between_marks(page, text, MARKS)
    assert once == between_marks(once, text, MARKS)
    assert text in once
