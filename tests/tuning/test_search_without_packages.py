"""Without a package that a search or a model needs, `tune` and `compare_models` refuse before their folder is made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from searches import SPACE, InTurn
from tiny_task import PARTS, Line

from seqloom import TextClassifier
from seqloom.errors import MissingDependencyError
from seqloom.tasks.comparison import compare_models
from seqloom.tuning import Search, SearchPlan, tune

TEXTS = (["see you", "win a prize"] * 10, ["ham", "spam"] * 10)


@pytest.mark.parametrize("package", ["optuna", "sqlalchemy"])
def test_a_search_without_its_packages(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"^tuning needs {package}, which is not installed; .*'\.\[tune\]'"
    with pytest.raises(MissingDependencyError, match=said):
        tune(TextClassifier(model="gru", epochs=1), TEXTS, directory=tmp_path / "run")
    search = Search(SearchPlan(2, SPACE), InTurn(1))
    with pytest.raises(MissingDependencyError, match=said):
        compare_models("line", {"line": Line()}, PARTS, baseline="line", directory=tmp_path / "run", search=search)
    assert not (tmp_path / "run").exists()


def test_models_without_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    parts = dict.fromkeys(PARTS, TEXTS)
    models = {name: TextClassifier(model=name) for name in ("majority", "bow")}
    with pytest.raises(MissingDependencyError, match=r"^model='bow' needs scikit-learn, which is not installed; "):
        compare_models("classify", models, parts, baseline="majority", directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
