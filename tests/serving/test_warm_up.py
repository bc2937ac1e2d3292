"""A forecaster is served with the reader of tables at hand."""

from __future__ import annotations

from typing import Any

import pytest
from small_models import Fitted

from seqloom.serving import forecasts
from seqloom.serving.models import load_model


def test_a_small_table_is_read_before_the_first_is_sent(forecaster: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[str]] = []
    table_of = forecasts.table_of

    def watched(*args: Any, **kwargs: Any) -> Any:
        table = table_of(*args, **kwargs)
        read.append(list(table.cells))
        return table

    monkeypatch.setattr(forecasts, "table_of", watched)
    load_model(forecaster.folder)
    assert read == [["time", "value"]]
