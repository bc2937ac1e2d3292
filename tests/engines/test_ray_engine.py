"""Ray: the same results as worker processes, also where a node of the cluster is lost."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from seqloom.engines import LocalEngine, make_engine
from seqloom.errors import SettingError
from seqloom.tasks import Forecaster
from seqloom.tuning import tune

ray = pytest.importorskip("ray")
ray_cluster = pytest.importorskip("ray.cluster_utils")
internal_kv = pytest.importorskip("ray.experimental.internal_kv")
pytestmark = pytest.mark.filterwarnings("ignore")
WAVE = np.sin(np.arange(200) / 4) + np.random.default_rng(0).normal(0, 0.2, 200)


@pytest.fixture
def three_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes of one processor each, and this process as their driver."""
    made = started(monkeypatch, str(Path(__file__).parent))
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def started(monkeypatch: pytest.MonkeyPatch, path: str) -> Any:
    """A cluster of one node, whose workers find packages in `path` first."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", path)
    return ray_cluster.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})


class Loses:
    """Kills a node of the cluster, which is not the driver's, once so many jobs are done, in each of several works."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.nodes = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
        self.due = False

    def __call__(self, event: Any) -> None:
        told = type(event).__name__
        done = event.done if told == "CutoffDone" else event.number if told == "TrialFinished" else 0
        if self.due and done >= 4:
            self.due = False
            self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)


def same_backtests(model: str, how: dict[str, Any], engine: Any, lose: Loses) -> None:
    """A backtest by two worker processes and by the cluster, compared to the bit."""
    shape: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 3, "units": 4, "batch_size": 16, "season": 25}
    forecaster = Forecaster(model=model, lookback=6, horizon=2, **shape)
    one = forecaster.cross_validate(WAVE, target="column_0", **how, engine=LocalEngine(2))
    two = forecaster.cross_validate(WAVE, target="column_0", **how, engine=engine, on_event=lose)
    assert one.metrics == two.metrics
    for name, values in one.columns.items():
        assert values.tobytes() == two.columns[name].tobytes() or values.tolist() == two.columns[name].tolist()


def test_a_node_that_is_lost_in_a_backtest_changes_nothing(three_nodes: Any) -> None:
    lose = Loses(three_nodes)
    lose.due = True
    same_backtests("damped-persistence", {"n_windows": 12, "step": 1}, make_engine("ray", workers=3), lose)
    assert len(lose.nodes) == 1


@pytest.mark.deep
def test_nodes_that_are_lost_change_nothing(three_nodes: Any) -> None:
    """60 cutoffs of four models and a search of 40 trials; a node is killed in each of the two."""
    engine, lose = make_engine("ray", workers=3), Loses(three_nodes)
    for model in ("damped-persistence", "theta", "linear", "gru"):
        lose.due = model == "linear"
        same_backtests(model, {"n_windows": 60, "step": 2}, engine, lose)
    assert len(lose.nodes) == 1

    gru = Forecaster(model="gru", lookback=8, horizon=2, epochs=3, steps_per_epoch=3, units=4, batch_size=16)
    space = {"units": (2, 8), "learning_rate": (1e-3, 1e-1, "log")}
    asked: dict[str, Any] = {"target": "column_0", "space": space, "trials": 40}
    here = tune(gru, WAVE, **asked, engine=LocalEngine(2))
    lose.due = True
    there = tune(gru, WAVE, **asked, engine=engine, on_event=lose)
    assert not lose.nodes
    assert len(here.trials) == 40
    assert here.trials == there.trials
    assert here.parameters == there.parameters
    assert here.comparison.metrics == there.comparison.metrics


def doubled(shared: Any, job: Any, tell: Any) -> Any:
    return shared * job


@pytest.mark.deep
def test_versions_that_differ_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node with another seqloom, then a cluster that was started with another Python and another Ray."""
    import seqloom
    import seqloom_runtime

    for package in (seqloom, seqloom_runtime):
        copy = tmp_path / package.__name__
        shutil.copytree(Path(str(package.__file__)).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
        source = (copy / "__init__.py").read_text()
        assert f'"{seqloom.__version__}"' in source
        (copy / "__init__.py").write_text(source.replace(f'"{seqloom.__version__}"', '"0.0.9"'))
    cluster = started(monkeypatch, f"{tmp_path}{os.pathsep}{Path(__file__).parent}")
    try:
        engine = make_engine("ray", address=cluster.address)
        said = rf"^ray_address: a node of the cluster \(.*\) has seqloom 0\.0\.9, not {seqloom.__version__}; install"
        with pytest.raises(SettingError, match=said):
            engine.run(doubled, 2, [1, 2, 3])
        key = {"key": b"CLUSTER_METADATA", "namespace": b"cluster"}
        kept = json.loads(internal_kv._internal_kv_get(**key))
        changed = json.dumps({**kept, "python_version": "3.9.1", "ray_version": "2.0.0"}).encode()
        internal_kv._internal_kv_put(**key, value=changed, overwrite=True)
        engine.close()
        said = (
            r"^ray_address: the cluster at \S+ has Ray 2\.0\.0 and Python 3\.9\.1, here are Ray \S+ and Python \S+; use"
        )
        with pytest.raises(SettingError, match=said):
            make_engine("ray", address=cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_no_cluster_at_the_address_is_one_sentence() -> None:
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))
        monkey = pytest.MonkeyPatch()
        monkey.setattr("seqloom.engines.cluster._PATIENCE", 0.5)
        for server, why in ((closed, "Connection refused"), (silent, "timed out")):
            address = f"127.0.0.1:{server.getsockname()[1]}"
            said = rf"^ray_address: no Ray cluster could be reached at {address} \(.*{why}\)\.$"
            with pytest.raises(SettingError, match=said):
                make_engine("ray", address=address)
        monkey.undo()


@pytest.mark.parametrize("named", [False, True])
def test_a_cluster_that_auto_means_and_is_gone_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Ray notes the cluster that was started last, and its note outlives a cluster that was killed."""
    services = pytest.importorskip("ray._private.services")
    monkeypatch.setattr(services, "find_gcs_addresses", frozenset)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(SettingError, match=r"reached at auto \(Could not find any running Ray"):
        make_engine("ray", address="auto")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        note = tmp_path / "ray" / "ray_current_cluster"
        note.parent.mkdir()
        note.write_text(address)
        if named:
            monkeypatch.setenv("RAY_ADDRESS", address)
        began = time.monotonic()
        said = rf"could be reached at \S+:{closed.getsockname()[1]}, which auto means \(.*Connection refused"
        with pytest.raises(SettingError, match=said):
            make_engine("ray", address="auto")
    assert time.monotonic() - began < 10
    assert note.read_text() == address


def test_an_address_of_the_environment_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    with pytest.raises(SettingError, match=r"^ray_address: auto takes what RAY_ADDRESS says; expected HOST:PORT"):
        make_engine("ray", address="auto")


def test_another_server_at_the_address_is_one_sentence() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        with pytest.raises(SettingError, match=rf"reached at {address} \(what answers there is no Ray\)"):
            make_engine("ray", address=address)
        server.shutdown()


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1:port", "http://10.0.0.1:6379", "", "a b:1", ":6379"])
def test_an_address_that_is_none_is_one_sentence(address: str) -> None:
    with pytest.raises(SettingError, match=r"^ray_address: expected HOST:PORT, or auto for the cluster of this"):
        make_engine("ray", address=address)


def test_without_an_address_the_cluster_is_its_own() -> None:
    """Also where the surroundings name another, which nobody asked for."""
    code = "from seqloom.engines import make_engine; print(make_engine('ray', workers=1).workers)"
    surroundings = {**os.environ, "RAY_ADDRESS": "127.0.0.1:9"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1"]
