"""A headless Chromium that tests drive, where chromium and chromedriver are installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["NEEDS_CHROMIUM", "Browser", "started"]

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_CHROMIUM = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


class Browser:
    """A headless Chromium behind chromedriver, spoken to over its own HTTP protocol."""

    def __init__(self, port: int, profile: Path) -> None:
        self.root = f"http://127.0.0.1:{port}"
        arguments = [*FLAGS.split(), "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}"]
        options = {"binary": CHROMIUM, "args": arguments}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.root += "/session/" + self.post("/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.root + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script: str) -> Any:
        return self.post("/execute/sync", {"script": script, "args": []})

    def command(self, name: str, **parameters: Any) -> Any:
        return self.post("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def open(self, page: Path, width: int) -> None:
        """A page that says when its charts are drawn."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.post("/url", {"url": page.as_uri()})
        deadline = time.monotonic() + 30
        while self.run("return document.documentElement.dataset.drawn") != "yes":
            assert time.monotonic() < deadline, "the charts were not drawn in 30 seconds"
            time.sleep(0.05)

    def wait(self, script: str) -> Any:
        """What the script returns, as soon as that is something."""
        deadline = time.monotonic() + 60
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"nothing in 60 seconds: {script}"
            time.sleep(0.05)
        return value

    def give(self, selector: str, file: Path) -> None:
        """Choose a file, as a person does in the dialogue of an input element."""
        found = self.post("/element", {"using": "css selector", "value": selector})
        self.post(f"/element/{next(iter(found.values()))}/value", {"text": str(file)})

    def log(self, kind: str) -> list[dict[str, Any]]:
        return self.post("/se/log", {"type": kind})

    def close(self) -> None:
        request = urllib.request.Request(self.root, method="DELETE")
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert DRIVER
    driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        opened = Browser(port, profile)
        yield opened
        opened.close()
    finally:
        driver.terminate()
        driver.wait(timeout=20)
