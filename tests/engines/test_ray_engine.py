"""Ray: the same results as worker processes, also where a node of the cluster is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.engines import LocalEngine, make_engine
from seqloom.errors import SettingError
from seqloom.tasks import Forecaster
from seqloom.tuning import tune

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.deep, pytest.mark.filterwarnings("ignore")]  # starting a cluster takes half a minute
WAVE = np.sin(np.arange(200) / 4) + np.random.default_rng(0).normal(0, 0.2, 200)


def square(shared: Any, job: Any, tell: Any) -> Any:
    return {"found": shared["values"] * job}


@pytest.fixture
def cluster() -> Any:
    """Three nodes of one processor each, and this process as their driver."""
    Cluster = pytest.importorskip("ray.cluster_utils").Cluster

    os.environ.update({"RAY_worker_niceness": "0"})
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_node_that_is_lost_changes_nothing(cluster: Any) -> None:
    """A backtest of 60 cutoffs and a search of 40 trials; a node is killed in each."""
    engine = make_engine("ray", workers=3)
    nodes = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
    forecaster = Forecaster(model="damped-persistence", lookback=6, horizon=2)
    how: dict[str, Any] = {"target": "column_0", "n_windows": 60}

    def lose(event: Any) -> None:
        told = type(event).__name__
        if nodes and ((told == "CutoffDone" and event.done == 9) or (told == "TrialFinished" and event.number > 5)):
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            if told == "CutoffDone":
                raise_later.append(told)

    raise_later: list[str] = []
    one = forecaster.cross_validate(WAVE, **how, engine=LocalEngine(2))
    two = forecaster.cross_validate(WAVE, **how, engine=engine, on_event=lose)
    assert raise_later
    assert one.metrics == two.metrics
    for name, values in one.columns.items():
        assert np.array_equal(values, two.columns[name], equal_nan=values.dtype.kind == "f")
    assert len(nodes) == 1

    gru = Forecaster(model="gru", lookback=8, horizon=2, epochs=2, steps_per_epoch=3, units=4, batch_size=16)
    space = {"units": (2, 8), "learning_rate": (1e-3, 1e-1, "log")}
    asked: dict[str, Any] = {"target": "column_0", "space": space, "trials": 40}
    here = tune(gru, WAVE, **asked, engine=LocalEngine(2))
    there = tune(gru, WAVE, **asked, engine=engine, on_event=lose)
    assert not nodes
    assert here.trials == there.trials
    assert here.parameters == there.parameters


def test_no_cluster_at_the_address_is_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"^ray_address: no Ray cluster could be reached at 127\.0\.0\.1:1 \("):
        make_engine("ray", address="127.0.0.1:1")
