"""`seqloom predict` of texts: lines and nothing else, and texts on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Refused

import seqloom
from seqloom import LanguageModel, SequenceTagger, TextClassifier
from seqloom.errors import SettingError
from seqloom_runtime.data.text import read_labelled, read_tagged


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved model of each kind that reads texts."""
    folder = tmp_path_factory.mktemp("models")
    texts, labels = ["free prize now", "see you at home"] * 20, ["spam", "ham"] * 20
    TextClassifier(model="bow").fit(texts, labels).save(folder / "text")
    sentences = [["fly", "to", "boston"], ["to", "denver", "please"]] * 20
    SequenceTagger(model="frequent").fit(sentences, [["O", "O", "B-city"], ["O", "B-city", "O"]] * 20).save(
        folder / "tag"
    )
    LanguageModel(model="bigram").fit("the cat sat\nthe dog sat\n" * 20).save(folder / "lm")
    return folder


def rows_of(command: Command, *arguments: object) -> tuple[list[dict[str, Any]], list[str]]:
    done = command("predict", *arguments, "--json")
    assert done.code == 0, done
    found = json.loads(done.out)
    return found["predictions"], found.get("notes", [])


def test_plain_lines_are_texts_and_it_is_said(command: Command, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.txt"
    file.write_text("a free prize, for you; now\n\nsee you, at home\n")
    rows, notes = rows_of(command, models / "text", file)
    assert [(row["line"], row["predicted"]) for row in rows] == [(1, "spam"), (3, "ham")]
    assert rows[0]["text"] == "a free prize, for you; now"
    assert notes == [
        "Each line is a text, as the first line names no column 'text'; say --layout table where the file is a table."
    ]
    assert notes[0] in command("predict", models / "text", file).out
    assert notes[0] not in command("predict", models / "text", file, "--quiet").out


def test_tables_stay_tables(command: Command, refused: Refused, models: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.txt"
    table.write_text("id,text\n1,free prize\n2,see you\n")
    rows, notes = rows_of(command, models / "text", table)
    assert [row["text"] for row in rows] == ["free prize", "see you"]
    assert not notes
    for name, text in (("odd.csv", "id,body\n1,free prize\n"), ("odd.txt", "id;body\n1;free prize\n")):
        (tmp_path / name).write_text(text)
        assert "no text column is named 'text'" in refused("predict", models / "text", tmp_path / name)
    rows, _ = rows_of(command, models / "text", tmp_path / "odd.csv", "--layout", "lines")
    assert [row["text"] for row in rows] == ["id,body", "1,free prize"]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("fly to boston please\nto denver\n", [["fly", "to", "boston", "please"], ["to", "denver"]], False),
        ("fly to boston\nto denver please\n", [["fly", "to", "boston"], ["to", "denver", "please"]], True),
        ("fly to boston\n", [["fly", "to", "boston"]], True),
        ("fly\nto\nboston\n\nto\ndenver\n", [["fly", "to", "boston"], ["to", "denver"]], False),
        ("fly VB\nto TO\n\nto TO\ndenver NN\n", [["fly", "to"], ["to", "denver"]], False),
        ("fly O\nboston B-city\n", [["fly", "boston"]], False),
    ],
)
def test_lines_of_words_are_sentences(
    command: Command, models: Path, tmp_path: Path, text: str, words: list[list[str]], said: bool
) -> None:
    """Once all words but the first of each line were left out, in silence."""
    file = tmp_path / "new.txt"
    file.write_text(text)
    rows, notes = rows_of(command, models / "tag", file)
    assert [[row["word"] for row in rows if row["sentence"] == n] for n in range(len(words))] == words
    assert bool(notes) is said
    if said:
        assert "--layout conll" in notes[0]
        assert {row["word"] for row in rows if row["tag"] == "B-city"} == {w for s in words for w in s} & {
            "boston",
            "denver",
        }
        alone, _ = rows_of(command, models / "tag", file, "--layout", "conll")
        assert [row["word"] for row in alone] == [sentence[0] for sentence in words]


def test_texts_on_the_command_line(command: Command, models: Path) -> None:
    rows, _ = rows_of(command, models / "text", "--text", "a free prize", "--text", "at home")
    assert [(row["text"], row["predicted"]) for row in rows] == [("a free prize", "spam"), ("at home", "ham")]
    rows, _ = rows_of(command, models / "tag", "--text", "fly to denver")
    assert [(row["word"], row["tag"]) for row in rows] == [("fly", "O"), ("to", "O"), ("denver", "B-city")]
    rows, _ = rows_of(command, models / "lm", "--text", "the cat sat", "--text", "the dog sat")
    assert [row["tokens"] for row in rows] == [4, 4]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"])  # each by itself
    model = seqloom.load(models / "lm")
    assert rows[0]["loss"] == pytest.approx(-sum(p for _, p in model.score("the cat sat\n")) / 4)


def test_lines_of_a_language_model(command: Command, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.txt"
    file.write_text("the cat sat\nthe dog\n")
    rows, _ = rows_of(command, models / "lm", file)
    assert [(row["line"], row["tokens"]) for row in rows] == [(1, 4), (2, 3)]


def test_what_can_not_be(refused: Refused, models: Path, trained: Path, tmp_path: Path) -> None:
    assert "--text: a Forecaster reads no texts" in refused("predict", trained, "--text", "x")
    assert "--layout: a Forecaster reads no texts" in refused("predict", trained, "--layout", "lines")
    assert "use --text" in refused("predict", models / "text", "win a prize now")
    assert "or give --text" in refused("predict", models / "text")
    assert "--text: it stands in place of DATA" in refused("predict", models / "text", "x.csv", "--text", "x")
    assert "--text: expected words between spaces" in refused("predict", models / "tag", "--text", " ")
    (tmp_path / "new.txt").write_text("a\n")
    assert "--layout: a LanguageModel reads" in refused("predict", models / "lm", tmp_path / "new.txt", "--layout", "x")
    assert "--layout: expected one of auto" in refused(
        "predict", models / "text", tmp_path / "new.txt", "--layout", "x"
    )


def test_lines_alone_hold_nothing_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("a b\nc d e\n")
    with pytest.raises(SettingError, match=r"^layout: lines that are texts and nothing else have no labels"):
        read_labelled(tmp_path / "new.txt", layout="lines")
    with pytest.raises(SettingError, match=r"^layout: lines that are words alone have no tags"):
        read_tagged(tmp_path / "new.txt", layout="lines")
