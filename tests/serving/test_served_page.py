"""The page at / in a real browser: a file is dropped and the chart seen, a wrong file gives the sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Running
from small_models import HORIZON, Fitted

from browser import NEEDS_CHROMIUM, Browser, started

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]
DROP = """
const given = new DataTransfer();
given.items.add(new File([%s], %s));
const place = document.getElementById("drop");
for (const name of ["dragenter", "dragover", "drop"])
  place.dispatchEvent(new DragEvent(name, { dataTransfer: given, bubbles: true, cancelable: true }));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def shown(browser: Browser, model: str) -> None:
    browser.run(
        "const s = document.getElementById('model');"
        f"s.value = [...s.options].find((o) => o.textContent === '{model}').value;"
        "s.dispatchEvent(new Event('change'));"
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_a_dropped_file_gives_a_chart_and_a_wrong_one_the_sentence(
    browser: Browser, server: Running, forecaster: Fitted, width: int
) -> None:
    browser.log("browser")
    browser.log("performance")
    browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
    )
    browser.post("/url", {"url": server.address + "/"})
    browser.wait("return !document.getElementById('choice').hidden")
    shown(browser, "hourly")
    browser.run(DROP % (json.dumps(forecaster.csv(60)), '"rows.csv"'))
    browser.wait("return document.documentElement.dataset.drawn === 'yes' && !document.getElementById('answer').hidden")
    paths, rows, ahead, band = browser.run(
        "return [document.querySelectorAll('#chart path').length, document.querySelectorAll('#rows tr').length,"
        "document.querySelector('#chart .ahead').getTotalLength(),"
        "document.querySelector('#chart .band').getBBox().height]"
    )
    assert (paths, rows) == (3, HORIZON)
    assert ahead > 5
    assert band > 5
    assert browser.run("return document.querySelector('#rows td').textContent").startswith("2024-01-11")
    wide, inner = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner == width
    browser.run(DROP % ('"a,b\\n1,2\\n"', '"wrong.csv"'))
    browser.wait("return !document.getElementById('fault').hidden")
    told, hidden = browser.run(
        "return [document.getElementById('fault').textContent, document.getElementById('answer').hidden]"
    )
    assert "no time column is named 'time'" in told
    assert hidden
    shown(browser, "spam")
    browser.run("document.getElementById('words').value = 'Win a free prize'; document.getElementById('ask').click()")
    browser.wait(
        "return document.querySelector('#rows td') && document.querySelector('#rows td').textContent === 'spam'"
    )
    faults = [line for line in browser.log("browser") if "400" not in line["message"]]
    assert faults == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    asked = [url for url in sent if url.startswith("http")]
    assert asked
    assert all(url.startswith(server.address) for url in asked), asked


def test_a_page_of_a_server_with_tokens_asks_for_one(browser: Browser, forecaster: Fitted, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("a" * 20)
    with Running(("", forecaster.folder), token_file=file) as server:
        browser.post("/url", {"url": server.address + "/"})
        browser.wait("return !document.getElementById('who').hidden")
        browser.run(
            f"document.getElementById('token').value = '{'a' * 20}';document.querySelector('#who button').click()"
        )
        browser.wait("return !document.getElementById('choice').hidden && document.getElementById('who').hidden")
