"""The page of a sequence or text task: order, every key of details drawn, harmless names, limits, damaged files."""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_reader import Reader, values
from task_runs import NAME, WORDS, details, write_task_run

from seqloom.errors import FormatError, printable
from seqloom.report import build, read_metrics, table_text
from seqloom.report.document import Document
from seqloom.report.examples_html import sparkline
from seqloom.report.music import piano_roll, sound
from seqloom.report.page import parts_of
from seqloom.report.saved import SavedRun, read_run
from seqloom.report.sections import answer, terms
from seqloom.report.thin import ROWS_PER_CHART

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">&\u2028'
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KEYS = {
    "confusion": "Confusion matrix",
    "per_class": "Scores by class",
    "roc": "ROC curves",
    "calibration": "Calibration of the probabilities",
    "mistakes": "Examples with the highest loss",
    "belief": "Class probabilities after each word",
    "attention": "Attention weights",
    "anomalies": "Rows that are flagged",
    "precision_recall": "Precision-recall curves",
    "alignment": "Attention over the source",
    "heard": "What was heard where",
    "looked": "Attention over the picture",
    "embedding": "Word embeddings",
    "spans": "Sentences with errors",
    "samples": "Generated samples",
    "music": "Generated music",
    "film": "Predicted frames",
    "records": "Records: values, gaps and risk",
    "frames": "Predictions by step",
    "scatter": "Predicted against actual values",
    "tables": "Further tables",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, as_text: Callable[..., bytes]) -> Path:
    """A page with everything on it, and its pictures as what would be drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqloom.report.document._png", as_text)
        return build(write_task_run(tmp_path_factory.mktemp("task") / "run"))


def document(folder: Path, **keys: Any) -> Any:
    return drawn(read_run(write_task_run(folder, **keys)))


def drawn(run: SavedRun) -> Document:
    return Document("", "", parts_of(run, (Exception,)))


def headings(made: Any) -> list[str]:
    return [part.heading for part in made.parts]


def charts(made: Any) -> dict[str, Any]:
    return {chart.name: chart for figure in made.figures for chart in figure.charts}


def rows_of(made: Any, name: str) -> list[dict[str, Any]]:
    return charts(made)[name].spec["datasets"]["rows"]


def test_order_and_nothing_fetched(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    read = Reader(html)
    assert read.heads == [
        "Task",
        "Result",
        "Model comparison",
        *("Rows that are flagged", "Precision-recall curves"),
        *(
            "Generated samples",
            "Generated music",
            "Predicted frames",
            "Scores by class",
            "Confusion matrix",
            "ROC curves",
        ),
        "Calibration of the probabilities",
        *(
            "Predicted against actual values",
            "Records: values, gaps and risk",
            "Predictions by step",
            "Examples with the highest loss",
            "Sentences with errors",
        ),
        *("Class probabilities after each word", "Attention weights", "Attention over the source"),
        *("What was heard where", "Attention over the picture"),
        *("Word embeddings", "Further tables"),
        "Validation accuracy by epoch",
        "Training and validation loss",
        "Settings and reproduction",
        "Terms",
    ]
    assert {t for t, _ in read.tags}.isdisjoint({"link", "iframe", "object", "embed", "base", "form", "img"})
    for tag, attrs in read.tags:
        # Sound is in the page: there is nothing to fetch.
        assert str(attrs.get("src", "")).startswith("data:audio/wav;base64," if tag == "audio" else ""), tag
        assert tag == "audio" or "src" not in attrs, tag
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        if tag == "image":
            assert str(attrs["href"]).startswith("data:image/png;base64,")
        elif "href" in attrs:
            assert re.fullmatch(r"charts/\w+\.png", str(attrs["href"]))
    assert len(read.code) == 2
    pictures = {path.name for path in (page.parent / "charts").iterdir()}
    assert pictures == {str(a["href"]).removeprefix("charts/") for t, a in read.tags if t == "a"}
    for said in ("12.5<", "2026-01-01"):
        assert said not in html.replace(read.code[0], ""), "timings stay out of the page"


def bytes_twice(folder: Path) -> list[dict[Path, bytes]]:
    """The page and its pictures, made twice of runs that differ in their times alone."""
    found = []
    for times in ({}, {"timings": {"gru": 1.0}, "finished": "x"}):
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | times))
        page = build(folder)
        found.append({path: path.read_bytes() for path in [page, *sorted((folder / "charts").iterdir())]})
    return found


# That equal specifications are drawn to equal bytes is seen on the page of a forecast, in test_page.py.
@pytest.mark.usefixtures("undrawn")
def test_the_same_files_give_the_same_bytes(page: Path) -> None:
    first, second = bytes_twice(page.parent)
    assert first == second
    assert len(first) == 16


@pytest.mark.deep
def test_the_same_files_give_the_same_pictures(tmp_path: Path) -> None:
    first, second = bytes_twice(write_task_run(tmp_path / "run"))
    assert first == second
    pictures = [content for path, content in first.items() if path.suffix == ".png"]
    assert len(pictures) == 15
    assert all(content.startswith(b"\x89PNG") for content in pictures)


def test_every_chart_of_a_task_can_be_drawn(tmp_path: Path) -> None:
    page = build(write_task_run(tmp_path / "run", models=("majority", "gru")))
    pictures = {path.stem: path.read_bytes() for path in (page.parent / "charts").iterdir()}
    assert set(pictures) == set(re.findall(r"data-spec=\"spec-(\w+)\"", page.read_text(encoding="utf-8")))
    assert len(pictures) == 14
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())


def test_every_key_of_details_is_documented_and_drawn(tmp_path: Path) -> None:
    made = details(np.random.default_rng(0), ("a", "b"))
    assert set(made) == {*KEYS, "facts"}
    listed = (Path(__file__).parents[2] / "docs" / "files.md").read_text().split("### Details")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", listed, flags=re.M)) == set(made)
    # The sections are the same with any number of models, each of which takes its time in all of these pages.
    bare = document(tmp_path / "bare", models=("majority",), **dict.fromkeys(made))
    always = ["Task", "Result", "Model comparison", "Settings and reproduction", "Terms"]
    assert headings(bare)[:3] + headings(bare)[-2:] == always
    assert not set(headings(bare)) & set(KEYS.values())
    for key, heading in KEYS.items():
        rest = dict.fromkeys(name for name in made if name != key)
        alone = document(tmp_path / key, models=("majority",), **rest)
        assert set(headings(alone)) - set(headings(bare)) == {heading}, key


@pytest.mark.usefixtures("undrawn")
def test_names_are_harmless_and_whole(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run", classes=("ham", EVIL), models=("majority", EVIL))
    text = json.dumps(json.loads((folder / "details.json").read_text())).replace(
        json.dumps(NAME)[1:-1], json.dumps(EVIL)[1:-1]
    )
    (folder / "details.json").write_text(text)
    html = build(folder).read_text(encoding="utf-8")
    read = Reader(html)
    assert not any(tag == "img" for tag, _ in read.tags)
    assert len(read.code) == 2
    assert "alert(1)" not in read.code[0][-2000:] + read.code[1]
    assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)
    shown = {a["title"] for _, a in read.tags if "title" in a}
    assert any(printable(EVIL) in str(title) for title in shown), "the name itself is shown, not a part of it"
    assert printable(EVIL) in {row["p"] for rows in values(read.blocks["spec-confusion"]) for row in rows}


def test_the_answer_says_better_or_worse(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run", models=("majority", "gru"))
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())

    def said() -> str:
        path.write_text(json.dumps(metrics))
        return re.sub("<[^>]+>", "", answer(read_run(folder))).replace("\u00a0", " ")

    assert (
        "gru was selected on the validation set: accuracy 77.00 % against 62.00 % for majority. On the test set it is "
        "better too: 74.69 % against 60.14 % for majority." in said()
    )
    assert "74.69 %accuracy on the test set; majority: 60.14 %, better" in said()
    metrics["models"]["gru"]["test"]["accuracy"] = 0.5
    assert "On the test set it is worse: 50.00 % against 60.14 % for majority." in said()
    assert "50.00 %accuracy on the test set; majority: 60.14 %, worse" in said()
    metrics["scores"] = ["log_loss", "accuracy"]
    assert "validation set: log loss 0.330 against 0.660 for majority (50.0 % lower). On the test set" in said()
    assert "better too: 0.363 against 0.726 for majority (50.0 % lower)." in said()
    metrics.update(best="majority", statements=["No model did better than majority on validation, by log loss.", "x"])
    assert said().startswith("No model did better than majority")
    metrics["statements"] = []
    assert "No model did better than majority on the validation set." in said()
    del metrics["models"]["gru"]
    assert "majority is the only model." in said()


def test_the_table_for_the_terminal(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run", models=("majority", "gru"))
    text = table_text(read_metrics(folder / "metrics.json"))
    assert text.startswith("Validation (836 examples)\n")
    assert "\n\nTest (836 examples)\n" in text
    row = next(line for line in text.splitlines() if line.startswith("> gru"))
    assert row.split() == [[">", "gru"][0], "gru", "network", "4,321", "77.00", "%*", "60.00", "%*", "0.330*", "0.900"]
    assert text.endswith("* best of the column   > selected by accuracy on the validation set\n")


def test_charts_show_the_numbers_of_the_files(tmp_path: Path) -> None:
    made = document(tmp_path / "run", classes=DIGITS, models=("majority", "gru"))
    found = json.loads((tmp_path / "run" / "details.json").read_text())["models"]
    counts = np.array(found["gru"]["confusion"]["counts"])
    cells = {(r["s"], r["a"], r["p"]): (r["n"], r["r"]) for r in rows_of(made, "confusion")}
    assert cells["gru", "three", "five"] == (counts[3, 5], pytest.approx(counts[3, 5] / counts[3].sum(), rel=1e-5))
    assert len(cells) == 200
    assert charts(made)["confusion"].spec["params"] == [{"name": "s", "value": "gru"}]
    roc = [r for r in rows_of(made, "roc") if (r["m"], r["k"]) == ("majority", "two")]
    assert [(roc[0]["x"], roc[0]["y"]), (roc[-1]["x"], roc[-1]["y"])] == [(0, 0), (1, 1)]
    assert {r["k"] for r in rows_of(made, "roc")} == set(DIGITS)
    points = [r for r in rows_of(made, "calibration") if (r["s"], r["m"]) == ("gru", "before")]
    assert [r["y"] for r in points] == pytest.approx(found["gru"]["calibration"]["before"]["observed"], rel=1e-5)
    belief = [r for r in rows_of(made, "belief") if (r["s"], r["k"]) == ("gru", 1)]
    assert [r["w"] for r in belief] == [NAME, *WORDS[1:]]
    assert [r["c3"] for r in belief] == pytest.approx(
        [row[3] for row in found["gru"]["belief"][1]["probabilities"]], rel=1e-5
    )
    assert charts(made)["belief"].hover["x"]["field"] == "w"
    dots = [r for r in rows_of(made, "scatter") if r["s"] == "gru"]
    assert [r["y"] for r in dots] == pytest.approx(found["gru"]["scatter"]["predicted"], rel=1e-5)
    steps = [r for r in rows_of(made, "frames") if (r["s"], r["k"]) == ("gru", 2)]
    assert [r["f"] for r in steps] == pytest.approx(found["gru"]["frames"][2]["predicted"], rel=1e-5)
    words = [r for r in rows_of(made, "embedding") if r["s"] == "gru"]
    assert [r["w"] for r in words[:2]] == [NAME[:24], found["gru"]["embedding"]["words"][1]]
    curve = rows_of(made, "validation_accuracy")
    assert {r["b"] for r in curve} == {0.62}
    assert curve[4]["m0"] == pytest.approx(0.9)


def test_html_shows_the_examples_of_the_files(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    name = "&lt;img src=x onerror=alert(1)&gt;"
    assert f'<mark class="right" title="right">{name}<sub>{name} ✓</sub></mark>' in html
    assert '<mark class="missed" title="missed">slow but<sub>' not in html
    assert '<mark class="missed" title="missed">was slow<sub>quality –</sub></mark>' in html
    assert '<mark class="wrong" title="wrong">a wonderful<sub>person ✗</sub></mark>' in html
    assert f"<b>Once {name}</b> upon a time {name}\nthere was" in html
    assert f"temperature 0.8, {name} 3" in html
    assert f"row 0: actual <b>ham</b>, predicted <b>{name}</b>, loss 5.500" in html
    assert html.count('<svg class="spark"') == 3 * 4
    assert "<dt>vocabulary</dt><dd>12,345</dd>" in html
    assert "<dt>epochs</dt><dd>20 (the model&#x27;s default)</dd>" in html
    assert '<td class="num">0.250</td>' in html
    assert '<span class="w" style="--w:1.000;--h:var(--c1)"' in html, "the word that weighs most is the deepest"


def test_music_is_drawn_and_can_be_heard(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    roll = html[html.index('<section id="music"') :].partition("</section>")[0]
    # Each picture says what it shows twice: the part that scrolls and the picture itself.
    assert 2 * roll.count("<audio") == roll.count("Piano roll of ") > 0
    assert "media-src data:" in html
    found = sound([[48], [48], [], [60]])
    with wave.open(io.BytesIO(found)) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), np.uint8).astype(float) - 128
        rate = file.getframerate()
    each = len(heard) // 4
    for first, last, pitch in ((0, 2, 440.0), (3, 4, 880.0)):
        power = np.abs(np.fft.rfft(heard[first * each : last * each]))
        assert power.argmax() * rate / ((last - first) * each) == pytest.approx(pitch, rel=0.01)
    assert not heard[2 * each : 3 * each].any()
    assert piano_roll([[0, 87], [0]]).count("<rect") == 2
    assert piano_roll([[0], [0, 5], [9]], given=1).count("fill-opacity") == 1
    assert "keys A0 to C8" in piano_roll([[0, 87], [0]])


def test_the_terms_are_those_of_the_page(tmp_path: Path) -> None:
    shown = terms(read_run(write_task_run(tmp_path / "run", roc=None)))
    assert "<dt>Log loss</dt><dd>mean −log p(true class), natural logarithm</dd>" in shown
    assert "<dt>confusion matrix</dt>" in shown
    assert not re.search("ROC curve</dt>|horizon|sign test", shown), "what the page doesn't show needs no explaining"


def test_belief_of_a_word_is_as_deep_as_it_is_sure(tmp_path: Path) -> None:
    example = {
        "tokens": ["a", "b", "c"],
        "classes": ["no", "yes"],
        "probabilities": [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]],
        "actual": "yes",
        "predicted": "no",
    }
    made = document(tmp_path / "run", belief=[example], models=("majority",))
    after = next(figure for figure in made.figures if figure.key == "belief").after
    depths = re.findall(r'--w:([\d.]+);--h:var\(--(c\d)\)" title="([^"]+)">(\w)<', after)
    assert depths == [
        ("0.000", "c1", "no 0.50", "a"),
        ("0.500", "c2", "yes 0.75", "b"),
        ("1.000", "c1", "no 1.00", "c"),
    ]


def test_labels_per_step_and_sequences_without_words(tmp_path: Path) -> None:
    frames = [{"row": 3, "actual": ["x", "y", "y"], "predicted": ["x", "x", "y"]}]
    belief = [
        {
            "classes": list(DIGITS),
            "probabilities": np.full((7, 10), 0.1).tolist(),
            "actual": "one",
            "predicted": "two",
            "series": {"names": ["a"], "values": [[0.0] * 7]},
        }
    ]
    made = document(tmp_path / "run", frames=frames, belief=belief, models=("majority", "gru"))
    assert [(r["a"], r["f"]) for r in rows_of(made, "frames")][:3] == [("x", "x"), ("y", "x"), ("y", "y")]
    assert charts(made)["frames"].hover is None
    figure = next(figure for figure in made.figures if figure.key == "belief")
    assert (figure.heading, figure.after) == ("Class probabilities after each step", "")
    assert len(figure.legend) == 6


def test_a_network_of_one_epoch_and_one_without_a_validation_loss(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run", models=("majority", "gru", "tcn"))
    (folder / "history.csv").write_text(
        "model,epoch,step,learning_rate,train_loss,valid_loss,valid_accuracy\n"
        "gru,1,9,0.1,0.5,0.4,0.8\ntcn,1,9,0.1,0.5,,\n"
    )
    made = drawn(read_run(folder))
    assert [layer["mark"].get("point") for layer in charts(made)["validation_accuracy"].spec["layer"]].count(False) == 0
    first = charts(made)["validation_accuracy"].spec["layer"][0]["encoding"]["x"]["axis"]
    assert first["values"] == [1.0], "a mark at each of few epochs, and none between them"
    lines = {name: chart.spec["layer"] for name, chart in charts(made).items() if name.startswith("loss")}
    assert {name: len(layers) for name, layers in lines.items()} == {"loss_1_gru": 2, "loss_2_tcn": 1}


def test_long_runs_stay_under_the_row_limit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    many = tuple(f"class {i}" for i in range(31))
    long = rng.normal(0, 1, 6_000).tolist()
    curve = np.linspace(0, 1, 900).tolist()
    keys = {
        "scatter": {"actual": long, "predicted": long},
        "frames": [{"row": n, "actual": long[:900], "predicted": long[:900]} for n in range(12)],
        "roc": [{"class": c, "false_positive": curve, "true_positive": curve, "auc": 0.5} for c in many],
        "belief": [
            {
                "tokens": ["w"] * 700,
                "classes": ["a", "b"],
                "probabilities": rng.dirichlet([1, 1], 700).tolist(),
                "actual": "a",
                "predicted": "b",
            }
        ]
        * 10,
    }
    models = ("majority", *(f"net{i}" for i in range(6)))
    made = document(tmp_path / "run", classes=many, models=models, **keys)
    drawn = charts(made)
    assert {"confusion", "roc", "belief", "frames", "scatter", "embedding", "calibration"} <= set(drawn)
    for name, chart in drawn.items():
        for rows in values(chart.spec):
            assert 0 < len(rows) <= ROWS_PER_CHART, name
    html = next(figure for figure in made.figures if figure.key == "belief").after
    assert html.count('class="w"') <= 10 * 400


def test_a_sequence_drawn_small() -> None:
    svg = sparkline({"names": ["a", EVIL, "c", "d", "e"], "values": [[0, 5.0], [1, 1], [2, 2], [3, 3], [4, 4]]})
    assert svg.count("<polyline") == 4
    assert "2 steps of a," in svg
    assert "(and 1 more), from 0.000 to 5.000" in svg
    assert "<script" not in svg
    assert 'points="2.0,37.0 178.0,3.0"' in svg
    assert sparkline({"names": [], "values": []}) == ""
    assert "nan" not in sparkline({"names": ["a"], "values": [[2.0, 2.0]]})


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("metrics.json", lambda m: m.pop("scores"), "metrics.json: expected the key 'scores', which is missing"),
        ("metrics.json", lambda m: m.update(models={}), "at least one model and one score"),
        ("metrics.json", lambda m: m["models"]["gru"].update(kind="x"), "under models.gru.kind"),
        ("metrics.json", lambda m: m["models"]["gru"].update(parameters="x"), "models.gru.parameters"),
        (
            "metrics.json",
            lambda m: m["models"]["gru"]["test"].update(f1="x"),
            "a number under 'models.gru.test.f1', got a text",
        ),
        ("metrics.json", lambda m: m["models"]["gru"]["valid"].pop("accuracy"), "'models.gru.valid.accuracy'"),
        ("metrics.json", lambda m: m.update(best="none"), "'best' names 'none'"),
        ("metrics.json", lambda m: m.update(schema=2), "expected schema 1, got 2"),
        ("details.json", lambda m: m["models"].update(gru=3), "details.json: expected an object under 'models.gru'"),
        ("details.json", lambda m: m["models"]["gru"]["confusion"].pop("counts"), "lacks or misstates a value"),
        (
            "details.json",
            lambda m: m["models"]["gru"]["confusion"].update(counts=[[1]]),
            "lacks or misstates a value",
        ),
        ("details.json", lambda m: m["models"]["gru"]["belief"][0].update(tokens=["a"]), "lacks or misstates a value"),
        ("details.json", lambda m: m["models"]["gru"].update(mistakes=[3]), "lacks or misstates a value"),
        ("run.json", lambda m: m.pop("settings"), "run.json: expected the key 'settings'"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, file: str, change: Callable[[Any], Any], words: str) -> None:
    folder = write_task_run(tmp_path / "run", models=("majority", "gru"))
    held = json.loads((folder / file).read_text())
    change(held)
    (folder / file).write_text(json.dumps(held))
    with pytest.raises(FormatError, match=re.escape(words)):
        build(folder)
    assert not (folder / "report.html").exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run", models=("majority", "gru"))
    (folder / "details.json").unlink()
    with pytest.raises(FormatError, match=r"details.json: this file of the run folder is missing"):
        build(folder)
