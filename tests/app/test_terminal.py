"""What a terminal shows: a progress bar, wrapped sentences, tables that fit; and plain text where it is none."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from command_line import TINY, Command, Terminal

from seqloom.app.columns import aligned, numbers_text, say, say_lines, terminal_width, text_table

OnTerminal = Callable[..., Terminal]
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NOISE = ("--level", "60,70,80,90", "--split", "0.5,0.4", "--epochs", "2")


def test_progress_is_drawn_on_a_terminal_only(command: Command, terminal: OnTerminal, hourly: Path) -> None:
    shown = terminal("forecast", hourly, *TINY, "--model", "naive,linear", "--epochs", 3, columns=80)
    assert shown.code == 0
    bar, text = shown.text.split("\x1b[?25h")  # where the bar gives the cursor back
    assert "naive (1 of 2)" in bar
    assert "linear (2 of 2)" in bar
    assert "epoch 3, validation MAE " in bar
    assert "\x1b" not in text
    for flag in ("--quiet", "--json"):
        silent = terminal("forecast", hourly, *TINY, "--model", "naive,linear", "--epochs", 3, flag, columns=80)
        assert silent.code == 0
        assert "\x1b" not in silent.text
    piped = command("forecast", hourly, *TINY, "--model", "linear", "--epochs", 1)
    assert "\x1b" not in piped.out
    assert not piped.err


def test_progress_of_a_backtest(terminal: OnTerminal, hourly: Path) -> None:
    flags = ("--model", "naive,linear", "--epochs", 2, "--windows", 2)
    shown = terminal("backtest", hourly, *TINY, *flags, columns=80)
    assert shown.code == 0, shown.text
    assert "linear (2 of 2)" in shown.text


@pytest.mark.parametrize("columns", [80, 120])
def test_everything_fits_the_terminal(terminal: OnTerminal, hourly: Path, columns: int) -> None:
    shown = terminal("forecast", hourly, *TINY, *NOISE, "--model", "naive,linear", columns=columns)
    assert shown.code == 0
    lines = CODES.sub("", shown.text.split("\x1b[?25h")[1]).split("\n")
    assert max(lines, key=len)[columns:] == ""
    for heading in ("MAE (MW)", "Skill", "Within 90 %", "Parameters", "low_60", "high_90"):
        assert sum(heading in line for line in lines) >= 1, heading
    headings = [line for line in lines if line.strip().startswith("model ")]
    assert len(headings) > 2  # the tables are continued below, each time beside the models' names


def test_a_pipe_gets_whole_lines(command: Command, hourly: Path) -> None:
    shown = command("forecast", hourly, *TINY, *NOISE, "--model", "naive,linear")
    headings = [line for line in shown.out.split("\n") if line.strip().startswith("model ")]
    assert len(headings) == 2
    assert max(map(len, shown.out.split("\n"))) > 120
    assert terminal_width() is None


class Screen(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A narrow terminal for the statements that a test runs under `with redirect_stdout(screen)`."""
    monkeypatch.setenv("COLUMNS", "40")
    return Screen()


def test_sentences_are_wrapped_where_no_number_loses_its_sign(screen: Screen) -> None:
    with redirect_stdout(screen):
        say_lines(
            ["gru is 38 % worse than naive on test 39 % worse.", "Chosen: --lookback 24, --horizon 12, --season 12."]
        )
    assert screen.getvalue() == (
        "gru is 38 % worse than naive on test\n  39 % worse.\nChosen: --lookback 24, --horizon 12,\n  --season 12.\n"
    )


def test_long_words_stay_whole(screen: Screen) -> None:
    path = "/a/very/long/path/that/no/terminal/of/this/width/can/show.csv"
    with redirect_stdout(screen):
        say_lines([f"Read {path} again."])
    assert screen.getvalue() == f"Read\n  {path}\n  again.\n"


def test_wide_tables_are_continued_below(screen: Screen) -> None:
    columns = [("name", ["a", "bb"]), *((f"column {i}", [f"{i}.5", f"1{i}.25"]) for i in range(6))]
    with redirect_stdout(screen):
        lines = text_table(columns).split("\n")
    assert lines[:3] == [
        "name  column 0  column 1  column 2",
        "a         0.5       1.5       2.5",
        "bb       10.25     11.25     12.25",
    ]
    assert lines[3] == ""
    assert lines[4] == "name  column 3  column 4  column 5"


def test_numbers_line_up() -> None:
    assert numbers_text([1.23456, 98.7654, None, float("nan")]) == ["1.235", "98.765", "–", "–"]
    assert numbers_text([123456.7, 2.25]) == ["123,457", "2"]
    assert numbers_text([3e-9]) == ["3.00e−9"]
    assert numbers_text([]) == []
    assert aligned(["1.5", "−20", "–", "3.125"]) == ["1.5  ", "−20    ", "–    ", "3.125"] or aligned(
        ["1.5", "3.125"]
    ) == ["1.5  ", "3.125"]


def test_outputs_without_the_signs_get_plain_ones() -> None:
    raw = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(raw, encoding="latin-1", write_through=True)):
        say("−1.5 % … °C ≥ 2 漢")
    assert raw.getvalue().decode("latin-1") == "-1.5 % ... °C >= 2 ?\n"
