"""A random forest as arrays of numbers: kept in a file that can't run code, read without scikit-learn.

T trees with M nodes together, K classes, N texts, V columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..data import SparseRows
from ..errors import FormatError

__all__ = ["Forest"]

_CHUNK = 256  # rows that are made dense at a time


@dataclass(frozen=True, eq=False)
class Forest:
    """The nodes of all trees end to end.

    roots: (T,) node where each tree begins. left, right: (M,) the node that follows where the text's number in column
    `feature` is at most `threshold`, and else; both −1 at a leaf. share: (M, K) of the classes among the training texts
    that reached a node.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, trees: Any) -> Self:
        """From the trees of a fitted scikit-learn forest (their `tree_`)."""
        counts = np.array([tree.node_count for tree in trees])
        roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

        def moved(children: np.ndarray, root: int) -> np.ndarray:
            return np.where(children < 0, -1, children + root)

        shares = [tree.value[:, 0, :] for tree in trees]
        return cls(
            roots,
            np.concatenate([moved(t.children_left, r) for t, r in zip(trees, roots)]).astype(np.int32),
            np.concatenate([moved(t.children_right, r) for t, r in zip(trees, roots)]).astype(np.int32),
            # A leaf's column is −2 there; 0 is read and means nothing, as both ways from a leaf are −1.
            np.concatenate([np.maximum(t.feature, 0) for t in trees]).astype(np.int32),
            np.concatenate([t.threshold for t in trees]).astype(np.float64),
            np.concatenate([s / s.sum(axis=1, keepdims=True) for s in shares]).astype(np.float64),
        )

    def probabilities(self, bag: SparseRows) -> np.ndarray:
        """The mean over trees of the share at the leaf that each text ends in: (N, K)."""
        parts = [np.empty((0, self.share.shape[1]))]
        for start in range(0, len(bag), _CHUNK):
            x = _dense(bag, start, min(len(bag), start + _CHUNK))
            node = np.tile(self.roots, (len(x), 1))  # (rows, T)
            # All rows go down all trees at once, a level a turn; those at a leaf drop out.
            row, tree = np.nonzero(self.left[node] >= 0)
            while len(row):
                at = node[row, tree]
                small = x[row, self.feature[at]] <= self.threshold[at]
                after = np.where(small, self.left[at], self.right[at])
                node[row, tree] = after
                inside = self.left[after] >= 0
                row, tree = row[inside], tree[inside]
            parts.append(self.share[node].sum(axis=1) / len(self.roots))
        return np.concatenate(parts)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], columns: int, classes: int) -> Self:
        """The forest of `to_arrays`; raises FormatError unless every walk from a root ends at a leaf."""
        kinds = {"roots": "i8", "left": "i4", "right": "i4", "feature": "i4", "threshold": "f8", "share": "f8"}
        for name, kind in kinds.items():
            axes = 2 if name == "share" else 1
            if name not in arrays or arrays[name].dtype != np.dtype(kind) or arrays[name].ndim != axes:
                raise FormatError(f"model.safetensors: expected 'forest.{name}' with {axes} axes of {np.dtype(kind)}.")
        forest = cls(**{name: arrays[name] for name in kinds})
        nodes = len(forest.left)
        own = np.arange(nodes)
        inner = forest.left >= 0
        sizes = {len(forest.right), len(forest.feature), len(forest.threshold), len(forest.share)}
        good = sizes == {nodes} and nodes > 0 and len(forest.roots) > 0
        # Children lie behind their parent, so a walk can't turn in a circle.
        good = good and all(
            (side[inner] > own[inner]).all() and (side < nodes).all() for side in (forest.left, forest.right)
        )
        good = good and ((forest.right >= 0) == inner).all() and forest.share.shape[1] == classes
        good = good and ((forest.roots >= 0) & (forest.roots < nodes)).all()
        good = good and ((forest.feature >= 0) & (forest.feature < columns)).all()
        good = good and bool(np.isfinite(forest.threshold).all() and (forest.share >= 0).all())
        good = good and bool((np.abs(forest.share.sum(axis=1) - 1) < 1e-6).all())
        if not good:
            raise FormatError("model.safetensors: the arrays of 'forest' make no trees; save or copy the model again.")
        return forest


def _dense(bag: SparseRows, start: int, end: int) -> np.ndarray:
    """Rows start … end − 1 as (end − start, V) float32."""
    part = slice(bag.indptr[start], bag.indptr[end])
    # float32, in which scikit-learn compares with the thresholds: in float64 a text could take the other way.
    matrix = np.zeros((end - start, bag.width), dtype=np.float32)
    rows = np.repeat(np.arange(end - start), np.diff(bag.indptr[start : end + 1]))
    matrix[rows, bag.indices[part]] = bag.values[part]
    return matrix
