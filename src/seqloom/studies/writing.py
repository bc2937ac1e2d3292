"""Writes what a study found: results.json, a Markdown table, charts, and one page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from seqloom_runtime.errors import brief
from seqloom_runtime.files import remove_temporaries, write_bytes, write_json, write_text

from ..report.missing import attempt
from ..report.style import DARK, LIGHT, css_variables
from .pictures import Picture, png, svg
from .results import Results

__all__ = ["write_pictures", "write_results"]

_LONGEST = 1_000  # characters of a sentence or a cell, such as why a row failed
_CSS = """
body{margin:0 auto;max-width:1120px;padding:1rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,'Liberation Sans',Arial,sans-serif}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.sub,.note{color:var(--muted)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
tbody th,td span{white-space:nowrap}.spread{color:var(--muted)}table{font-size:.92rem}p{margin:.45rem 0}
th:first-child,td:first-child{text-align:left}thead th{color:var(--muted);font-weight:normal}
svg{max-width:100%;height:auto}figure{margin:1rem 0}
"""


def write_results(results: Results, root: Path) -> None:
    """Write results.json and results.md of what is done so far."""
    write_json(root / "results.json", results.to_json())
    write_text(root / "results.md", markdown(results))


def markdown(results: Results) -> str:
    """Title, table, sentences and remarks as Markdown."""
    study = results.study
    parts = [f"# {study.title}\n", *(f"{line}\n" for line in results.about), results.table().markdown()]
    parts += [_listed(lines) for lines in (results.sentences(), results.remarks()) if lines]
    return "\n".join(parts)


def write_pictures(results: Results, root: Path) -> None:
    """Draw the study's pictures as charts/*.svg and charts/*.png, and write report.html.

    A picture that can't be drawn is left out; the page says which and why.
    """
    done = any(True for _ in results.done())
    pictures, reason = attempt(lambda: list(results.study.draw(results)) if done else [])
    missing = [f"The charts are missing, because they could not be drawn ({reason})."] if reason else []
    drawn = []
    for picture in pictures or []:
        found, reason = attempt(lambda picture=picture: (svg(picture), png(picture)))
        if found is None:
            missing.append(f"The chart “{picture.heading}” is missing, because it could not be drawn ({reason}).")
        else:
            drawn.append((picture, *found))
    folder = root / "charts"
    if drawn:
        folder.mkdir(exist_ok=True)
    # Of a process that was killed while it drew; the lock is ours, so nobody else's are among them.
    remove_temporaries(folder)
    remove_temporaries(root, "report.html")
    for picture, as_svg, as_png in drawn:
        write_text(folder / f"{picture.name}.svg", as_svg)
        write_bytes(folder / f"{picture.name}.png", as_png)
    write_text(root / "report.html", page(results, [picture for picture, _, _ in drawn], missing))


def page(results: Results, pictures: Sequence[Picture], missing: Sequence[str] = ()) -> str:
    """One HTML page without scripts: the charts are inside it, in the colours of the reader's light or dark theme.

    `missing` says which charts could not be drawn.
    """
    study = results.study
    colours = (
        f":root{{color-scheme:light dark;{css_variables(LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}"
    )
    # The page shows texts from data files. With this policy nothing that got into it could load or run anything.
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{escape(study.title)}</title>\n'
        f"<style>{colours}{_CSS}</style>\n</head>\n<body>\n"
    )
    body = [f"<h1>{escape(study.title)}</h1>", *(f'<p class="sub">{escape(line)}</p>' for line in results.about)]
    body += [_table(results), *_paragraphs(results.sentences(), "answer")]
    for picture in pictures:
        caption = f'<figcaption class="note">{escape(picture.reading)}</figcaption>'
        body.append(f"<h2>{escape(picture.heading)}</h2>\n<figure>{svg(picture, themed=True)}{caption}</figure>")
    body += _paragraphs([*missing, *results.remarks()], "note")
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def _table(results: Results) -> str:
    table = results.table()
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(map(_cell, row[1:])) + "</tr>" for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Results"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """A cell whose spread, "(lowest–highest)", goes to a line of its own before it is broken."""
    middle, bracket, spread = brief(text, _LONGEST).partition(" (")
    behind = f' <span class="spread">({escape(spread)}</span>' if bracket else ""
    return f"<td><span>{escape(middle)}</span>{behind}</td>"


def _paragraphs(lines: Sequence[str], kind: str) -> list[str]:
    return [f'<p class="{kind}">{escape(brief(line, _LONGEST))}</p>' for line in lines]


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {brief(line, _LONGEST)}" for line in lines) + "\n"
