"""What a refusal tells: its sentence to the client, its model and reason to the log and the counters."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from running import Running

from seqloom.serving.problem import Problem
from seqloom.serving.registry import Entry, Registry


def line_of(server: Running, path: str, status: int, reason: str) -> dict[str, Any]:
    """The line of the log on a request, which is written in bunches; other tests may have asked the same path."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        wanted = (path, status, reason)
        found = [line for line in server.lines if (line.get("path"), line.get("status"), line.get("reason")) == wanted]
        if found:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(f"no line on {path}")


def test_a_refusal_names_its_model_and_reason(server: Running) -> None:
    path = "/v1/models/hourly/versions/1/predict"
    sentence = server.http.post(path, json={"horizon": -1, "texts": "x"}).json()["error"]
    assert line_of(server, path, 400, sentence)["model"] == "hourly"
    assert 'route="predict",model="hourly",status="400"' in server.http.get("/metrics").text
    for made_up in ("/v1/models/made-up/predict", "/v1/models/made-up"):
        answer = server.http.request("POST" if made_up.endswith("predict") else "GET", made_up)
        assert "model" not in line_of(server, made_up, 404, answer.json()["error"])
    assert "made-up" not in server.http.get("/metrics").text
    long = server.http.post("/v1/models/hourly/versions/1/predict?" + "a" * 2000 + "=1", json={})
    assert long.status_code == 400
    assert all(len(line.get("reason", "")) <= 300 for line in server.lines)


def test_a_version_behind_a_colon_is_told_its_address(server: Running) -> None:
    answer = server.http.post("/v1/models/dates:3/predict", json={"text": "5 March 2024"})
    assert answer.status_code == 404
    assert answer.json()["error"].endswith("version 3 of dates is at /v1/models/dates/versions/3/predict.")


def test_a_model_whose_last_version_went_is_not_offered() -> None:
    about: Any = None
    registry = Registry()
    for name in ("gone", "here"):
        registry.put(Entry(name, "1", Path(name), 1, about, ()))
    registry.drop("gone", "1")
    with pytest.raises(Problem) as refused:
        registry.find("gone")
    assert refused.value.sentence == "There is no model 'gone'; this server has here."
    registry.drop("here", "1")
    with pytest.raises(Problem) as refused:
        registry.find("gone")
    assert refused.value.sentence == "There is no model 'gone'; this server has none now."


def test_known_rows_and_csv_back(server: Running) -> None:
    answer = server.http.post("/v1/models/hourly/predict?recent=3", headers={"Accept": "text/csv"})
    assert answer.status_code == 400
    assert "known values come in JSON alone" in answer.json()["error"]
    assert server.http.post("/v1/models/hourly/predict?recent=0&format=csv").status_code == 200


def test_no_sentence_speaks_python(server: Running) -> None:
    for body in (
        b"time,y\n2024-01-01,1\n2024-01-02,x\n2024-01-03,2\n",
        b"time,y\nlater,1\nsoon,2\n",
        b"time,y\n\xff,1\n",
    ):
        answer = server.http.post("/v1/models/hourly/predict", content=body)
        assert answer.status_code == 400
        assert "=" not in answer.json()["error"], answer.json()
        assert answer.json()["error"].endswith(".")
