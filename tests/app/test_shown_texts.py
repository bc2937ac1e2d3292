"""What is printed: control characters as escapes, endless names cut, markup as it is, JSON that reads back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Terminal
from odd_names import NAMES, table, visible

from seqloom.app.columns import json_text, say, say_lines, text_table
from seqloom.app.progress import Progress

ALL = "".join(NAMES.values()) + "\ud800"


def test_say_and_tables_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    say(ALL)
    say_lines([ALL, "x" * 100_000])
    say(text_table([("name\x1b[2J" * 1000, [ALL, "a\nb"]), ("value", ["1", "2.5"])]))
    shown = capsys.readouterr().out
    assert visible(shown)
    assert "[red]a[/] [/red" in shown
    assert "a\\nb " in shown
    assert max(map(len, shown.splitlines())) < 3_000


def test_json_reads_back_and_is_harmless() -> None:
    value = {ALL: [ALL, 1.5, None], "b": "\x9b\U0001fffe"}
    text = json_text(value)
    assert visible(text)
    assert json.loads(text) == value
    assert "👨" in text


def test_a_terminal_gets_no_escapes_of_ours(
    terminal: Callable[..., Terminal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqloom.report.build", lambda folder: folder)
    target = f"{NAMES['escape']}{NAMES['markup']}"
    data = table(tmp_path / "data.csv", target=target, ids=["a", NAMES["c1"], "[/]"])
    flags = ("--lookback", 6, "--horizon", 3, "--model", "linear", "--epochs", 1, "--threads", 1)
    shown = terminal("forecast", data, "--target", target, "--id", "series", *flags, columns=100)
    assert shown.code == 0, shown.text
    assert "\x1b[31mred" not in shown.text
    assert "\x9b" not in shown.text
    assert "[/red" in shown.text


def test_notices_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    class Notice:
        text = "The column [/] \x1b[2J was left out."

    event: Any = Notice()
    with Progress(bar=False, notices=True) as progress:
        progress(event)
    assert capsys.readouterr().err == "The column [/] \\x1b[2J was left out.\n"
