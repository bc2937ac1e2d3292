"""The pages of the site that code makes: the zoo, the documents of the repository's root, the reference."""

from __future__ import annotations

import re
from pathlib import Path

from handbook.commands_page import commands_page
from handbook.steps import STEPS, step_page
from handbook.systems import GROUPS, page_of, systems
from seqloom import zoo

__all__ = ["drawn_pages", "made_pages"]

_ROOT_PAGES = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
}
"""Documents of the repository's root → their page."""
_LINK = re.compile(r"\]\(docs/([\w./-]+)\)")
_REFERENCE = {
    "seqloom": ("The package", "Everything a notebook needs: estimators, reading, comparing, saving.", ("seqloom",)),
    "nn": ("Layers", "Recurrent layers, convolutions and what belongs to them, as torch modules.", ("seqloom.nn",)),
    "data": ("Data", "Reading tables, panels, windows, splits, sequences and texts.", ("seqloom.data",)),
    "diagnostics": ("Diagnostics", "Baselines, scores, leakage checks.", ("seqloom.diagnostics",)),
    "images": ("Image networks", "LeNet-5 to ResNet-152, and their blocks.", ("seqloom.nn.images",)),
    "zoo": ("The zoo", "Small trained models that come with the package.", ("seqloom.zoo",)),
}


def made_pages(root: Path) -> dict[str, str]:
    """Path within the site's sources → what stands there."""
    pages = {page: _LINK.sub(r"](../\1)", (root / name).read_text("utf-8")) for name, page in _ROOT_PAGES.items()}
    pages["zoo.md"] = zoo_page()
    pages["api/commands.md"] = commands_page()
    pages["gallery/index.md"] = gallery_page()
    for name, (title, about, modules) in _REFERENCE.items():
        blocks = "\n\n".join(reference_block(module) for module in modules)
        pages[f"api/{name}.md"] = f"# {title}\n\n{about}\n\n{blocks}\n"
    return pages


def drawn_pages() -> dict[str, str]:
    """The pages whose code is run to make them."""
    pages = {f"gallery/{group}.md": page_of(group) for group in GROUPS}
    return pages | {f"cells/{name}.md": step_page(name) for name in STEPS}


def reference_block(module: str) -> str:
    """What mkdocstrings makes a reference of: each public name of a module."""
    import importlib

    names = [name for name in importlib.import_module(module).__all__ if not name.startswith("_")]
    return "\n\n".join(f"::: {module}.{name}" for name in names)


def zoo_page() -> str:
    """The cards of the zoo."""
    lines = [
        "# The zoo",
        "",
        "Small trained models that come with the package and open without a network: `seqloom zoo` lists them,",
        "`seqloom predict zoo:NAME`, `seqloom generate zoo:NAME` and `seqloom inspect zoo:NAME` open one, as does",
        "`seqloom.zoo.load(NAME)`. Each is made again by the command of its card.",
        "",
        "| name | what it does | parameters | KB |",
        "|---|---|---:|---:|",
    ]
    cards = [zoo.card(name) for name in zoo.names()]
    lines += [f"| [{c.name}](#{c.name}) | {c.title} | {c.parameters:,} | {c.bytes / 1000:,.0f} |" for c in cards]
    for card in cards:
        facts = {
            "model": f"`{card.estimator}`: {card.architecture}",
            "data": card.data,
            "licence": card.licence,
            "size": f"{card.parameters:,} parameters, {card.bytes:,} bytes",
            "made by": f"`{card.command}` ({', '.join(f'{name} {value}' for name, value in card.made.items())})",
        }
        lines += ["", f"## {card.name}", "", f"{card.title}.", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in facts.items()]
        lines += [f"| score | {text} |" for text in card.score_texts()]
        lines += [f"| limit | {text} |" for text in card.limits]
        lines += ["", "```bash", *card.tries, "```"]
    return "\n".join(lines) + "\n"


def gallery_page() -> str:
    """Every system by group, with a link to its place."""
    lines = [
        "# Gallery",
        "",
        "Every system of the field, with the code that shows it and the picture that this code made when the page was",
        "built. The assertions in the code are the published facts. The code runs in the folder of the repository:",
        "its `handbook/draw.py` draws; `python -m handbook.systems A1 > a1.svg` writes one picture.",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"## {title}", ""]
        lines += [f"- [{each.id} · {each.title}]({group}.md#{each.id.lower()})" for each in systems(group)]
    return "\n".join(lines) + "\n"
