"""Streams: each step's answer, states that never cross, tokens that give a state back to their bearer alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Running
from small_models import LOOKBACK, Fitted
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import seqloom


def opened(server: Running, query: str = "", **headers: str) -> ClientConnection:
    address = server.address.replace("http", "ws") + "/v1/models/hourly/stream" + query
    return connect(address, additional_headers=headers, proxy=None, legacy=True)


def said(stream: ClientConnection, **message: Any) -> dict[str, Any]:
    stream.send(json.dumps(message))
    return json.loads(stream.recv(20))


def test_each_step_forecasts_from_the_rows_so_far(server: Running, forecaster: Fitted) -> None:
    values, truth = forecaster.table["y"].to_list(), forecaster.truth(6)
    with opened(server) as stream:
        hello = json.loads(stream.recv(20))
        assert (hello["model"], hello["step"], hello["columns"], hello["rows"]) == ("hourly", 0, ["y"], LOOKBACK)
        for step in range(LOOKBACK + 5):
            answer = said(stream, x=[values[step]] if step % 2 else values[step])
            assert answer["step"] == step + 1
            if step + 1 < LOOKBACK:
                assert answer["needs"] == LOOKBACK - step - 1
            else:
                np.testing.assert_allclose(answer["forecast"], truth[step + 1 - LOOKBACK], rtol=1e-6)
        for wrong in ({"x": "a"}, {"x": [1, 2]}, {"y": 1}, {"past": []}, {"x": 1e308}, {"x": [None]}):
            refused = said(stream, **wrong)
            assert "Traceback" not in refused["error"]
            assert refused["step"] == LOOKBACK + 5
        stream.send(b"\xff")
        assert "Expected JSON" in json.loads(stream.recv(20))["error"]
        np.testing.assert_allclose(said(stream, past=[[v] for v in values[:LOOKBACK]])["forecast"], truth[0], rtol=1e-6)


def test_states_do_not_cross(server: Running, forecaster: Fitted) -> None:
    windows, truth = forecaster.windows(8), forecaster.truth(8)
    streams = [opened(server) for _ in range(8)]
    for stream in streams:
        stream.recv(20)
    for step in range(LOOKBACK):
        for stream, window in zip(streams, windows):
            stream.send(json.dumps({"x": window[step].tolist()}))
    for stream, expected in zip(streams, truth):
        answers = [json.loads(stream.recv(20)) for _ in range(LOOKBACK)]
        assert [answer["step"] for answer in answers] == list(range(1, LOOKBACK + 1))
        np.testing.assert_allclose(answers[-1]["forecast"], expected, rtol=1e-6)
        stream.close()


def test_a_token_gives_the_state_back_once_it_is_the_same_bearer(forecaster: Fitted, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("a" * 20 + "\n" + "b" * 20)
    first, other = ({"Authorization": f"Bearer {letter * 20}"} for letter in "ab")
    values, truth = forecaster.table["y"].to_list(), forecaster.truth(2)
    with Running(("hourly", forecaster.folder), token_file=file, stream_keep=1.0, streams=2) as server:
        with pytest.raises(InvalidStatus, match="401"):
            opened(server)
        with opened(server, **first) as stream:
            token = json.loads(stream.recv(20))["token"]
            before = said(stream, past=[[value] for value in values[:LOOKBACK]])
        for headers, query in ((other, f"?resume={token}"), (first, "?resume=guess")):
            with pytest.raises(InvalidStatus, match="404"):
                opened(server, query, **headers)
        with opened(server, f"?resume={token}", **first) as stream:
            hello = json.loads(stream.recv(20))
            assert (hello["resumed"], hello["step"], hello["last"]) == (True, LOOKBACK, before)
            # A second connection takes the stream over, and the first is told.
            with opened(server, f"?resume={token}", **first) as second:
                second.recv(20)
                with pytest.raises(ConnectionClosed, match="4409"):
                    stream.recv(20)
                answer = said(second, x=values[LOOKBACK])
                np.testing.assert_allclose(answer["forecast"], truth[1], rtol=1e-6)
                with opened(server, **other) as third:
                    third.recv(20)
                    with pytest.raises(InvalidStatus, match="503"):
                        opened(server, **other)
        time.sleep(1.3)
        with pytest.raises(InvalidStatus, match="404"):
            opened(server, f"?resume={token}", **first)
        logged = json.dumps(server.lines)
        assert token not in logged


def refusal_line(server: Running, path: str, status: int) -> dict[str, Any]:
    """The line of the log on a refused stream, which is written in bunches."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in server.lines:
            if line["event"] == "request" and (line["path"], line["status"]) == (path, status):
                return line
        time.sleep(0.1)
    raise AssertionError(f"no line on {path}")


def test_what_has_no_stream_and_other_addresses(server: Running) -> None:
    address = server.address.replace("http", "ws")
    for path, status in (("/v1/models/spam/stream", 400), ("/v1/models/no/stream", 404), ("/v2", 404)):
        with pytest.raises(InvalidStatus, match=str(status)) as refused:
            connect(address + path, proxy=None, legacy=True)
        sentence = json.loads(refused.value.response.body or b"{}")["error"]
        assert sentence.endswith(".")
        line = refusal_line(server, path, status)
        assert line["reason"] == sentence
    assert not [line for line in server.lines if line["event"] == "fault"]
    with pytest.raises(InvalidStatus, match="403"):
        opened(server, Origin="https://evil.example")


def test_the_end_of_a_server_is_told_to_its_streams(forecaster: Fitted) -> None:
    with Running(("hourly", forecaster.folder)) as server, opened(server) as stream:
        stream.recv(20)
        server.end()
        with pytest.raises(ConnectionClosed, match="1012"):
            stream.recv(20)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_of_steps_remembers_by_itself(tmp_path: Path, workers: int) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(30, 9, 2))
    labels = np.where(x.cumsum(axis=1)[:, :, 0] > 0, "up", "down")
    model = seqloom.FrameModel(kind="label", units=4, epochs=1).fit(x, labels)
    model.save(tmp_path / "steps")
    truth = model.predict_proba(x[:1])[0]
    with Running(("hourly", tmp_path / "steps"), workers=workers) as server:
        tensor = {"name": "x", "shape": [1, 9, 2], "datatype": "FP64", "data": x[0].ravel().tolist()}
        found = server.http.post("/v2/models/hourly/infer", json={"inputs": [tensor]}).json()["outputs"][0]
        np.testing.assert_allclose(np.reshape(found["data"], (9, 2)), truth, rtol=1e-5)
        told = server.http.post("/v1/models/hourly/predict", json={"sequences": [x[0].tolist()]}).json()
        np.testing.assert_allclose(told["predictions"][0], truth, rtol=1e-5)
        assert told["each"] == ["down", "up"]
        with opened(server) as stream:
            token = json.loads(stream.recv(20))["token"]
            for step in range(5):
                answer = said(stream, x=x[0, step].tolist())
                np.testing.assert_allclose(answer["probabilities"], truth[step], rtol=1e-5)
                assert answer["label"] == ("down", "up")[int(truth[step].argmax())]
            assert "expected" in said(stream, x=[1e300, 0])["error"].lower()
        with opened(server, f"?resume={token}") as stream:
            assert json.loads(stream.recv(20))["step"] == 5
            for step in range(5, 9):
                answer = said(stream, x=x[0, step].tolist())
                np.testing.assert_allclose(answer["probabilities"], truth[step], rtol=1e-5)
                assert answer["step"] == step + 1
