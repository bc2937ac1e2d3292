"""Pictures drawn beside the page: the same bytes, and whatever happens to the process that draws them, a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seqloom.report import beside
from seqloom.report import document as documents
from seqloom.report.beside import pictures_beside
from seqloom.report.chart import Chart, Figure
from seqloom.report.document import Document, begin_pictures, write_document

pytest.importorskip("vl_convert")


def chart(name: str, value: float) -> Chart:
    encoding = {"x": {"field": "x", "type": "quantitative"}}
    spec = {"data": {"values": [{"x": value}]}, "mark": "point", "encoding": encoding, "height": 80}
    return Chart(name, spec | {"config": {"legend": {}, "axis": {}}}, "a point")


def page(folder: Path) -> dict[str, bytes]:
    """The pictures of a page of three charts, each begun as soon as it is known."""
    folder.mkdir(exist_ok=True)
    with pictures_beside():
        figures = [Figure("A point.", (chart(f"c{n}", n / 3),), key=f"k{n}", heading="Points") for n in range(3)]
        for figure in figures:
            begin_pictures(figure)
        write_document(folder, Document("Title", "source", figures))
    return {path.name: path.read_bytes() for path in sorted((folder / "charts").glob("*.png"))}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The processes that are started, on a machine of two cores, by the first page."""
    started: list[Any] = []
    make = beside._started  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(beside, "_pages", 0)
    monkeypatch.setattr(beside, "_cores", lambda: 2)
    monkeypatch.setattr(beside, "_started", lambda: started.append(make()) or started[-1])
    yield started
    assert all(drawer is None or drawer.process.poll() is not None for drawer in started)  # none is left behind


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn by this process is no picture."""
    monkeypatch.setattr(documents, "need", lambda *_: _Library())


class _Library:
    def vegalite_to_png(self, spec: dict[str, Any], **_: Any) -> bytes:
        assert spec["width"]
        return b"drawn here"


def test_the_same_bytes_and_only_for_the_first_page(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(documents, "need", lambda *_: _Library())
        drawn = page(tmp_path / "run")
    assert page(tmp_path / "again") == drawn
    assert len(drawn) == 3
    assert len(asked) == 1


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("program", ["", "import sys; sys.stdout.write('no number')", "raise SystemExit(3)"])
def test_a_process_that_fails(tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(beside, "_PROGRAM", program)
    assert set(page(tmp_path / "run").values()) == {b"drawn here"}
    assert len(asked) == 1


@pytest.mark.usefixtures("stand_in")
def test_one_that_never_answers(tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(beside, "_LONGEST", 0.2)
    assert set(page(tmp_path / "run").values()) == {b"drawn here"}
    assert len(asked) == 1


@pytest.mark.usefixtures("stand_in")
def test_none_that_starts_and_a_single_core(tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "no-python"))
        assert set(page(tmp_path / "run").values()) == {b"drawn here"}
    monkeypatch.setattr(beside, "_pages", 0)
    monkeypatch.setattr(beside, "_cores", lambda: 1)
    assert set(page(tmp_path / "run").values()) == {b"drawn here"}
    assert asked == [None, None]


def test_ctrl_c_ends_the_process(tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(documents, "_png", pressed)
    with pytest.raises(KeyboardInterrupt):
        page(tmp_path / "run")
    assert len(asked) == 1
    assert not (tmp_path / "run" / "report.html").exists()
