"""Names that act on pages or drawing libraries are shown escaped and short; two that look alike stay apart."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_reader import Reader, values
from task_runs import write_task_run

from seqloom.errors import printable
from seqloom.report import build, table_text
from seqloom.report.chart import Axis, Chart, Figure, Line, line_chart
from seqloom.report.display import Names
from seqloom.report.document import _png  # pyright: ignore[reportPrivateUsage]
from seqloom.report.missing import why_not_drawable
from seqloom.report.style import ACTUAL
from seqloom.report.training_charts import file_name

ODD = [
    *("\x01", "\x00", "\x1b[31m", "\x7f", "\x9b", "\n", "\r", "\t", "\u2028", "\u2029", "\ufffe", "\uffff", "\ufdd0"),
    *("\ud800", "\u202e", "\ufeff", "\\", "\\u0008", "\\b", "'", '"', "`", "${x}", "datum.b", "[0]", ".", "</script>"),
    *("<!--", "&amp;", "=1", "@x", "var(--c1)", "var(--none)", "constructor", "toString", "valueOf", "hasOwnProperty"),
    *("__proto__", "length", "👨\u200d👩\u200d👧", "e\u0301" * 40, "👩 " * 60, "  ", "x" * 100_000),
]
names = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=8)), min_size=1, max_size=4).map("".join)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def writable(name: str) -> str:
    """A name that the helpers of these tests can write as UTF-8 and as CSV."""
    return name.encode("utf-8", "replace").decode().replace("\0", "0").replace("\r", "\x0b")


def harmless(text: str) -> bool:
    return all(printable(c) == c or c in "\n\t" for c in text)


def check_page(page: str) -> Reader:
    read = Reader(page)
    assert len(read.code) == 2
    assert "img" not in {tag for tag, _ in read.tags}
    assert harmless(re.sub("<script>.*?</script>", "", page, flags=re.DOTALL))
    assert "is missing" not in re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    return read


def check_forecast(make: Callable[..., Path], target: str, unit: str, model: str, ids: list[str]) -> None:
    ids = list(dict.fromkeys(map(writable, ids)))
    with tempfile.TemporaryDirectory() as place:
        named: Any = {"models": ("naive", f"m{writable(model)}"), "target": writable(target), "unit": writable(unit)}
        folder = make(Path(place) / "run", windows=3, steps=(1, 2), epochs=2, ids=tuple(ids), **named)
        page = build(folder).read_text(encoding="utf-8")
        assert harmless(table_text(json.loads((folder / "metrics.json").read_text())))
    rows = values(check_page(page).blocks["spec-forecast"])[0]
    assert len({row["s"] for row in rows}) == len(ids[:6])
    assert len(page) < 1_600_000


def check_task(classes: list[str], model: str) -> None:
    kept = tuple(dict.fromkeys(map(writable, classes)))
    with tempfile.TemporaryDirectory() as place:
        models = ("majority", f"m{writable(model)}")
        page = build(write_task_run(Path(place) / "run", models=models, classes=kept)).read_text(encoding="utf-8")
    cells = values(check_page(page).blocks["spec-confusion"])[0]
    assert len({cell["a"] for cell in cells}) == len(kept)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are looked through, not drawn."""

    def check(figure: Figure, chart: Chart) -> bytes:
        assert not why_not_drawable([chart.spec, chart.overview, figure.heading, chart.title])
        json.dumps([chart.spec, chart.overview, chart.hover], allow_nan=False).encode()
        return b""

    monkeypatch.setattr("seqloom.report.document._png", check)


def draw(axis: str, y_title: str, title: str, heading: str, *names: str) -> bytes:
    """The picture of a chart with a label at every place that has one."""
    lines = [Line(f"v{n}", f"{name}2" if n else name, ACTUAL, points=n > 0) for n, name in enumerate(names)]
    rows = [{"at": at, **{f"v{n}": at + n for n in range(len(names))}} for at in (1, 2)]
    spec = line_chart(rows, Axis(axis), lines, y_title=y_title, height=60)
    figure = Figure("", (Chart("c", spec, "", title=title),), key="f", heading=heading)
    return _png(figure, figure.charts[0])


def test_every_odd_name_can_be_drawn() -> None:
    """Each as a line and in one of the titles, four names to a picture."""
    shown = Names()
    labels = [shown(name) for name in ODD]
    for begin in range(0, len(labels), 4):
        four = [labels[(begin + n) % len(labels)] for n in range(4)]
        assert draw(*four, *four)[:4] == b"\x89PNG", ODD[begin][:40]


@pytest.mark.deep
@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:20])
def test_an_odd_name_can_be_drawn_everywhere(name: str) -> None:
    label = Names()(name)
    assert draw(label, label, label, label, label, label)[:4] == b"\x89PNG"


def test_names_that_look_alike_stay_apart() -> None:
    shown = Names()
    long = [f"{'x' * 50_000}{number}{'x' * 50_000}" for number in range(2)]
    alike = ["a\x01", "a\\x01", "a\\x01 (2)", *long, "", "constructor", "constructor "]
    said = [shown(name) for name in alike]
    assert len(set(said)) == len(alike)
    assert said == [shown(name) for name in alike]
    assert max(map(len, said)) < 100


@given(st.lists(names, max_size=8))
def test_names_are_one_to_one(given_names: list[str]) -> None:
    shown = Names()
    said = {name: shown(name) for name in given_names}
    assert len(set(said.values())) == len(said)
    assert all(harmless(text) and len(text) < 100 and not why_not_drawable(text) for text in said.values())
    plain = [name for name in said if name.isprintable() and len(name) < 80 and not set(name) & set("\\(")]
    assert all(said[name].strip() == name.strip() for name in plain)


@pytest.mark.usefixtures("no_pictures")
def test_a_page_of_each_kind(make_run_in: Callable[..., Path]) -> None:
    check_forecast(make_run_in, "constructor", "".join(ODD[:20]), "".join(ODD[20:]), ["\x01", "\\x01", *ODD[34:37]])
    check_task(ODD[:9], "".join(ODD))


@pytest.mark.deep
@pytest.mark.usefixtures("no_pictures")
@settings(suppress_health_check=SLOW, max_examples=60)
@given(target=names, unit=names, model=names, ids=st.lists(names, min_size=1, max_size=3))
def test_pages_of_forecasts(
    make_run_in: Callable[..., Path], target: str, unit: str, model: str, ids: list[str]
) -> None:
    check_forecast(make_run_in, target, unit, model, ids)


@pytest.mark.deep
@pytest.mark.usefixtures("no_pictures")
@settings(suppress_health_check=SLOW, max_examples=60)
@given(classes=st.lists(names.map("a{}".format), min_size=2, max_size=3, unique_by=writable), model=names)
def test_pages_of_tasks(classes: list[str], model: str) -> None:
    check_task(classes, model)


def test_a_long_name_is_no_long_file_name() -> None:
    assert len(file_name("x" * 100_000)) == 60
