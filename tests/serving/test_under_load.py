"""Folders swapped, workers killed, an end in the middle: no wrong answer, and none that was accepted is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from load import Load
from running import Running
from small_models import LOOKBACK, Fitted, fitted_in
from websockets.sync.client import connect

from seqloom.errors import SeqloomError
from seqloom.serving import service
from seqloom_runtime.files import write_json

COUNT = 6


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A model like the forecaster, of another seed, whose forecasts differ."""
    return fitted_in(tmp_path_factory.mktemp("other") / "hourly", seed=1)


def put(model: Fitted, place: Path) -> None:
    """Save a model where another one lies."""
    model.model.save(place)


def test_a_changed_folder_is_swapped_and_a_damaged_one_is_not(
    forecaster: Fitted, other: Fitted, tmp_path: Path
) -> None:
    place = tmp_path / "hourly"
    shutil.copytree(forecaster.folder, place)
    truths = [forecaster.truth(COUNT), other.truth(COUNT)]
    assert not np.allclose(truths[0], truths[1], rtol=1e-3)
    with Running(("", place), watch=0.02) as server:
        with Load(server.address, "hourly", forecaster.windows(COUNT), truths) as load:
            load.until(20)
            assert set(load.answers) == {0}
            for _ in range(2):
                put(other, place)
                deadline = time.monotonic() + 30
                while sum(line["event"] == "swapped" for line in server.lines) % 2 == 0:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                before = load.answers.get(1, 0)
                load.until(40)
                assert load.answers[1] > before
                put(forecaster, place)
                while sum(line["event"] == "swapped" for line in server.lines) % 2:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
            before = refusals(server)  # none, unless a save was held up between its two files
            weights = place / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-40])
            deadline = time.monotonic() + 60
            while len(refusals(server)) == len(before):
                assert time.monotonic() < deadline, server.lines
                time.sleep(0.01)
            load.until(20)
        assert not load.wrong
        assert not load.lost
        told = refusals(server)
        assert len(told) == len(before) + 1
        assert told[-1]["so"] == "the old one stays"
        assert "Traceback" not in told[-1]["fault"]
        assert f"seqloom_model_load_failures_total {len(told)}\n" in server.http.get("/metrics").text


def refusals(server: Running) -> list[dict[str, Any]]:
    """What the server said of folders that it would not load."""
    return [line for line in server.lines if line["event"] == "refused"]


def test_a_folder_that_is_half_saved_at_one_look_is_not_refused(
    forecaster: Fitted, other: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, load, failed = tmp_path / "hourly", service.Service._load, threading.Event()
    shutil.copytree(forecaster.folder, place)

    async def watched(*arguments: Any) -> Any:
        try:
            return await load(*arguments)
        except SeqloomError:
            failed.set()
            raise

    monkeypatch.setattr(service.Service, "_load", watched)
    with Running(("", place), watch=0.5) as server:
        shutil.copy(other.folder / "model.safetensors", place)
        assert failed.wait(30)
        shutil.copy(other.folder / "model.json", place)  # before the next look
        deadline = time.monotonic() + 30
        while not any(line["event"] == "swapped" for line in server.lines):
            assert time.monotonic() < deadline, server.lines
            time.sleep(0.01)
        assert not refusals(server)


def until(server: Running, event: str, count: int = 1) -> None:
    """Returns once the log has so many events of a kind."""
    deadline = time.monotonic() + 30
    while sum(line["event"] == event for line in server.lines) < count:
        assert time.monotonic() < deadline, server.lines
        time.sleep(0.01)


def test_what_was_refused_for_a_reason_that_passes_is_loaded_later_and_told_once(
    forecaster: Fitted, other: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, load, reasons = tmp_path / "hourly", service.Service._load, ["Too many open files"]
    shutil.copytree(forecaster.folder, place)

    async def short_of_files(*arguments: Any) -> Any:
        if reasons:
            raise OSError(reasons[0])
        return await load(*arguments)

    with Running(("", place), watch=0.02) as server:
        monkeypatch.setattr(service.Service, "_load", short_of_files)
        put(other, place)
        until(server, "refused")
        time.sleep(1)  # several tries more
        assert len(refusals(server)) == 1
        assert "seqloom_model_load_failures_total 1\n" in server.http.get("/metrics").text
        reasons.clear()
        until(server, "swapped")


def test_a_run_whose_record_comes_after_its_model_is_loaded_again(forecaster: Fitted, tmp_path: Path) -> None:
    place = tmp_path / "run"
    shutil.copytree(forecaster.folder, place / "model")
    lines = forecaster.csv(20).splitlines()
    lines[3] = f"{lines[3].split(',')[0]},broken"
    rows = "\n".join(lines)
    with Running(("hourly", place), watch=0.02) as server:
        assert server.http.post("/v1/models/hourly/predict", content=rows).status_code == 400
        write_json(place / "run.json", {"settings": {"missing": "broken"}})
        until(server, "swapped")
        assert server.http.post("/v1/models/hourly/predict", content=rows).status_code == 200


def test_a_look_that_fails_is_told_and_the_next_one_goes_on(
    forecaster: Fitted, other: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, signature = tmp_path / "hourly", service.signature_of
    shutil.copytree(forecaster.folder, place)
    faults = iter(("planted", "planted again"))

    def fails_twice(path: Path) -> Any:
        for fault in faults:
            raise RuntimeError(fault)
        return signature(path)

    with Running(("", place), watch=0.02) as server:
        monkeypatch.setattr(service, "signature_of", fails_twice)
        put(other, place)
        deadline = time.monotonic() + 30
        while not any(line["event"] == "swapped" for line in server.lines):
            assert time.monotonic() < deadline, server.lines
            time.sleep(0.01)
        told = [line["fault"] for line in server.lines if line["event"] == "fault"]
    assert told == ["RuntimeError('planted')", "RuntimeError('planted again')"]


def test_versions_side_by_side_come_and_go(forecaster: Fitted, other: Fitted, tmp_path: Path) -> None:
    place = tmp_path / "hourly"
    shutil.copytree(forecaster.folder, place / "1")
    with Running(("", place), watch=0.02) as server:
        assert server.http.get("/v1/models/hourly").json()["versions"] == ["1"]
        shutil.copytree(other.folder, tmp_path / "two")
        (tmp_path / "two").rename(place / "10")
        deadline = time.monotonic() + 30
        while server.http.get("/v1/models/hourly").json()["versions"] != ["1", "10"]:
            assert time.monotonic() < deadline
        rows: Any = {"content": forecaster.csv(20)}
        found = {
            version: server.http.post(f"/v1/models/hourly{version}/predict", **rows).json()["forecast"][0]["y"]
            for version in ("", "/versions/1", "/versions/10")
        }
        assert found[""] == found["/versions/10"] != found["/versions/1"]
        shutil.rmtree(place / "10")
        while server.http.get("/v1/models/hourly").json()["versions"] != ["1"]:
            assert time.monotonic() < deadline
        answer = server.http.post("/v1/models/hourly/predict", **rows).json()
        assert answer["version"] == "1"
        assert answer["forecast"][0]["y"] == found["/versions/1"]


def test_workers_one_of_which_is_killed(forecaster: Fitted, other: Fitted, tmp_path: Path) -> None:
    place = tmp_path / "hourly"
    shutil.copytree(forecaster.folder, place)
    truths = [forecaster.truth(COUNT), other.truth(COUNT)]
    with Running(("", place), workers=2, watch=0.1, queue=64) as server:
        stream = connect(server.address.replace("http", "ws") + "/v1/models/hourly/stream", proxy=None, legacy=True)
        stream.recv(20)
        window, answer = forecaster.windows(1)[0], {}
        with Load(server.address, "hourly", forecaster.windows(COUNT), truths) as load:
            for step, row in enumerate(window):
                stream.send(json.dumps({"x": row.tolist()}))
                answer = json.loads(stream.recv(60))
                assert answer["step"] == step + 1
                if step == LOOKBACK // 2:
                    os.kill(processes(server)[0], signal.SIGKILL)
            np.testing.assert_allclose(answer["forecast"], truths[0][0], rtol=1e-5)
            load.until(20)
            put(other, place)
            deadline = time.monotonic() + 60
            while not any(line["event"] == "swapped" for line in server.lines):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            load.until(20)
            while len(processes(server)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        stream.close()
        assert not load.wrong
        assert not load.lost
        assert load.answers[1] > 0
        text = server.http.get("/metrics").text
        assert "seqloom_worker_restarts_total 1\n" in text
        assert f"seqloom_stream_steps_total {LOOKBACK}\n" in text
        counted = re.search(r'seqloom_requests_total\{route="infer",model="hourly",status="200"\} (\d+)', text)
        assert counted is not None
        assert int(counted[1]) == sum(load.answers.values())


def processes(server: Running) -> list[int]:
    """The worker processes of the server, which are children of this process."""
    found = []
    for child in Path("/proc").glob("[0-9]*"):
        try:
            told = (child / "stat").read_text().rpartition(")")[2].split()
            command = (child / "cmdline").read_bytes()
        except OSError:
            continue
        if int(told[1]) == os.getpid() and told[0] != "Z" and b"seqloom.serving.worker" in command:
            found.append(int(child.name))
    return sorted(found)


def test_an_end_under_load_answers_what_was_accepted(forecaster: Fitted) -> None:
    truths = [forecaster.truth(COUNT)]
    with (
        Running(("", forecaster.folder)) as server,
        Load(server.address, "hourly", forecaster.windows(COUNT), truths, clients=8) as load,
    ):
        load.until(50)
        load.ending = True
        server.end()
        load.stop()
        assert not load.wrong
        assert not load.lost
