"""The language-model studies: published sizes and settings, the usual file layouts, what is known of the originals."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from study_runs import score

from seqloom.errors import DataError
from seqloom.studies import StudySettings, find_study, language, run_study
from seqloom.studies.texts import read_texts
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.learning import language_spec
from seqloom.tasks.language.network import build_language_network
from seqloom.tasks.memory import count_weights
from seqloom_runtime.data.text import Corpus

# the study, words of its vocabulary, published parameters and receptive field of the TCN, size that is compared at
TABLES = {
    "ptb-words": (language._WORDS, 10_000, 14.66e6, 61, 13e6),
    "ptb-chars": (language._CHARS, 50, 2.22e6, 29, 3e6),
    "text8": (language._TEXT8, 27, 4.13e6, 63, 5e6),
    "wikitext-103": (language._WIKITEXT, 267_735, 132e6, 125, 132e6),
    "lambada": (language._LAMBADA, 93_215, 56.7e6, 187, 56.7e6),
}
_TOO_LARGE = {("ptb-words", "lstm"), ("ptb-chars", "lstm")}  # the published settings are not of the published size


@pytest.mark.parametrize("name", list(TABLES))
def test_models_have_the_published_sizes(name: str) -> None:
    table, words, parameters, seen, about = TABLES[name]
    for row, network in table.networks.items():
        settings = language.settings_of(table, row, StudySettings())
        spec = language_spec(LanguageModel(**settings), words)
        size = count_weights(lambda spec=spec: build_language_network(spec, 0))
        if network.extra:
            assert (settings["tied"], settings["softmax"]) == (False, "adaptive")
        elif row == "tcn":
            assert size == pytest.approx(parameters, rel=0.012)
            assert 1 + 2 * (spec.kernel_size - 1) * (2**spec.layers - 1) == seen
        elif (name, row) not in _TOO_LARGE:
            assert size == pytest.approx(about, rel=0.12), row
        # What isn't published is said to be a choice of ours.
        assert network.sized == ("tcn" not in row and (name, row) not in _TOO_LARGE)


def test_published_settings() -> None:
    def settings(table: language._Table, row: str) -> tuple[object, ...]:
        found = language.settings_of(table, row, StudySettings())
        return tuple(found[key] for key in ("units", "layers", "between_dropout", "clip_norm"))

    assert settings(language._WORDS, "tcn") == (600, 4, 0.5, 0.4)
    assert settings(language._WORDS, "lstm") == (700, 3, 0.4, 0.3)
    assert settings(language._CHARS, "tcn") == (450, 3, 0.1, 0.15)
    assert settings(language._CHARS, "lstm") == (600, 2, 0.1, 0.5)
    assert settings(language._TEXT8, "tcn") == (520, 5, 0.1, 0.15)
    found = language.settings_of(language._WIKITEXT, "tcn", StudySettings(epochs=3))
    assert (found["embedding_size"], found["units"], found["epochs"]) == (400, 1000, 3)
    # Dropout that the paper doesn't have is off, not at the estimator's default.
    assert (found["input_dropout"], found["output_dropout"]) == (0.0, 0.0)


def test_characters_of_the_treebank_are_counted_without_their_spaces(data_dir: Path) -> None:
    texts = read_texts("ptb-chars", str(data_dir))
    assert texts.original
    counts = {part: len(Corpus(text, "char").tokens()) for part, text in texts.parts.items() if part != "train"}
    assert counts == {"valid": 393_042, "test": 442_423}


def _words(count: int, seed: int) -> str:
    random = np.random.default_rng(seed)
    lines = [" ".join(random.choice(["the", "cat", "sat", "on", "a", "mat", "."], 9)) for _ in range(count // 9)]
    return "".join(f" {line} \n" for line in lines)


def _made(folder: Path, name: str) -> Path:
    """Small files of a corpus's usual layout."""
    if name == "text8":
        (folder / "text8").mkdir(parents=True)
        (folder / "text8" / "text8").write_text(" " + " ".join(_words(3000, 0).replace(".", "dot").split()))
    elif name == "wikitext-103":
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(("train", "valid", "test")):
            text = " \n = The cat = \n \n" + _words((3000, 300, 300)[number], number)
            (folder / name / f"wiki.{part}.tokens").write_text(text)
    else:
        for novel in ("Romance/one", "Fantasy/two"):
            path = folder / "lambada" / "train-novels" / f"{novel}.txt"
            path.parent.mkdir(parents=True)
            path.write_text(_words(1500, len(novel)))
        for part, seed in (("development", 8), ("test", 9)):
            path = folder / "lambada" / f"lambada_{part}_plain_text.txt"
            path.write_text(_words(180, seed))
    return folder


@pytest.mark.parametrize("name", ["text8", "wikitext-103", "lambada"])
def test_corpora_in_their_usual_layout(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Their charts are those of ptb-words, which test_every_study.py looks at.
    monkeypatch.setattr("seqloom.studies.writing.svg", lambda picture, themed=False: "<svg></svg>")
    monkeypatch.setattr("seqloom.studies.writing.png", lambda picture: b"")
    folder = _made(tmp_path / "data", name)
    results = run_study(find_study(name), StudySettings(quick=True, data=str(folder)), directory=tmp_path / "run")
    assert [row.name for row in results.rows] == ["unigram", "bigram", "tcn", "lstm", "gru", "rnn"]
    key = results.study.columns[1].key
    if name == "wikitext-103":
        results = run_study(
            find_study(name),
            StudySettings(quick=True, data=str(folder)),
            rows=["tcn-adaptive"],
            directory=tmp_path / "run",
            resume=True,
        )
    for row in results.rows:
        assert results.median(row, key) is not None, row
        assert not row.published  # the text is not the original
    if name == "lambada":
        assert 0 <= score(results, "bigram", 0, "accuracy") <= 1
    assert any("no SHA-256 of the original is on record" in note for note in results.remarks())
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_parts_of_text8(tmp_path: Path) -> None:
    (tmp_path / "text8").write_bytes(b"ab" * 500)
    texts = read_texts("text8", str(tmp_path))
    assert {part: len(text) for part, text in texts.parts.items()} == {"train": 900, "valid": 50, "test": 50}
    assert not texts.original
    assert "train 90,000,000" in texts.notes[0]


def test_an_original_is_known_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _made(tmp_path, "wikitext-103")
    sizes = language.CORPORA["wikitext-103"].sizes
    assert not read_texts("wikitext-103", str(folder)).original
    # Counted by hand: three lines before the made ones, each with its end, and the words of the title.
    for part in sizes:
        monkeypatch.setitem(sizes, part, 3 + 4 + 10 * (300 // 9))
    assert read_texts("wikitext-103", str(folder)).original


def test_files_that_are_not_the_originals(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb.{part}.txt.gz").write_bytes(gzip.compress(_words(400, 0).encode()))
    study = find_study("ptb-words")
    prepared = study.prepare(StudySettings(data=str(tmp_path)))
    assert "not the original, by SHA-256, so no published figures are shown" in prepared.notes[0]
    assert not any(row.published or row.goals for row in study.rows(StudySettings(), prepared))


@pytest.mark.usefixtures("here")
def test_published_figures_stand_beside_the_originals() -> None:
    study = find_study("ptb-words")
    rows = {row.name: row for row in study.rows(StudySettings(), study.prepare(StudySettings()))}
    assert rows["lstm"].goals == rows["lstm"].published == {"perplexity": 78.93}
    assert rows["gru"].published == {"perplexity": 92.48}
    assert not rows["gru"].goals


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text8", "text8/text8"),
        ("wikitext-103", "wiki.train.tokens"),
        ("lambada", "lambada_development_plain_text.txt"),
    ],
)
def test_what_is_missing_is_named(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_texts(name, str(tmp_path))
    assert "The original: " in str(caught.value)


def test_novels_that_are_missing(tmp_path: Path) -> None:
    _made(tmp_path, "lambada")
    for path in (tmp_path / "lambada" / "train-novels").rglob("*.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"expected the training novels as \.txt files in folders"):
        read_texts("lambada", str(tmp_path))


@pytest.mark.usefixtures("here")
def test_a_time_limit_ends_a_language_model() -> None:
    settings = StudySettings(quick=True, epochs=3, time_limit=1e-9)
    results = run_study(find_study("ptb-words"), settings, rows=["gru"])
    assert score(results, "gru", 0, "epochs") == 1
    assert any("the time limit of 1e-09 minutes" in note for note in results.remarks())
