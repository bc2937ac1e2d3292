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
LOOKED_AT = (
    *(ast.Import, ast.ImportFrom, ast.Call, ast.Attribute, ast.keyword),
    *(ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef),
)
HEAVY = ("torch", "polars", "pandas", "altair", "vl_convert", "statsmodels", "scipy", "sklearn", "rich", "pyarrow")


def named(node: ast.AST) -> Iterator[str]:
    """The dotted names that an import statement loads."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names)


def of_node(path: Path, node: ast.AST) -> Iterator[tuple[str, str]]:
    """The rules that a node breaks, each with what is said of it."""
    place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
    for name in named(node):
        if "_native" in name.split(".") and path != RUNTIME / "native.py":
            yield "native", f"{place} imports the native module"
        if name.split(".")[0] in {"pickle", "dill", "joblib", "shelve", "marshal"}:
            yield "code", f"{place} imports {name}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in {"eval", "exec", "compile"}:
            yield "code", f"{place} calls {node.func.id}"
        if node.func.id == "print" and path.parent.name != "app":
            yield "silent", f"{place} prints"
    elif isinstance(node, ast.Attribute) and node.attr == "load" and ast.unparse(node) == "torch.load":
        yield "code", f"{place} calls torch.load"
    elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
        yield "code", f"{place} allows a pickle"
    elif isinstance(node, ast.ExceptHandler) and node.type is None:
        yield "silent", f"{place} catches everything"
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        length = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
        if length > 60 and not all(isinstance(line, ast.Assign) for line in body):
            yield "short", f"{place} {node.name}: {length} lines"


def of_file(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The rules that a file breaks as a whole."""
    where = path.relative_to(ROOT)
    if (lines := len(text.splitlines())) > 420:
        yield "short", f"{where}: {lines} lines"
    if path.stem == "utils":
        yield "short", f"{where}: no module is called utils"
    if path.name == "__init__.py" and not tree.body:
        return
    if not ast.get_docstring(tree):
        yield "told", f"{where} has no docstring"
    assigned = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    if path.name not in {"__main__.py", "__init__.py"} and not any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in assigned
    ):
        yield "told", f"{where} has no __all__"


def broken(sources: list[tuple[Path, str]]) -> dict[str, list[str]]:
    """Rule by rule, what breaks it; each file is parsed and walked once, and its tree dropped."""
    found: dict[str, list[str]] = {"native": [], "code": [], "silent": [], "short": [], "told": []}
    for path, text in sources:
        tree = ast.parse(text)
        told = (pair for node in ast.walk(tree) if isinstance(node, LOOKED_AT) for pair in of_node(path, node))
        for rule, said in (*of_file(path, text, tree), *told):
            found[rule].append(said)
    return found


@pytest.fixture(scope="module")
def breaches() -> dict[str, list[str]]:
    """What breaks a rule in the package's sources."""
    return broken([(path, path.read_text(encoding="utf-8")) for path in SOURCES])


@pytest.mark.parametrize("rule", ["native", "code", "silent", "short", "told"])
def test_no_source_breaks(rule: str, breaches: dict[str, list[str]]) -> None:
    assert not breaches[rule], "\n".join(breaches[rule])


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        *[("native", "from seqloom_runtime import _native"), ("native", "import seqloom_runtime._native")],
        *[("code", "import pickle"), ("code", "from joblib import load"), ("code", "eval('1')"), ("code", "exec('1')")],
        *[("code", "torch.load('f')"), ("code", "np.load('f', allow_pickle=True)")],
        *[("silent", "print(1)"), ("silent", "try: pass\nexcept: pass")],
        *[("short", "def f():\n" + " f()\n" * 61), ("short", "\n" * 421)],
    ],
)
def test_a_line_that_breaks_a_rule_is_found(rule: str, line: str) -> None:
    found = broken([(ROOT / "src" / "seqloom" / "nn" / "made.py", f'"""Made."""\n__all__ = []\n{line}\n')])
    assert [name for name, said in found.items() if said] == [rule]


def test_a_file_that_breaks_a_rule_is_found() -> None:
    folder = ROOT / "src" / "seqloom" / "nn"
    assert broken([(folder / "made.py", "__all__ = []\n")])["told"] == ["src/seqloom/nn/made.py has no docstring"]
    assert broken([(folder / "made.py", '"""Made."""\n')])["told"] == ["src/seqloom/nn/made.py has no __all__"]
    assert broken([(folder / "utils.py", '"""Made."""\n__all__ = []\n')])["short"]
    assert not any(broken([(folder / "__init__.py", "")]).values())


def test_importing_seqloom_and_its_help_load_nothing_heavy() -> None:
    code = (
        "import sys, seqloom, seqloom.app.commands as c; c.application(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def loading() -> list[set[str]]:
    """What `import seqloom.nn` loads beside torch, what it must not, and what is loaded once a task is asked for."""
    code = """
import sys, torch
before = set(sys.modules)
import seqloom.nn
print(*{name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
print(*{"torch._dynamo", "sympy", "scipy", "pandas"} & set(sys.modules))
import seqloom
seqloom.SequenceTagger
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.split("\n")[:3]]


def test_layers_load_little_beside_torch(loading: list[set[str]]) -> None:
    """`import seqloom.nn` adds our own modules to torch's, and not torch's compiler, which takes as long again."""
    assert loading[:2] == [{"seqloom", "seqloom_runtime"}, set()]


def test_a_task_loads_without_the_others(loading: list[set[str]]) -> None:
    loaded = loading[2]
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
