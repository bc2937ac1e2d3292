"""What the runtime reads of a saved forecaster's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from seqloom.tasks import Forecaster
from seqloom_runtime.errors import FormatError
from seqloom_runtime.forecast.saved import parameters_of
from seqloom_runtime.saved_fields import plain


def header() -> dict[str, Any]:
    return {"parameters": plain(Forecaster().get_params())}


@pytest.mark.parametrize("name", ["zone", "fill", "time_format", "holidays", "resample", "season", "seed"])
def test_one_that_is_missing_is_named(name: str) -> None:
    assert name in parameters_of(header())
    damaged = header()
    del damaged["parameters"][name]
    try:
        found = parameters_of(damaged)
    except FormatError as error:
        assert f"the parameter {name!r} is missing" in str(error)  # noqa: PT017
    else:
        assert found[name] == parameters_of(header())[name]  # the first models were saved without it
