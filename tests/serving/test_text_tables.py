"""Tables of texts: a prediction for each row, never one for the whole file."""

from __future__ import annotations

import json

import pytest
from running import Running

from seqloom import zoo

TEXTS = ["Win a free prize now, text WIN", "see you at home", 'she said "yes"']
CSV = 'id,text\n1,"Win a free prize now, text WIN"\n2,see you at home\n3,"she said ""yes"""\n'
SPAM = "/v1/models/spam/predict"


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (CSV, "text/csv"),
        (CSV, "text/csv; charset=utf-8"),
        (CSV, "application/x-www-form-urlencoded"),
        ("\ufeff" + CSV.replace("\n", "\r\n"), ""),
        ("\n".join(["words", *(json.dumps(text).replace('\\"', '""') for text in TEXTS)]), "text/csv"),
        ("\n".join(["text\tid", *(f"{text}\t1" for text in TEXTS[:2]), '"she said ""yes"""\t1']), ""),
    ],
)
def test_each_row_of_a_table_gets_its_prediction(server: Running, body: str, content: str) -> None:
    answer = server.http.post(SPAM, content=body.encode(), headers={"Content-Type": content} if content else {})
    assert answer.status_code == 200, answer.text
    truth = [str(label) for label in zoo.load("spam").predict(TEXTS)]
    assert [found["label"] for found in answer.json()["predictions"]] == truth


def test_texts_that_are_no_table_and_tables_that_have_no_texts(server: Running) -> None:
    plain = server.http.post(SPAM, content=CSV, headers={"Content-Type": "text/plain"}).json()
    assert len(plain["predictions"]) == 1
    assert len(server.http.post(SPAM, content="a text, and more\nof it").json()["predictions"]) == 1
    for body, told in (
        (b"a,b\n1,2\n", "expected a column 'text', or one column alone, got 'a', 'b'."),
        (b"text\n", "row"),
        (b"id,text\n1,a\n2\n3,b,c\n", "body"),
        (b"PK\x03\x04" + b"\x00" * 40, "save the file as CSV"),
        (b"text,id\n\xff\xfe,1\n", "body"),
    ):
        answer = server.http.post(SPAM, content=body, headers={"Content-Type": "text/csv"})
        assert answer.status_code == 400, answer.text
        assert told in answer.json()["error"]
        print(answer.json()["error"])


def test_a_table_through_worker_processes() -> None:
    with Running(("spam", zoo.folder("zoo:spam")), workers=2) as server:
        answer = server.http.post(SPAM, content=CSV, headers={"Content-Type": "text/csv", "Accept": "text/csv"})
        assert answer.text.count("\r\n") == 4, answer.text
