"""The reduced public files in ../shared/cases: what the command in each folder reads, times, values and notes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqloom.app.flags import in_flags
from seqloom.app.reading import Named, load_table
from seqloom.app.tables import Settings
from seqloom.errors import SeqloomError
from seqloom.tasks import TextClassifier
from seqloom_runtime.data.text import read_corpus, read_labelled, read_tagged

# case: time, columns (the target first), first, last, step, rows, first and last value of the target, a note
READ: dict[str, tuple[Any, ...]] = {
    "01": ("date", "y", "2020-01-01", "2020-01-14", "1 day", 14, 100.25, 83.93, "month first (mdy), as 01/13/2020"),
    "02": ("date", "y", "2020-01-01", "2020-01-14", "1 day", 14, 100.25, 83.93, "day first (dmy), as 13/01/2020"),
    "04": ("Date", "Price", "2018-08-14", "2018-08-16", "1 day", 3, 23.02, 23.5, "'Price', the only column of numbers"),
    "05": ("time", "kwh", "2021-03-01T00:00", "2021-03-01T02:00", "1 hour", 3, 101.58, 110.15, "--time-format dmy"),
    "06": ("time", "kwh", "2021-03-01T00:00", "2021-03-01T02:00", "1 hour", 3, 101.58, 110.15, ""),
    "08": ("month", "sales", "2012-01-01", "2012-03-01", "1 month", 3, 97.25, 119.21, ""),
    "11": ("quarter", "gdp", "1995-01-01", "1995-07-01", "1 quarter", 3, 99.62, 99.48, ""),
    "12": (
        "month",
        "sales",
        "2012-01-01",
        "2019-12-01",
        "1 month",
        96,
        97.25,
        88.34,
        "months (yyyymm); say --time none",
    ),
    "13": ("month", "sales", "2012-01-01", "2019-12-01", "1 month", 96, 97.25, 88.34, "read as months (yyyymm)"),
    "15": ("Date,Time", "kwh", "2021-03-01T00:00", "2021-03-01T02:00", "1 hour", 3, 101.58, 110.15, "are joined"),
    "16": ("Date,Time", "kwh", "2021-03-01T00:00", "2021-03-02T04:00", "1 hour", 29, 101.58, 115.71, "(--time)"),
    "20": ("month", "sales", "2012-01-31", "2019-12-31", "1 month", 96, 97.25, 88.34, ""),
    "21": (
        "time",
        "kwh",
        "2020-01-01",
        "2020-01-29",
        "1 day",
        29,
        100.25,
        99.08,
        "Line 31 at the end ('Total, 2999.0')",
    ),
    "23": ("time", "temp", "2020-01-01", "2020-01-28", "1 day", 28, 100.25, 82.52, "Line 2 holds units"),
    "25": ("Month", "skiing: (Worldwide)", "2004-01-01", "2004-03-01", "1 month", 3, 51, 68, "begins on line 3"),
    "26": ("time", "kwh", "2020-01-01", "2020-01-03", "1 day", 3, 100.25, 120.78, "Lines 1 to 2 begin with #"),
    "29": ("date", "y", "2020-01-01", "2020-01-03", "1 day", 3, 100.25, 120.78, "separated by |"),
    "30": ("date", "y", "2020-01-01", "2020-01-03", "1 day", 3, 100.25, 120.78, "separated by spaces"),
    "31": ("column_1", "column_2", "2020-01-01", "2020-04-29", "1 day", 120, 100.25, 102.33, "no header"),
    "33": ("date", "sales", "2020-01-01", "2020-04-29", "1 day", 120, 10025, 10233, "commas split thousands"),
    "34": ("date", "sales", "2020-01-01", "2020-04-29", "1 day", 120, 10025, 10233, "--thousands none"),
    "37": ("day", "kwh", "2020-01-01", "2020-01-03", "1 day", 3, 3, 4, "'-' marks missing values"),
    "38": ("day", "kwh", "2020-01-01", "2020-01-03", "1 day", 3, 3, 4, "1 missing cell"),
    "39": ("date", "sales", "2020-01-01", "2020-01-05", "1 day", 5, 10, 14, "'day' holds texts"),
    "40": ("date", "sales,promo", "2020-01-01", "2020-01-05", "1 day", 5, 100.25, 90.25, "true is 1 and false is 0"),
    "41": ("time", "load", "2021-01-01T00:00", "2021-01-03T01:50", "10 minutes", 300, 101.8, 109.11, "moved onto it"),
    "45": ("time", "load", "2021-10-19T22:00", "2021-11-08T21:00", "1 hour", 480, 100.2, 92.6, ""),
    "46": ("month", "litres", "1962-01-01", "1975-12-01", "1 month", 168, 690, 829, "13 rows inserted in 12 gaps"),
    "47": ("ts", "x", "2020-01-01T00:00", "2020-01-01T00:01:11.8", "200 milliseconds", 360, 51, 41, "times of UTC"),
    "48": ("month", "y", "2012-01-01", "2012-12-01", "1 month", 12, 97.25, 89.21, ""),
    "49": ("month", "y", "2015-01-01", "2017-12-01", "1 month", 36, 100.69, 101.33, ""),
    "51": ("date", "y", "2020-01-01", "2020-01-30", "1 day", 30, 100.25, 116.08, ""),
    "52": ("Year", "use", "1940-01-01", "2019-01-01", "1 year", 80, 97.85, 118.9, ""),
    "55": ("date", "sales,promo", "2020-01-01", "2020-07-25", "1 day", 207, 10.81, 12.12, "7 missing cells"),
    "56": ("date", "sales,promo", "2020-01-01", "2020-07-25", "1 day", 207, 10.81, 12.12, "7 missing cells"),
    "57": ("date", "y", "2020-01-01", "2020-04-29", "1 day", 120, 0, 0, ""),
    "58": ("date", "y", "2020-01-01", "2020-04-29", "1 day", 120, 5, 5, "constant"),
    "59": ("date", "sales", "2020-01-01", "2020-03-30", "1 day", 218, 99.48, 80.8, ""),
}
FULL = "0000-00-00T00:00:00.000000"
REFUSED = {
    "32": "line 2: expected 2 cells as in the header, found 3 (2 such lines).",
    "42": "lines 51 and 52 hold different values for one time, 2020-02-19, for example 101.78 and 111.5 in column 'y'; "
    "remove one of them, say --duplicates mean (or first, last, sum)",
    "43": "if this is the hour that clocks show twice in autumn, name the time zone (--time-zone)",
    "54": "line 205, column 'promo': expected a value that is known in advance",
}


@pytest.fixture
def case(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, dict[str, Any]]]:
    """A function that gives a case's file and the options of its command that say how it is read."""
    folder = data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"the reduced public files are not at {folder}")
    monkeypatch.chdir(folder.parent)

    def parsed(number: str) -> tuple[str, dict[str, Any]]:
        words = shlex.split(next(folder.glob(f"{number}-*/command.txt")).read_text())[2:]
        options = {flag[2:].replace("-", "_"): value for flag, value in zip(words[1::2], words[2::2])}
        return words[0], {name: value for name, value in options.items() if name in Settings.defaults()}

    return parsed


def load(case: Callable[[str], tuple[str, dict[str, Any]]], number: str, **more: Any) -> Named:
    path, options = case(number)
    return load_table(Settings(data=path, **{**options, **more}))


@pytest.mark.parametrize("number", READ)
def test_times_values_and_notes(case, number):
    time, columns, first, last, step, rows, begin, end, note = READ[number]
    named = load(case, number)
    panel, quality = named.panel, named.panel.quality
    assert quality is not None
    assert (named.time, named.target) == (time, columns.split(",")[0])
    assert panel.columns == tuple(columns.split(","))
    assert panel.frequency.label == step
    assert len(panel.values) == rows
    assert panel.time is not None
    assert (str(panel.time[0]), str(panel.time[-1])) == tuple(f"{t}{FULL[len(t) :]}" for t in (first, last))
    values = panel.column(named.target)
    assert (values[0], values[-1]) == (begin, end)
    told = [*named.notes, *(in_flags(line) for line in quality.lines())]
    assert any(note in line for line in told), told
    assert len(set(told)) == len(told)
    assert [d["text"] for d in quality.to_json()["decisions"]] == [d.text for d in quality.decisions]


@pytest.mark.parametrize("number", REFUSED)
def test_refused_with_what_to_do(case, number):
    with pytest.raises(SeqloomError) as refused:
        load(case, number)
    assert REFUSED[number] in in_flags(str(refused.value))


def test_the_advice_helps(case):
    assert len(load(case, "42", duplicates="mean").panel.values) == 120
    assert len(load(case, "43", time_zone="Europe/Berlin").panel.values) == 480
    assert load(case, "60", target="north").panel.column("north")[0] > 0
    with pytest.raises(SeqloomError) as refused:
        load(case, "60", target=None)
    assert "name one, as --target north, several, as --target north,south, or all: --target '*'" in str(refused.value)
    assert load(case, "12", time="none").panel.time is None


@pytest.mark.parametrize(("target", "count"), [("north,south", 2), ("*", 3)])
def test_columns_of_a_wide_table_are_series(case, target, count):
    """Case 60: one series per column."""
    named = load(case, "60", target=target)
    panel = named.panel
    assert panel.ids == ("north", "south", "east")[:count]
    assert panel.columns == ((named.target, "east") if count == 2 else (named.target,))
    assert [panel.series(name).column("target")[0] for name in panel.ids] == [100.25, 98.98, 100.67][:count]
    assert [len(panel.series(name)) for name in panel.ids] == [59] * count
    assert panel.quality is not None
    assert f"{count} targets ('north', 'south'" in " ".join(panel.quality.lines())


def test_korean_text_is_asked_about_and_named(case, refused):
    path, _ = case("62")
    said = refused("data", path)
    assert "'cp949' (Korean" in said
    assert said.endswith("name the right one with --encoding cp949.\n")
    assert load_table(Settings(data=path, encoding="cp949")).time == "날짜"


@pytest.mark.parametrize(("number", "count"), [("63", None), ("64", 120), ("66", 120), ("68", 120)])
def test_labelled_texts(case, number, count):
    texts = read_labelled(case(number)[0])
    assert count is None or len(texts) == count
    assert len(texts.counts) >= 2
    if number == "64":
        assert '5" screen' in texts.texts[0]


def test_characters_are_tokens_where_texts_have_no_spaces(case):
    pytest.importorskip("sklearn")
    texts = read_labelled(case("68")[0])
    model = TextClassifier(model="bow", calibrate=False).fit(texts.texts, texts.labels)
    assert "each character is a token" in " ".join(model.notes_)
    assert all(len(word) == 1 for word in model.tokenizer_.vocabulary.words if word.isalpha() and not word.isascii())


@pytest.mark.parametrize(
    ("number", "columns", "first", "tags"),
    [
        ("69", (1, 3), ["See", "it", "."], ["VERB", "PRON", "PUNCT"]),
        ("70", (1, 2), ["Anna", "lebt", "in", "Kiel"], ["B-PER", "O", "O", "B-LOC"]),
        ("72", (None, None), None, None),
    ],
)
def test_tagged_sentences(case, number, columns, first, tags):
    found = read_tagged(case(number)[0], word_column=columns[0], tag_column=columns[1])
    assert found.tags is not None
    if first is not None:
        assert found.words[0][: len(first)] == first
        assert found.tags[0][: len(tags)] == tags
    assert not any("[" in tag or tag.startswith("#") for sentence in found.tags for tag in sentence)


def test_running_text(case, command):
    line = ("--model", "unigram", "--epochs", "1", "--threads", "1")
    told = command("lm", case("74")[0], *line)
    assert told.code == 0, told.err
    assert "The text has one line" in told.out
    told = command("lm", case("75")[0], *line)
    assert "each line is one token; say --level char" in told.out
    assert read_corpus(case("76")[0], "char").text


def test_every_case_with_a_command_is_here(case, data_dir):
    other = {"60", "62", "63", "64", "66", "68", "69", "70", "72", "74", "75", "76"}
    folders = {name[:2] for name in os.listdir(data_dir.parent / "cases") if name[:2].isdigit()}
    assert folders == {*READ, *REFUSED, *other, "77", "78"}
