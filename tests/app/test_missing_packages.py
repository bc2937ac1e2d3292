"""A package that is not installed is told before the folder of `--out` is made, whichever model or search needs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import TINY, Command

LABELLED = "text,label\n" + "see you at home,ham\nwin a free prize now,spam\n" * 30
PAIRS = "source,target\n" + "see you,bis bald\ngood day,guten tag\nthank you,danke\n" * 20
NAMED = ("--source", "source", "--target", "target")


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """As if the package were not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize(
    ("package", "words", "said"),
    [
        ("optuna", ("tune", "forecast", "hourly", *TINY, "--model", "gru"), "seqloom tune forecast needs optuna"),
        ("optuna", ("tune", "classify", "texts", "--model", "gru"), "seqloom tune classify needs optuna"),
        ("sqlalchemy", ("tune", "translate", "pairs", *NAMED), "seqloom tune translate needs sqlalchemy"),
        ("sklearn", ("classify", "texts", "--model", "bow,gru"), "--model bow needs scikit-learn"),
        ("sklearn", ("classify", "texts", "--model", "gru,bow-forest"), "--model bow-forest needs scikit-learn"),
        ("sklearn", ("tune", "classify", "texts", "--model", "bow,gru"), "--model bow needs scikit-learn"),
        (
            "statsmodels",
            ("forecast", "hourly", *TINY, "--model", "gru,theta"),
            "the baseline 'theta' needs statsmodels",
        ),
        ("tokenizers", ("translate", "pairs", *NAMED, "--level", "subword"), "--level subword needs tokenizers"),
        ("polars", ("classify", "texts", "--model", "majority"), "--out: the report needs polars"),
        ("vl_convert", ("tune", "classify", "texts", "--model", "gru"), "--out: the report needs vl-convert"),
    ],
)
def test_nothing_is_written_where_a_package_is_missing(
    package: str,
    words: tuple[str, ...],
    said: str,
    command: Command,
    hourly: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"texts": tmp_path / "texts.csv", "pairs": tmp_path / "pairs.csv", "hourly": hourly}
    files["texts"].write_text(LABELLED)
    files["pairs"].write_text(PAIRS)
    without(monkeypatch, package)
    done = command(*(files.get(word, word) for word in words), "--out", tmp_path / "run")
    assert done.code == 2, done
    assert said in done.err, done.err
    assert ", which is not installed; in the folder of seqloom's source run pip install '.[" in done.err
    assert done.err.count("\n") == 1, done.err
    assert not (tmp_path / "run").exists()
