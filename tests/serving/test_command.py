"""`seqloom serve` as a process: what it prints and logs, how SIGTERM ends it, HTTPS."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from running import Running
from small_models import Fitted


def test_a_process_serves_logs_and_ends(forecaster: Fitted) -> None:
    command = [sys.executable, "-m", "seqloom", "serve", f"hourly={forecaster.folder}", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("Serving hourly at http://127.0.0.1:"), (said, process.poll())
        address = said.split()[3]
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            rows = client.post("/v1/models/hourly/predict", content=forecaster.csv(20)).json()["forecast"]
            assert len(rows) == 3
            loaded = Path(f"/proc/{process.pid}/maps").read_text()
            assert "libtorch" not in loaded
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    events = [line["event"] for line in lines]
    assert [event for event in events if event != "request"] == ["loaded", "started", "ending", "stopped"]
    request = next(line for line in lines if line["event"] == "request")
    assert (request["method"], request["path"], request["status"]) == ("POST", "/v1/models/hourly/predict", 200)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes a certificate, is not installed")
def test_https(forecaster: Fitted, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(["openssl", *how, *names], check=True, capture_output=True)
    with Running(("hourly", forecaster.folder), tls_cert=certificate, tls_key=key) as server:
        assert server.address.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(verify=trusted, trust_env=False) as client:
            assert client.get(f"{server.address}/health/ready").json() == {"ready": True}


def test_pages_that_may_ask(forecaster: Fitted) -> None:
    page = "https://pages.example"
    with Running(("hourly", forecaster.folder), cors=(page,)) as server:
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        answer = server.http.options("/v1/models/hourly/predict", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == page
        answer = server.http.get("/v2", headers={"Origin": page})
        assert answer.headers["access-control-allow-origin"] == page
        assert server.http.get("/v2", headers={"Origin": "https://other.example"}).status_code == 403
        assert server.http.get("/v2", headers={"Origin": server.address}).status_code == 200
