"""Rules that hold for the whole package: what it may import, how long its parts may be, what its documents promise."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqloom
import seqloom_runtime

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "runtime" / "src" / "seqloom_runtime"
SOURCES = sorted([*(ROOT / "src" / "seqloom").rglob("*.py"), *RUNTIME.rglob("*.py")])
HEAVY = ("torch", "polars", "pandas", "altair", "vl_convert", "statsmodels", "scipy", "sklearn", "rich", "pyarrow")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def named(node: ast.AST) -> Iterator[str]:
    """The dotted names that an import statement loads."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names)


def test_only_one_module_imports_the_native_one() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if any("_native" in name.split(".") for name in named(node)):
                assert path == RUNTIME / "native.py", f"{path} imports the native module"


def test_nothing_can_run_code_from_a_file() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            for name in named(node):
                assert name.split(".")[0] not in {"pickle", "dill", "joblib", "shelve", "marshal"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load":
                pytest.fail(f"{path}:{node.lineno} calls torch.load")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", path


def test_no_blind_except_and_no_print() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path}:{node.lineno} catches everything"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert path.parent.name == "app", f"{path}:{node.lineno} prints"


def test_parts_stay_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {n} lines" for path in SOURCES if (n := len(path.read_text().splitlines())) > 420
    ]
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
                stores = all(isinstance(line, ast.Assign) for line in body)
                if length > 60 and not stores:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
        assert path.stem != "utils"
    assert not long, "\n".join(long)


def test_every_module_has_a_docstring_and_says_what_it_exports() -> None:
    for path, tree in trees():
        if path.name == "__init__.py" and not tree.body:
            continue
        assert ast.get_docstring(tree), f"{path} has no docstring"
        if path.name not in {"__main__.py", "__init__.py"}:
            names = [
                t.id
                for node in tree.body
                if isinstance(node, ast.Assign)
                for t in node.targets
                if isinstance(t, ast.Name)
            ]
            assert "__all__" in names, f"{path} has no __all__"


def test_importing_seqloom_and_its_help_load_nothing_heavy() -> None:
    code = (
        "import sys, seqloom, seqloom.app.commands as c; c.application(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_layers_load_little_beside_torch() -> None:
    """`import seqloom.nn` adds our own modules to torch's, and not torch's compiler, which takes as long again."""
    code = """
import sys, torch
before = set(sys.modules)
import seqloom.nn
print(*{name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
print(*{"torch._dynamo", "sympy", "scipy", "pandas"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"seqloom", "seqloom_runtime"}


def test_a_task_loads_without_the_others() -> None:
    code = "import sys, seqloom; seqloom.SequenceTagger; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "seqloom.tasks.tagging" in loaded
    assert (
        not {
            f"seqloom.tasks.{other}"
            for other in (
                "anomalies",
                "captions",
                "embedding",
                "forecast",
                "frames",
                "language",
                "records",
                "sequences",
                "text",
                "transcription",
                "translation",
            )
        }
        & loaded
    )
    assert not {"polars", "sklearn", "statsmodels", "scipy", "pandas", "altair"} & loaded


def test_public_surface() -> None:
    assert sorted(seqloom.__all__) == [
        "AnomalyDetector",
        "Captioner",
        "FilmClassifier",
        "Forecaster",
        "FrameModel",
        "FramePredictor",
        "LanguageModel",
        "Panel",
        "PictureClassifier",
        "RecordModel",
        "Seq2Seq",
        "SequenceClassifier",
        "SequenceRegressor",
        "SequenceSimilarity",
        "SequenceTagger",
        "TextClassifier",
        "Transcriber",
        "WordEmbedder",
        "WordVectors",
        "__version__",
        "accelerate",
        "compare_forecasters",
        "load",
        "read_table",
        "tune",
    ]
    for name in seqloom.__all__:
        assert getattr(seqloom, name) is not None
    with pytest.raises(AttributeError, match="Forcaster"):
        seqloom.Forcaster  # noqa: B018


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
    assert project["version"] == seqloom.__version__ == runtime["version"] == seqloom_runtime.__version__
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins if line}
    wanted = [
        *project["dependencies"],
        *runtime["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    names = {re.split(r"[\[<>=;\s]", d)[0].lower().replace("_", "-") for d in wanted} - {"seqloom"}
    assert names <= pinned, f"not pinned: {sorted(names - pinned)}"


def test_the_readme_map_is_true() -> None:
    text = (ROOT / "README.md").read_text()
    section = text.split("## Map", 1)[1].split("\n## ", 1)[0]
    paths = re.findall(r"^\| `([^`]+)`", section, flags=re.M)
    assert len(paths) > 20
    for path in paths:
        assert (ROOT / path).exists(), f"the map names {path}, which does not exist"
    packages = {p.parent.relative_to(ROOT).as_posix() + "/" for p in SOURCES if p.name == "__init__.py"}
    missing = packages - set(paths) - {"src/seqloom/", "runtime/src/seqloom_runtime/"}
    assert not missing, f"the map lacks {sorted(missing)}"


def test_documents_name_no_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".md", ".py", ".toml", ".cpp", ".h", ".txt", ".html", ".css", ".js"} and path.exists():
            assert str(ROOT.parent) + "/" not in path.read_text(encoding="utf-8"), name
