"""Models that the tests of the server ask, fitted once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import Running
from small_models import Fitted, fitted_in

from seqloom import zoo


@pytest.fixture(scope="session")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fitted_in(tmp_path_factory.mktemp("models") / "hourly")


@pytest.fixture(scope="session")
def server(forecaster: Fitted) -> Iterator[Running]:
    runs = [("hourly", forecaster.folder), *((name, zoo.folder(f"zoo:{name}")) for name in ("co2", "spam", "sine"))]
    with Running(*runs, ("dates:3", zoo.folder("zoo:dates"))) as running:
        yield running
