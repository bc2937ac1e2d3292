"""The page in a real browser, where chromium and chromedriver are installed: drawn, silent, nothing fetched."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from task_runs import write_task_run

from browser import NEEDS_CHROMIUM, Browser, started
from seqloom.report import build

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]
NAME = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """The browser draws the charts itself; as pictures no test here looks at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, make_run_in: Callable[..., Path], undrawn: None) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    models = ("naive", "gru", NAME)
    return build(make_run_in(folder, models=models, ids=("a", "b"), target=NAME, windows=900, steps=(1, 2)))


@pytest.fixture(scope="module")
def task_page(tmp_path_factory: pytest.TempPathFactory, undrawn: None) -> Path:
    return build(write_task_run(tmp_path_factory.mktemp("tasks") / "run"))


@pytest.mark.parametrize(("name", "drawings"), [("page", 13), ("task_page", 15)])
@pytest.mark.parametrize("width", [1280, 390])
def test_drawn_silent_self_contained_and_fitting(
    browser: Browser, request: pytest.FixtureRequest, name: str, drawings: int, width: int
) -> None:
    page = request.getfixturevalue(name)
    browser.log("browser")
    browser.log("performance")
    browser.open(page, width)
    assert browser.log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in sent if not url.startswith(("chrome:", "data:"))] == [page.as_uri()]
    wide, inner = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner == width
    charts, drawn = browser.run(
        "const all = [...document.querySelectorAll('[data-spec]')];"
        "return [all.length, all.filter(e => e.querySelector('svg')?.getBoundingClientRect().width > 200).length]"
    )
    assert charts == drawn == drawings
    assert browser.run("return document.querySelectorAll('img').length") == 0


def test_zoom_choice_and_pointer(browser: Browser, page: Path) -> None:
    browser.log("browser")
    browser.open(page, 1280)
    labels = (
        "return [...document.querySelectorAll('#test .chart .role-axis-label text')].map(t => t.textContent).join()"
    )
    before = browser.run(labels)
    browser.run("document.querySelector('#test button[data-move=all]').click()")
    time.sleep(0.4)
    everything = browser.run(labels)
    assert everything != before, "the chart begins with the end of the period"
    browser.run("document.querySelector('#test button[data-move=in]').click()")
    time.sleep(0.4)
    assert browser.run(labels) not in (before, everything)
    path = "return document.querySelector('#test .chart .mark-line path').getAttribute('d')"
    drawn = browser.run(path)
    browser.run(
        "const s = document.querySelector('#test select[data-signal=s]'); s.value = '\"b\"';"
        "s.dispatchEvent(new Event('change'))"
    )
    time.sleep(0.4)
    assert browser.run(path) != drawn
    x, y = browser.run(
        "const e = document.querySelector('#test .chart'); e.scrollIntoView({block: 'center'});"
        "const r = e.getBoundingClientRect(); return [r.left + 400, r.top + 150]"
    )
    browser.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    time.sleep(0.2)
    tip = browser.run(
        "return [...document.querySelectorAll('.tip')].filter(t => !t.hidden).map(t => t.textContent).join()"
    )
    assert "actual" in tip
    assert f"forecast ({NAME})" in tip
    assert browser.log("browser") == []


def test_choices_and_pointer_of_a_task(browser: Browser, task_page: Path) -> None:
    browser.log("browser")
    browser.open(task_page, 1280)
    cells = "[...document.querySelectorAll('#confusion .chart .mark-text.role-mark text')]"
    counts = f"return {cells}.map(t => t.textContent).join()"
    before = browser.run(counts)
    assert before.count(",") == 3
    choose = (
        "const s = document.querySelector('#{0} select[data-signal={1}]'); s.value = '{2}';"
        "s.dispatchEvent(new Event('change'))"
    )
    browser.run(choose.format("confusion", "s", '"gru"'))
    time.sleep(0.3)
    assert browser.run(counts) != before
    path = "return document.querySelector('#belief .chart .mark-line path').getAttribute('d')"
    drawn = browser.run(path)
    browser.run(choose.format("belief", "s", '"gru"'))
    time.sleep(0.3)
    assert browser.run(path) != drawn
    x, y = browser.run(
        "const e = document.querySelector('#belief .chart'); e.scrollIntoView({block: 'center'});"
        "const r = e.getBoundingClientRect(); return [r.left + 60, r.top + 120]"
    )
    browser.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    time.sleep(0.2)
    tip = browser.run(
        "return [...document.querySelectorAll('.tip')].filter(t => !t.hidden).map(t => t.textContent).join()"
    )
    assert re.match(r"word.+ \(\d+\)", tip)  # the word and its place among equal ones, beside each model's belief
    assert browser.log("browser") == []
