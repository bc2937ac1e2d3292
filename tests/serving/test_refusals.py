"""What can't be answered: one clear sentence in JSON with a fitting status, and a server that goes on."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from running import Running
from small_models import LOOKBACK, Fitted

from seqloom.serving import Bounds, ServerSettings, sources_of
from seqloom.serving.server import listening
from seqloom_runtime.errors import FormatError, SettingError

INFER = "/v2/models/hourly/infer"
PREDICT = "/v1/models/hourly/predict"


def sentence(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    (text,) = answer.json().values()
    assert isinstance(text, str)
    assert text.endswith((".", "?"))
    assert "Traceback" not in text
    return text


def tensor(**changed: Any) -> dict[str, Any]:
    zeros = [0.0] * LOOKBACK
    return {"inputs": [{"name": "past", "shape": [1, LOOKBACK, 1], "datatype": "FP64", "data": zeros, **changed}]}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"[]", "expected a list of tensors"),
        (b"\xff\xfe", "expected JSON"),
        (b"[" * 200_000, "expected JSON"),
        (b'{"inputs": [{"name": "past", "data": [NaN]}]}', "expected JSON"),
        ({"inputs": []}, "expected a list of tensors"),
        ({"inputs": [1]}, "expected tensors with a name, got 1"),
        (tensor(name="pasta"), "expected past, got 'pasta'. Did you mean 'past'?"),
        (tensor(datatype="FP63"), "expected a datatype such as FP32"),
        (tensor(datatype={}), "expected a datatype such as FP32"),
        (tensor(datatype="BYTES", data=["1"] * LOOKBACK), "past: expected FP64, got BYTES"),
        (tensor(datatype="INT8", data=[300] * LOOKBACK), "from -128 to 127"),
        (tensor(shape=[1, LOOKBACK - 1, 1]), f"expected {LOOKBACK - 1} values"),
        (tensor(shape=[1, -1, 1]), "whole numbers from 0 on"),
        (tensor(shape=[1] * 9), "whole numbers from 0 on"),
        (tensor(shape=[LOOKBACK], data=[0.0] * LOOKBACK), f"expected the shape (any, {LOOKBACK}, 1)"),
        (tensor(shape=[0, LOOKBACK, 1], data=[]), "at least one value"),
        (tensor(data=[None] * LOOKBACK), "expected values of FP64, got None"),
        (tensor(data=["1"] * LOOKBACK), "expected values of FP64, got '1'"),
        (tensor(data=[[1.0], 2.0]), "got both beside each other"),
        (tensor(data=[1e308] * LOOKBACK), "past: the numbers lie too far"),
        (tensor(datatype="FP32", data=[1e300] * LOOKBACK), "expected finite numbers"),
        ({**tensor(), "outputs": [{"name": "futures"}]}, "expected one of forecast"),
        ({"inputs": tensor()["inputs"] * 2}, "there twice"),
        ({**tensor(), "id": 3}, "id: expected a text"),
    ],
)
def test_tensors_that_are_none(server: Running, body: Any, told: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert told in sentence(server.http.post(INFER, content=content), 400)


def test_more_numbers_than_allowed_are_refused_before_memory_is_asked_for(server: Running) -> None:
    assert "expected at most" in sentence(server.http.post(INFER, json=tensor(shape=[10**9, LOOKBACK, 1])), 413)


def test_bytes_that_are_no_tensors(server: Running, forecaster: Fitted) -> None:
    window = forecaster.windows(1).tobytes()
    head = json.dumps({"inputs": [{**tensor()["inputs"][0], "parameters": {"binary_data_size": len(window)}}]}).encode()
    name = "Inference-Header-Content-Length"
    good = server.http.post(INFER, content=head + window, headers={name: str(len(head))})
    assert good.status_code == 200
    for content, length, told in (
        (head + window[:-8], len(head), "are there"),
        (head + window + b"x", len(head), "1 bytes are left"),
        (head + window, len(head) + 10**6, "expected at most the body's"),
        (head + window, "-1", "expected a number of bytes"),
        (head + np.full(LOOKBACK, np.nan).tobytes(), len(head), "expected finite numbers, the value at [0, 0, 0]"),
    ):
        assert told in sentence(server.http.post(INFER, content=content, headers={name: str(length)}), 400)
    texts = struct.pack("<I", 2**31) + b"a"
    head = json.dumps(
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}]}
    ).encode()
    answer = server.http.post("/v2/models/spam/infer", content=head + texts, headers={name: str(len(head))})
    assert "each behind its length" in sentence(answer, 400)


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (PREDICT, {"rows": [{"a": 1}]}, "no time column is named 'time'"),
        (PREDICT, {"rows": [1]}, "expected a list of rows"),
        (PREDICT, {"rows": []}, "expected a list of rows"),
        (PREDICT, {"columns": {"time": [1], "y": [1, 2]}}, "lists of one length"),
        (PREDICT, {"texts": ["a"]}, "takes a table"),
        (PREDICT, {"roes": []}, "no such option"),
        (PREDICT, {"horizon": -1}, "horizon: expected a whole number from 1"),
        (PREDICT, {"horizon": "9999999d"}, "horizon: expected at most"),
        (PREDICT, {"levels": [120]}, "percentages between 0 and 100"),
        (PREDICT, {"samples": 10**9}, "samples: expected a whole number from 1 to 1,000"),
        (PREDICT + "?horizon=2&format=xml", {}, "expected json or csv"),
        (PREDICT, b"time,y\n2024-01-01,", "body"),
        (PREDICT, b"\x00\x01\x02", "body"),
        (PREDICT, b"PAR1" + b"\x00" * 20 + b"PAR1", "is taken as CSV or JSON here"),
        (PREDICT, b"PK\x03\x04" + b"\x00" * 40, "is taken as CSV or JSON here"),
        ("/v1/models/spam/predict", {"texts": [1]}, "expected a list of texts"),
        ("/v1/models/spam/predict", {"horizon": 2, "text": "a"}, "no such option"),
        ("/v1/models/sine/predict", {"sequences": [["a"]]}, "expected steps of 1 numbers"),
        ("/v1/models/sine/predict", {"sequences": 3}, "expected a list of sequences"),
        ("/v1/models/sine/predict", {"sequences": [[0.1, 1e308]]}, "expected numbers up to"),
        ("/v1/models/sine/predict", {}, "expected one of sequences"),
    ],
)
def test_plain_requests_that_are_none(server: Running, path: str, body: Any, told: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert told in sentence(server.http.post(path, content=content), 400)


def test_other_addresses_and_packings(server: Running) -> None:
    assert "There is no model 'daily'; this server has" in sentence(server.http.get("/v1/models/daily"), 404)
    assert "has no version '9'; there is 1" in sentence(server.http.get("/v2/models/hourly/versions/9"), 404)
    assert "no such address" in sentence(server.http.get("/v3"), 404)
    assert "GET is not what" in sentence(server.http.get(INFER), 405)
    packed = zlib.compress(b"0" * 40_000_000)
    answer = server.http.post(INFER, content=packed, headers={"Content-Encoding": "deflate"})
    assert "unpacked: expected at most" in sentence(answer, 413)
    answer = server.http.post(INFER, content=packed[:100], headers={"Content-Encoding": "deflate"})
    assert "cut off" in sentence(answer, 400)
    answer = server.http.post(INFER, content=b"x", headers={"Content-Encoding": "br"})
    assert "expected gzip, deflate or none" in sentence(answer, 415)
    answer = server.http.post(INFER, content=b"x", headers={"Origin": "https://evil.example"})
    assert "Pages of 'https://evil.example' may not ask" in sentence(answer, 403)
    assert "access-control-allow-origin" not in server.http.get("/v2").headers


def said(server: Running, *pieces: bytes) -> bytes:
    """All that the server answers to these bytes, until it closes the connection."""
    with socket.create_connection(server.host()) as client:
        for piece in pieces:
            client.sendall(piece)
        client.settimeout(20)
        found = b""
        while part := client.recv(65536):
            found += part
        return found


def test_clients_that_stall(forecaster: Fitted) -> None:
    with Running(("", forecaster.folder), slow=0.3) as server:
        assert b" 408 " in said(server, b"POST /v2 HTTP/1.1\r\nHost: a\r\n")
        assert b" 408 " in said(server, b"")
        half = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
        assert b" 408 " in said(server, half)
        assert server.http.get("/health/ready").json() == {"ready": True}


def test_clients_that_send_garbage_or_too_much(forecaster: Fitted) -> None:
    with Running(("", forecaster.folder), slow=20, connections=8, body=1 << 16) as server:
        assert b" 400 " in said(server, b"\x16\x03\x01 garbage\r\n\r\n")
        large = b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 50_000
        assert b" 431 " in said(server, large, b"a" * 50_000)
        head = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"
        answer = said(server, head)
        assert b" 413 " in answer
        assert b"expected at most 64.0 KiB" in answer
        held = [socket.create_connection(server.host()) for _ in range(8)]
        assert b" 503 " in said(server)
        for each in held:
            each.close()
        deadline = time.monotonic() + 20
        ready = 0
        while ready != 200:
            assert time.monotonic() < deadline
            with contextlib.suppress(httpx.TransportError):  # refused as long as the others are not seen to be closed
                ready = server.http.get("/health/ready").status_code


def test_a_full_queue_says_when_to_try_again(forecaster: Fitted) -> None:
    with Running(("", forecaster.folder), queue=1) as server:
        body = json.dumps(tensor()).encode()
        request = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        clients = [socket.create_connection(server.host()) for _ in range(20)]
        for client in clients:
            client.sendall(request)
        answers = [client.recv(65536) for client in clients]
        for client in clients:
            client.close()
        good = [answer for answer in answers if b" 200 OK" in answer]
        full = [answer for answer in answers if b" 503 " in answer]
        assert good
        assert full
        assert len(good) + len(full) == 20
        assert all(b"retry-after: 1" in answer and b"The queue is full (1 requests)" in answer for answer in full)
        assert f"seqloom_queue_rejected_total {len(full)}" in server.http.get("/metrics").text


def test_tokens(forecaster: Fitted, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# of the tests\n" + "a" * 20 + "\n" + "b" * 20 + "\n")
    with Running(("", forecaster.folder), token_file=file) as server:
        assert server.http.get("/health/live").json() == {"live": True}
        for headers in ({}, {"Authorization": "Bearer " + "c" * 20}, {"Authorization": "Basic " + "a" * 20}):
            for path in ("/v2", "/v1/models", "/metrics", "/openapi.json", "/nowhere"):
                answer = server.http.get(path, headers=headers)
                assert "A token is needed" in sentence(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
            assert "A token is needed" in sentence(server.http.post(INFER, json=tensor(), headers=headers), 401)
        for token in ("a", "b"):
            answer = server.http.post(INFER, json=tensor(), headers={"Authorization": "Bearer " + token * 20})
            assert answer.status_code == 200
        logged = json.dumps(server.lines)
    assert "aaaa" not in logged
    assert "bbbb" not in logged
    file.write_text("short\n")
    with pytest.raises(SettingError, match="at least 16 letters"), Running(("", forecaster.folder), token_file=file):
        pass


def test_settings_and_folders_that_make_no_server(forecaster: Fitted, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="two models are called"):
        sources_of([("", forecaster.folder), ("", forecaster.folder)])
    with pytest.raises(SettingError, match="expected a version that is a whole number"):
        sources_of([("a:b", forecaster.folder)])
    with pytest.raises(SettingError, match="expected a name of letters"):
        sources_of([("a/b", forecaster.folder)])
    with pytest.raises(FormatError, match="expected a model folder"), Running(("", tmp_path)):
        pass
    with pytest.raises(SettingError, match="tls_key"), Running(("", forecaster.folder), tls_cert=forecaster.folder):
        pass
    with Running(("", forecaster.folder)) as server:
        host, port = server.host()
        with pytest.raises(SettingError, match="can't be listened on"):
            listening(ServerSettings(host=host, port=port))


def test_rows_beyond_the_bound(forecaster: Fitted) -> None:
    with Running(("", forecaster.folder), bounds=Bounds(rows=30, numbers=30)) as server:
        assert "expected at most 30 rows" in sentence(server.http.post(PREDICT, content=forecaster.csv(40)), 413)
        rows = [{"time": str(at), "y": 1.0} for at in range(31)]
        assert "expected at most 30 rows, got 31" in sentence(server.http.post(PREDICT, json={"rows": rows}), 413)
        assert "expected at most 30 numbers" in sentence(
            server.http.post(INFER, json=tensor(shape=[3, LOOKBACK, 1])), 413
        )
