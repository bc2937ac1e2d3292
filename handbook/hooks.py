"""What mkdocs calls while it builds the site: pages that code makes, and scripts of no other host."""

from __future__ import annotations

import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files  # pyright: ignore[reportMissingImports] (of the docs extra)

from handbook.pages import drawn_pages, made_pages

ROOT = Path(__file__).resolve().parents[1]
# Loaded by the theme's script in browsers without them, or for diagrams that no page of ours has.
FOREIGN = re.compile(r"https://(?:unpkg\.com|api\.github\.com|fonts\.googleapis\.com|fonts\.gstatic\.com)/")
SHIM = "https://unpkg.com/iframe-worker/shim"
LICENSED = ("mkdocs-material", "mkdocs", "pygments")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures that are made by code."""
    for path, content in {**made_pages(ROOT), **drawn_pages()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Load the worker that lets the search run from a folder from the site itself."""
    return output.replace(SHIM, f"{'../' * page.file.dest_uri.count('/')}vendor/iframe-worker.js")


def on_post_build(config: Any) -> None:
    """Take addresses of other hosts out of the scripts, and put the licences of what is copied beside them."""
    site = Path(config["site_dir"])
    for script in site.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        if FOREIGN.search(text):
            script.write_text(FOREIGN.sub("unavailable/", text), encoding="utf-8")
    missing = site / "404.html"  # of which on_post_page is not told
    missing.write_text(missing.read_text("utf-8").replace(SHIM, "vendor/iframe-worker.js"), encoding="utf-8")
    for leftover in site.rglob("*.map"):
        leftover.unlink()
    folder = site / "licences"
    folder.mkdir(exist_ok=True)
    for name in LICENSED:
        package = distribution(name)
        files = [file for file in package.files or () if file.name.upper().startswith(("LICENSE", "LICENCE"))]
        text = "\n\n".join(Path(str(package.locate_file(file))).read_text(encoding="utf-8") for file in files)
        (folder / f"{name}.txt").write_text(f"{name} {package.version}\n\n{text}", encoding="utf-8")
