"""Readers of labelled texts: every layout gives the same, every refusal names its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.text import LabelledTexts, read_labelled

TEXTS = ["Good, really.", 'She said "no"; twice', "", "naïve\u2028café", "a\tb"]
LABELS = ["pos", "neg", "pos", "neg", "odd"]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def same(found: LabelledTexts, texts: list[str], labels: list[str]) -> None:
    assert found.texts == texts
    assert found.labels == labels


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_tables(tmp_path: Path, separator: str) -> None:
    rows = [separator.join(map(quoted, row)) for row in [("id", "text", "label"), *zip("12345", TEXTS, LABELS)]]
    path = write(tmp_path / "t.csv", "\n".join(rows) + "\n")
    found = read_labelled(path, others=["id"])
    same(found, TEXTS, LABELS)
    assert found.lines.tolist() == [2, 3, 4, 5, 6]
    assert found.others == {"id": ["1", "2", "3", "4", "5"]}
    assert found.classes == ["neg", "odd", "pos"]
    assert found.counts == {"neg": 2, "odd": 1, "pos": 2}
    assert found.empty.tolist() == [2]
    assert found.place(1) == f"{path}, line 3"
    part = found.take(np.array([4, 0]))
    same(part, [TEXTS[4], TEXTS[0]], ["odd", "pos"])
    assert part.lines.tolist() == [6, 2]
    assert part.others == {"id": ["5", "1"]}
    alone = read_labelled(path, label=None)
    assert alone.labels is None
    assert alone.take([1]).labels is None
    assert alone.classes == []
    assert alone.texts == TEXTS


def test_json_lines_parquet_and_gzip(tmp_path: Path) -> None:
    import polars as pl

    lines = [json.dumps({"label": label, "text": text, "n": 1}) for text, label in zip(TEXTS, LABELS)]
    content = "\n\n".join(lines)
    found = read_labelled(write(tmp_path / "t.jsonl", content), others=["n"])
    same(found, TEXTS, LABELS)
    assert found.lines.tolist() == [1, 3, 5, 7, 9]
    assert found.others == {"n": ["1"] * 5}
    same(read_labelled(write(tmp_path / "t.json.gz", gzip.compress(content.encode()))), TEXTS, LABELS)
    pl.DataFrame({"text": TEXTS, "label": LABELS}).write_parquet(tmp_path / "t.parquet")
    found = read_labelled(tmp_path / "t.parquet")
    same(found, TEXTS, LABELS)
    assert found.place(0).endswith("t.parquet, row 1")


def test_label_tab_text_without_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "sms", 'ham\tsay "hi\r\n\nspam\tWIN, "now"; 5\nham\t\n')
    found = read_labelled(path)
    same(found, ['say "hi', 'WIN, "now"; 5', ""], ["ham", "spam", "ham"])
    assert found.lines.tolist() == [1, 3, 4]
    assert read_labelled(path, label=None).labels is None
    table = write(tmp_path / "t.tsv", "label\ttext\nham\thi\n")
    same(read_labelled(table), ["hi"], ["ham"])
    same(read_labelled(table, layout="label-tab-text"), ["text", "hi"], ["label", "ham"])


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["0", "b c"])), min_size=1)
)
def test_csv_and_json_lines_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("texts", numbered=True)
    rows = [(text.replace("\r", " "), label) for text, label in rows]
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows]
    same(read_labelled(write(folder / "t.jsonl", "\n".join(lines))), texts, labels)
    if not any("\0" in text for text in texts):
        cells = ["text,label", *(f"{quoted(text)},{quoted(label)}" for text, label in rows)]
        same(read_labelled(write(folder / "t.csv", "\n".join(cells)), layout="table"), texts, labels)


def test_labels_of_numbers_and_truth_values(tmp_path: Path) -> None:
    import polars as pl

    lines = '{"text": "a", "label": 1}\n{"text": "b", "label": true}\n{"text": "c", "label": 2.0}\n'
    assert read_labelled(write(tmp_path / "t.jsonl", lines)).labels == ["1", "true", "2"]
    pl.DataFrame({"text": ["a", "b"], "label": [0, 1]}).write_parquet(tmp_path / "t.parquet")
    assert read_labelled(tmp_path / "t.parquet").labels == ["0", "1"]


def test_a_text_of_a_megabyte(tmp_path: Path) -> None:
    long = "the cat, the dog. " * 60_000
    path = write(tmp_path / "t.csv", f'label,text\npos,"{long}"\nneg,short\n')
    same(read_labelled(path), [long, "short"], ["pos", "neg"])
    path = write(tmp_path / "t.jsonl", json.dumps({"text": long, "label": "pos"}))
    same(read_labelled(path), [long], ["pos"])


REFUSED = {
    "invalid UTF-8": (b"label,text\npos,fine\nneg,caf\xe9 \n", "line 3: byte 0xE9 at position 27 is not utf-8.*cp1252"),
    "invalid UTF-8 in JSON": (b'{"text": "a", "label": "x"}\n{"text": "\xff"}\n', r"line 2: byte 0xFF at position 38"),
    "no text column": ("lable,txt\npos,fine\n", r"no text column is named 'text'\. Did you mean 'txt'\?"),
    "no label column": ("lable,text\npos,fine\n", r"no label column is named 'label'\. Did you mean 'lable'\?"),
    "missing label": ("label,text\npos,fine\n,bad\n", "line 3: the label in column 'label' is missing"),
    "ragged": ("label,text\npos,fine, really\n", "line 2: expected 2 cells as in the header, found 3"),
    "missing text field": ('{"text": "a", "label": "x"}\n{"txet": "b"}', r"line 2: the field 'text' is .*'txet'\?"),
    "missing label field": ('{"text": "a"}', "line 1: the field 'label' is missing; there are 'text'"),
    "text that is none": ('{"text": 5, "label": "x"}', "line 1: expected text in field 'text', found 5"),
    "two labels": ('{"text": "a", "label": ["x", "y"]}', "line 1: expected one label in field 'label'"),
    "null label": ('{"text": "a", "label": null}', "line 1: expected one label"),
    "empty label": ('{"text": "a", "label": " "}', "line 1: expected one label"),
    "broken JSON": ('{"text": "a", "label": "x"}\n{"text": "b"', "line 2: expected one JSON object.*column 13"),
    "JSON list": ('{"text": "a", "label": "x"}\n[1]', "line 2: expected a JSON object, found list"),
    "deep JSON": ('{"text": ' + "[" * 100_000, "line 1: expected one plain JSON object"),
    "half a character": ('{"text": "a\\ud800", "label": "x"}', "line 1: character 2 is half of a surrogate pair"),
    "no label before the tab": ("ham\ta\n\tb\n", "line 2: the label before the TAB is missing"),
    "header only": ("label,text\n", "a header and nothing else"),
    "nothing": (b"", "expected labelled texts, the file is empty"),
    "blank": ("\n \n", "nothing but empty lines"),
    "an archive": (b"PK\x03\x04abc", "expected CSV, Parquet, JSON lines or label<TAB>text, this is a zip archive"),
    "binary": (bytes(range(256)), "looks like a binary file"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_refusals_name_the_place(tmp_path: Path, name: str) -> None:
    data, message = REFUSED[name]
    path = write(tmp_path / "texts", data)
    with pytest.raises(DataError, match=f"texts.*{message}") as caught:
        read_labelled(path)
    assert "\n" not in str(caught.value)


def test_refuses_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "t", "ham\ta\nham\tb\n")
    with pytest.raises(SettingError, match="layout"):
        read_labelled(path, layout="xml")
    with pytest.raises(SettingError, match="no column 'id'"):
        read_labelled(path, others=["id"])
    with pytest.raises(DataError, match="line 1: expected label<TAB>text, found no TAB"):
        read_labelled(write(tmp_path / "u", "ham a\n"), layout="label-tab-text")
    with pytest.raises(DataError, match="there is no such file"):
        read_labelled(tmp_path / "missing")
