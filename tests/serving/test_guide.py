"""The guide's curl lines run as they stand, and what examples/serving says is what the server has."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from running import Running

from seqloom import zoo
from seqloom.app.commands import application

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "serving.md").read_text()
EXAMPLES = ROOT / "examples" / "serving"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_lines_of_the_guide(server: Running, tmp_path: Path) -> None:
    panel = zoo.load("co2").context_
    rows = [f"{time},{value:.3f}" for time, value in zip(panel.time.astype("M8[D]"), panel.values[:, 0])]
    (tmp_path / "co2.csv").write_text("\n".join(["week,co2", *rows]) + "\n")
    lines = re.findall(r"^curl .*$", GUIDE, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        command = shlex.split(line.replace("http://127.0.0.1:8000", server.address))
        done = subprocess.run(
            [*command, "-sS", "--noproxy", "*"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        if "text/csv" in line:
            assert done.stdout.startswith("time,co2,low_50,high_50,low_90,high_90\n")
            assert done.stdout.count("\n") == 5
        else:
            assert "error" not in json.loads(done.stdout), (line, done.stdout)


def options() -> set[str]:
    parser: Any = typer.main.get_command(application())
    return {flag for parameter in parser.commands["serve"].params for flag in parameter.opts}


def test_flags_and_addresses_of_guide_and_examples_are_there(server: Running) -> None:
    manifest = list(yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text()))
    docker = (EXAMPLES / "Dockerfile").read_text()
    container = manifest[1]["spec"]["template"]["spec"]["containers"][0]
    named = {*re.findall(r"--[a-z][a-z-]+", GUIDE), *(a for a in container["args"] if a.startswith("--"))}
    entry = json.loads(docker.rpartition("ENTRYPOINT ")[2])
    named |= {word for word in entry if word.startswith("--")}
    assert named - {"--data-binary"} <= options()
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")}
    assert probes == {"/health/live", "/health/ready"}
    assert all(server.http.get(path).status_code == 200 for path in probes)
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in manifest[1]["spec"]["template"]["spec"]["volumes"]}
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in docker
    assert manifest[2]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]


def test_every_address_is_described(server: Running) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    model = "/v2/models/{name}"
    wanted = {
        "/",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/v1/models",
    }
    wanted |= {f"{model}{v}{t}" for v in ("", "/versions/{version}") for t in ("", "/ready", "/config", "/infer")}
    wanted |= {"/v1/models/{name}", "/v1/models/{name}/predict", "/v1/models/{name}/versions/{version}/predict"}
    wanted |= {"/v1/models/{name}/stream", "/v2/repository/index"}
    assert wanted <= set(paths)
