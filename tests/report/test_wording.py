"""Numbers and sentences, and the command that runs a run again."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from seqloom.errors import printable
from seqloom.report.wording import (
    command_line,
    decimals_for,
    duration,
    fixed,
    rows_and_time,
    signed_per_cent,
    whole,
    with_unit,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.8954, "2.895"),
        (0.44219, "0.442"),
        (12.3456, "12.35"),
        (26013.4, "26,013"),
        (-0.0312, "−0.0312"),
        (0.0, "0.000"),
    ],
)
def test_sensible_digits(value: float, text: str) -> None:
    assert fixed(value, decimals_for([value])) == text


def test_odd_numbers() -> None:
    assert fixed(None, 2) == "–"
    assert fixed(float("nan"), 2) == "–"
    assert fixed(-0.0001, 2) == "0.00"
    assert fixed(1.5e12, decimals_for([1.5e12])) == "1.50e12"
    assert signed_per_cent(-0.00001) == "0.0 %"
    assert signed_per_cent(None) == "–"


@pytest.mark.parametrize(
    ("rows", "label", "words"),
    [
        (144, "10 minutes", "1 day"),
        (24, "1 hour", "1 day"),
        (12, "1 month", "1 year"),
        (5, "1 month", "5 months"),
        (8, "1 quarter", "2 years"),
        (52, "1 week", "52 weeks"),
        (3, "2 weeks", "6 weeks"),
        (5, "1 business day", "5 business days"),
        (1, "1 business day", "1 business day"),
        (7, "30 seconds", "3.5 minutes"),
        (100, "1 step", None),
        (3, None, None),
        (3, "every other Tuesday", None),
    ],
)
def test_durations(rows: int, label: str | None, words: str | None) -> None:
    assert duration(rows, label) == words


def test_rows_and_units() -> None:
    assert rows_and_time(26_000, "1 step") == "26,000 rows"
    assert with_unit("T [K]", "K") == "T [K]"
    assert with_unit("load", "MW") == "load (MW)"


def test_command_is_quoted_and_leaves_out_what_is_off() -> None:
    settings = {
        "data": "my data; rm -rf $HOME.csv",
        "target": 'it\'s "T" `(degC)`',
        "inputs": ["a b", "c"],
        "season": None,
        "calendar": True,
        "bidirectional": False,
        "learning_rate": 0.001,
        "recurrent_dropout": 0.0,
        "missing": "-9999",
        "out": "runs/secret",
        "json": True,
        "quiet": True,
        "seed": 7,
    }
    text = command_line("forecast", settings, {"source": "x.csv"}, 0, 3)
    assert shlex.split(text.replace("\\\n", "")) == [
        *["seqloom", "forecast", "my data; rm -rf $HOME.csv", "--target", 'it\'s "T" `(degC)`', "--inputs", "a b,c"],
        *["--calendar", "--learning-rate", "0.001", "--recurrent-dropout", "0", "--missing", "-9999"],
        *["--seed", "7", "--threads", "3", "--out", "NEW_FOLDER"],
    ]


def test_the_command_says_what_was_given_and_what_was_chosen() -> None:
    """It repeats the run and is short: no default is said, a switch that was turned off is, and the chosen lengths."""
    settings = {"data": "x.csv", "split": "0.7,0.15", "lookback": None, "refit": False, "units": 32, "calendar": True}
    given = {"refit": "--no-refit", "calendar": "--calendar"}
    text = command_line("forecast", settings, {}, 0, 1, given, {"split": [58, 23], "lookback": 24, "season": 12.0})
    words = shlex.split(text.replace("\\\n", ""))
    assert words[2:-2] == [
        *["x.csv", "--split", "58,23", "--lookback", "24", "--no-refit", "--calendar", "--season", "12"],
        *["--seed", "0", "--threads", "1"],
    ]


def test_command_without_a_data_setting() -> None:
    assert shlex.split(command_line("forecast", {}, {"source": "x.csv.gz"}, 1, 2).replace("\\\n", ""))[2] == "x.csv.gz"
    bundled = command_line("forecast", {"data": None}, {"source": "x.csv"}, 1, None)
    assert shlex.split(bundled.replace("\\\n", "")) == ["seqloom", "forecast", "--seed", "1", "--out", "NEW_FOLDER"]
    assert "./-x.csv" in command_line("forecast", {"data": "-x.csv"}, {}, 1, 2)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    "word", ["it's\x01", "a\\b'\x9b\u2028\n\t\udcff\uffff\x85", "\x01f\x1b[31m", "$(ls) `ls` ${x}!"]
)
def test_a_command_that_is_shown_works_when_it_is_typed(word: str) -> None:
    text = command_line("forecast", {"target": word}, {}, 0, 1)
    assert printable(text, keep="\n") == text
    told = f"seqloom() {{ printf '%s\\0' \"$@\"; }}; {text}"
    made = subprocess.run(["bash", "-c", told], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True).stdout
    assert made.decode("utf-8", "surrogateescape").split("\0")[1:3] == ["--target", word]


def test_counts_that_no_float_holds():
    assert whole(10**400) == "–"
