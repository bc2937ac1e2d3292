"""Bodies that nobody means: made from the server's own description by schemathesis, and mutated from good ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from running import Running
from small_models import LOOKBACK, Fitted

_STATUSES = {200, 400, 404, 405, 406, 408, 413, 415, 426}
_HEADERS = ("content-type", "inference-header-content-length", "content-encoding", "accept")
_ODD: list[Any] = [
    None, True, 0, -1, 1e308, -1e-320, 2**63, 10**400, "", "a" * 3000, "\x00", "NaN", [], [[]], {}, [None], {"a": {}},
]  # fmt: skip


def checked(answer: httpx.Response) -> None:
    """No fault of the server, and of a client one sentence."""
    assert answer.status_code in _STATUSES, (answer.status_code, answer.text[:300])
    assert "Traceback" not in answer.text
    if answer.status_code != 200:
        (sentence,) = answer.json().values()
        assert sentence.rstrip("'\"?)").endswith((".", "…")) or sentence.endswith("?"), sentence


def asking(server: Running, operation: Any, examples: int) -> Callable[[], None]:
    """What sends requests that the description of one operation allows."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def ask(case: Any) -> None:
        made = case.as_transport_kwargs(base_url=server.address)
        headers = {k: v for k, v in dict(made["headers"]).items() if k.lower() in _HEADERS and str(v).isascii()}
        content = made.get("data")
        if made.get("json") is not None:
            content = json.dumps(made["json"])
        # A name that some model has, so that what is sent gets past the first question.
        for name in ("hourly", "spam"):
            path = operation.path.replace("{name}", name).replace("{version}", "1")
            params = made.get("params")
            checked(server.http.request(made["method"], path, content=content, headers=headers, params=params))

    return ask


def described(server: Running) -> list[Any]:
    """The operations of the server's own description."""
    api = schemathesis.openapi.from_dict(server.http.get("/openapi.json").json())
    found: list[Any] = list(api.get_all_operations())
    assert len(found) > 20
    return [each.ok() for each in found]


def test_what_its_description_allows(server: Running) -> None:
    for operation in described(server):
        if operation.method == "post" and "{version}" not in operation.path:
            asking(server, operation, 2)()


@pytest.mark.deep
def test_much_that_its_description_allows(server: Running) -> None:
    for operation in described(server):
        asking(server, operation, 40)()


def mutated(draw: np.random.Generator, value: Any, depth: int = 0) -> Any:
    """A JSON value with something odd in it."""
    if draw.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
        return _ODD[draw.integers(len(_ODD))]
    if isinstance(value, dict):
        key = list(value)[draw.integers(len(value))]
        choice = draw.integers(6)
        if choice == 0:
            return {k: v for k, v in value.items() if k != key}
        if choice == 1:
            return {**value, "odd": _ODD[draw.integers(len(_ODD))]}
        return {**value, key: mutated(draw, value[key], depth + 1)}
    at = int(draw.integers(len(value)))
    choice = draw.integers(5)
    if choice == 0:
        return value[:at]
    if choice == 1:
        return [*value, *value[: draw.integers(1, 4)]]
    return [*value[:at], mutated(draw, value[at], depth + 1), *value[at + 1 :]]


def damaged(draw: np.random.Generator, body: bytes) -> bytes:
    """Bytes with some of them lost, doubled or changed."""
    data = bytearray(body)
    for _ in range(draw.integers(1, 4)):
        at = int(draw.integers(len(data) + 1))
        choice = draw.integers(4)
        if choice == 0:
            del data[at : at + int(draw.integers(1, 40))]
        elif choice == 1:
            data[at:at] = bytes(draw.integers(0, 256, int(draw.integers(1, 9))).astype(np.uint8))
        elif choice == 2:
            data[at:at] = data[at : at + 30] * int(draw.integers(1, 50))
        else:
            data[at:] = data[at:][::-1]
    return bytes(data)


def fuzzed(http: httpx.Client, forecaster: Fitted, seed: int, count: int) -> dict[int, int]:
    """Send that many odd bodies; status → how often. Raises AssertionError at an answer that must not be."""
    draw = np.random.default_rng(seed)
    window = forecaster.windows(1)[0].ravel().tolist()
    tensor = {"name": "past", "shape": [1, LOOKBACK, 1], "datatype": "FP64", "data": window}
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["win"]}
    rows = forecaster.table[-15:].with_columns(forecaster.table["time"][-15:].cast(str)).to_dicts()
    good: list[tuple[str, Any]] = [
        ("/v2/models/hourly/infer", {"inputs": [tensor], "outputs": [{"name": "forecast"}], "id": "a"}),
        ("/v2/models/spam/infer", {"inputs": [text]}),
        ("/v1/models/hourly/predict", {"rows": rows, "horizon": 2, "levels": [80]}),
        ("/v1/models/hourly/predict", forecaster.csv(15)),
        ("/v1/models/spam/predict", {"texts": ["win", "see you"]}),
        ("/v1/models/sine/predict", {"sequences": [[0.1, 0.2, 0.3]]}),
    ]
    found: dict[int, int] = {}
    for number in range(count):
        path, body = good[number % len(good)]
        if isinstance(body, dict) and draw.random() < 0.6:
            for _ in range(draw.integers(1, 3)):
                body = mutated(draw, body)
            content = json.dumps(body).encode()
        else:
            content = damaged(draw, body.encode() if isinstance(body, str) else json.dumps(body).encode())
        headers = {}
        if draw.random() < 0.15:
            headers["Inference-Header-Content-Length"] = str(int(draw.integers(-5, len(content) + 5)))
        answer = http.post(path, content=content, headers=headers)
        try:
            checked(answer)
        except AssertionError as fault:
            raise AssertionError(f"seed {seed}, body {number}: {path} {content[:500]!r}") from fault
        found[answer.status_code] = found.get(answer.status_code, 0) + 1
    return found


@pytest.mark.parametrize("seed", [1])
def test_mutated_bodies(server: Running, forecaster: Fitted, seed: int) -> None:
    found = fuzzed(server.http, forecaster, seed, 150)
    assert found[400] > 50
    assert server.http.get("/health/ready").json() == {"ready": True}
    assert not [line for line in server.lines if line["event"] == "fault"]


@pytest.mark.deep
def test_many_mutated_bodies(server: Running, forecaster: Fitted) -> None:
    for seed in range(10):
        fuzzed(server.http, forecaster, 100 + seed, 200)
    assert not [line for line in server.lines if line["event"] == "fault"]
