"""The start page and the guides: every block is run, shortened here, whole by `make docs`; links lead to pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest
from handbook.blocks import PAGES, ROOT, blocks_of, run_page
from handbook.pages import made_pages
from handbook.systems import GROUPS

from app.command_line import invoke

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


NEEDED = {
    "transcribe": ("soundfile", "kaldi_native_fbank", "jiwer"),
    "music": ("mido",),
    "export": ("onnx", "onnxruntime"),
}


def shorten(code: str) -> str:
    """One epoch, two trials of a search, and fewer of the made rows."""
    code = re.sub(r"(--epochs |epochs=)\d+", r"\g<1>1", code).replace("range(2000)", "range(200)")
    code = re.sub(r"(--trials |trials=)\d+", r"\g<1>2", code)
    return code.replace("1096", "300").replace("24 * 60", "24 * 20")


def call(arguments: list[str]) -> None:
    if arguments[0] != "seqloom":
        pytest.fail(f"nothing runs {arguments[0]!r}")
    done = invoke(*arguments[1:])
    assert done.code == 0, (arguments, done.err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in NEEDED.get(page.stem, ()):
        pytest.importorskip(module, reason=f"the page says to install an extra, which {module} is of")
    # The pictures of a report take longer than all else; the tests of the report draw them.
    monkeypatch.setattr("seqloom.app.showing.draw_report", lambda *_: None)
    run_page(page, tmp_path, call, shorten)


def test_there_are_pages_and_each_has_examples() -> None:
    assert len(PAGES) >= 9
    assert all(len(blocks_of(page)) >= 2 for page in PAGES)


def test_links_lead_to_pages() -> None:
    made = made_pages(ROOT)
    made |= {f"gallery/{group}.md": "" for group in GROUPS}  # made by code that other tests run
    docs = ROOT / "docs"
    pages = made | {path.relative_to(docs).as_posix(): path.read_text("utf-8") for path in docs.rglob("*.md")}
    for name, text in pages.items():
        for target in LINK.findall(_CODE.sub("", text)):
            if not target.startswith("https://"):
                place = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
                assert place in pages, f"{name}: {target}"


def test_doctests_of_the_reference_stand_in_fences() -> None:
    pytest.importorskip("griffe", reason="the reference is read by griffe: pip install '.[docs]'")
    from handbook.docstrings import with_fences

    wanted = "Half of x[0\\][1].\n\n```pycon\n>>> 1 / 2\n0.5\n```\n\nNo more."
    assert with_fences("Half of x[0][1].\n\n>>> 1 / 2\n0.5\n\nNo more.") == wanted
