"""The words that users meet: the field's own; figures with their leading zero; flags on the command line alone.

Every string of the package is read, docstrings included (help and reference are made of them), and every document.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqloom

PACKAGE = Path(seqloom.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

INSTEAD = {
    "kept aside": "a held-out 20 %",
    "never on both sides": "duplicates never cross the split",
    "at last": "test set: never used for training or selection",
    "what training makes small": "training loss",
    "one row each so often": "use every N-th row",
    "pull of the weights": "weight decay",
    "longest gradient": "maximum gradient norm (clipping)",
    "numbers that stand for a word": "embedding dimension",
    "go on with:": "resume with:",
    "times in 100": "no significant difference (paired sign test, p = 0.37)",
    "what is taken for what": "confusion matrix",
    "as promised": "perfectly calibrated",
    "what was the case": "mean −log p(true class)",
    "takes an eleventh": "11× faster",
    "two fifths": "2.4× faster",
    "words right": "token accuracy",
    "digits right": "digit accuracy",
    "as misprinted": "MSE with broadcasting bug",
    "running on alone": "free-running",
}
"""A phrase that says it in a way of its own → what the field says."""
_PHRASE = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, INSTEAD))})", re.IGNORECASE)
# A point that opens a number; not a format such as ".3f" or ".1%", a version, a file's ending, or zeros of a second.
_NO_ZERO = re.compile(r"(?:^|(?<=[\s(=≥≤<>–±/\"']))\.\d*[1-9]\d*(?![\w%~])")
_FLAG = re.compile(r"(?<![\w(-])--[a-z]{2}")  # var(--ink) is a colour
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def odd_words(text: str) -> list[str]:
    """What of a text should be said otherwise, and how."""
    found = [f"{m[0]!r}: write {INSTEAD[m[0].lower()]!r}" for m in _PHRASE.finditer(text)]
    return found + [f"{m[0]!r}: write '0{m[0]}'" for m in _NO_ZERO.finditer(text)]


def strings(path: Path, *, documents: bool = True) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines; without `documents` none of its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (documents or id(node) not in told):
            yield node.lineno, node.value


def folders() -> list[str]:
    return sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")})


@pytest.mark.parametrize("folder", folders())
def test_strings_are_in_the_words_of_the_field(folder: str) -> None:
    place = PACKAGE / folder
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        odd = [(line, said) for line, text in strings(path) for said in odd_words(text)]
        assert not odd, path


@pytest.mark.parametrize("path", [*DOCUMENTS, PACKAGE / "report" / "page.js"], ids=lambda path: path.name)
def test_documents_are_in_the_words_of_the_field(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not odd_words(text if path.suffix == ".js" else _CODE.sub("", text))


@pytest.mark.parametrize("folder", [name for name in folders() if name != "app"])
def test_the_library_names_no_flags(folder: str) -> None:
    """Errors of the library name parameters; only the command line says which flag that is."""
    place = PACKAGE / folder
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        # These write what a command line reads: the flag of a parameter, a command that repeats a run, espeak-ng's.
        if not path.name.endswith("parameters.py") and path.name not in ("wording.py", "speaking.py"):
            odd = [(line, text) for line, text in strings(path, documents=False) if _FLAG.search(text)]
            assert not odd, path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("F1 .966 on a fifth", "0.966"),
        ("dropout=.5", "0.5"),
        ("(.85 to .89)", "0.85"),
        ("Equal messages are Never on both sides.", "never cross the split"),
        ("tested at last", "never used for training"),
        ("Interrupted; go on with: seqloom", "resume with"),
    ],
)
def test_odd_words_are_caught(text: str, said: str) -> None:
    assert any(said in found for found in odd_words(text))


@pytest.mark.parametrize("text", ["0.966", ".1%", "v1.2", "a.5", ".000000", "--at last", "that last", "data.csv"])
def test_other_words_pass(text: str) -> None:
    assert not odd_words(text)


@pytest.mark.parametrize(("text", "flag"), [("--data: expected", True), ("var(--ink)", False), ("--w:1", False)])
def test_flags_are_told_from_colours(text: str, flag: bool) -> None:
    assert bool(_FLAG.search(text)) == flag
