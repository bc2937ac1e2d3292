"""The examples of a page, extracted and run as a reader would: `python -m handbook.blocks` runs those of every page.

The blocks of a page are run in their order in one empty folder; those in Python share their names. `text` is output.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks_of", "run_page"]

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = ("python", "bash", "text")
INSTALL = ("make forecast", ". .venv/bin/activate", "pip install ")
"""How the lines of an installation begin; whoever runs the examples has it behind them."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line of the page that it begins on."""

    language: str
    code: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page; raises ValueError for a language that nothing runs."""
    text = page.read_text(encoding="utf-8")
    found = [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in _FENCE.finditer(text)]
    odd = [block for block in found if block.language not in LANGUAGES]
    if odd or text.count("```") != 2 * len(found):
        where = f"line {odd[0].line} is {odd[0].language}" if odd else "a fence has no language or no end"
        raise ValueError(f"{page}: expected blocks of {', '.join(LANGUAGES)}; {where}.")
    return found


def run_page(
    page: Path, folder: Path, call: Callable[[list[str]], None], shorten: Callable[[str], str] = lambda code: code
) -> None:
    """Run the blocks of a page in `folder`; `call` runs a command line, `shorten` may change a block before it runs."""
    names: dict[str, object] = {"__name__": "__main__"}
    with contextlib.chdir(folder):
        for block in blocks_of(page):
            if block.language == "python":
                # Lines of the page, so that a traceback names them.
                code = "\n" * (block.line - 1) + shorten(block.code)
                exec(compile(code, str(page), "exec"), names)
            elif block.language == "bash":
                for line in _lines(shorten(block.code)):
                    call(shlex.split(line))


def _lines(code: str) -> Iterator[str]:
    for line in code.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith(INSTALL):
            yield line


def _in_a_process(command: list[str]) -> None:
    here = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")


def main() -> None:
    for page in PAGES:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
            run_page(page, Path(folder), _in_a_process)
        print(f"{page.relative_to(ROOT)}: every example ran ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
