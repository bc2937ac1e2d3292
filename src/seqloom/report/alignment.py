"""Attention of what was written over what was read: a grid for each example, as HTML; all of it escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .markup import per_model
from .saved import SavedRun
from .style import hue
from .wording import fixed

__all__ = ["alignment_html"]


def alignment_html(run: SavedRun) -> str:
    """The weight of each source token for each written one, the best model's examples first."""
    held = run.held("alignment")
    return per_model([(name, "".join(map(_grid, examples))) for name, examples in held.items() if examples])


def _grid(example: Mapping[str, Any]) -> str:
    source = [str(token) for token in example["source"]]
    head = "".join(f'<th scope="col">{_shown(token)}</th>' for token in source)
    rows = [
        f'<tr><th scope="row">{_shown(str(token))}</th>{_cells(str(token), source, weights)}</tr>'
        for token, weights in zip(example["target"], example["weights"], strict=True)
    ]
    said = f"row {example.get('row', '')}: actual {example['actual']}, predicted {example['predicted']}"
    return (
        f'<p><b class="said">{escape(said)}</b></p><div class="scroll" tabindex="0"><table class="grid">'
        f"<caption>Columns: the source; rows: what is written.</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cells(token: str, source: Sequence[str], weights: Sequence[float]) -> str:
    cells = []
    for read, weight in zip(source, map(float, weights), strict=True):
        depth = min(1.0, max(0.0, weight)) if math.isfinite(weight) else 0.0
        title = escape(f"{token} ← {read}: {fixed(weight, 2)}")
        cells.append(f'<td class="w" style="--w:{depth:.3f};--h:{hue(0)}" title="{title}"></td>')
    return "".join(cells)


def _shown(token: str) -> str:
    """A token as a heading; a space can be seen."""
    return escape("␣" if token == " " else token)
