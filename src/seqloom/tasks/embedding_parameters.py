"""The parameters that word vectors alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from seqloom_runtime.limits import LARGEST

from .constraints import Numeric
from .parameter import Parameter

__all__ = ["EMBEDDING"]

EMBEDDING = (
    Parameter(
        "negatives",
        Numeric(1, 1000, whole=True),
        5,
        "Negative sampling (skip-gram, cbow): words drawn by chance for each right one",
        source="gensim: Word2Vec(negative=); Mikolov et al. (2013), arXiv 1310.4546",
    ),
    Parameter(
        "subsample",
        Numeric(0, 1),
        1e-3,
        "Subsampling of frequent words (skip-gram, cbow): the frequency above which some are left out, 0 for none",
        source="gensim: Word2Vec(sample=); Mikolov et al. (2013), arXiv 1310.4546",
    ),
    Parameter(
        "x_max",
        Numeric(0, LARGEST, open_low=True),
        100.0,
        "Count of co-occurrence from which GloVe weighs pairs alike",
        source="Pennington et al. (2014)",
    ),
)
"""In the order of the glossary."""
