"""Small labelled texts and settings for the tests of the text classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom import TextClassifier
from seqloom.tasks.text import MODELS

__all__ = ["MODELS", "NETWORKS", "SMALL", "classifier_of", "reviews"]

NETWORKS = tuple(name for name in MODELS if name not in ("majority", "bow", "bow-forest"))
SMALL: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.02,
    "max_length": 12,
    "embedding_size": 6,
    "units": 4,
    "kernel_size": 3,
    "trees": 7,
    "dropout": 0.2,
    "embedding_dropout": 0.1,
}
_TOPICS = {
    "sport": ["goal", "team", "match", "coach", "won"],
    "food": ["soup", "bread", "salt", "oven", "taste"],
    "money": ["bank", "price", "stock", "euro", "tax"],
}


def reviews(count: int = 90, classes: int = 2, seed: int = 3) -> tuple[list[str], list[str]]:
    """Texts of one to four sentences about one topic each, with common words between; labels are the topics."""
    draw = np.random.default_rng(seed)
    topics = list(_TOPICS)[:classes]
    texts, labels = [], []
    for number in range(count):
        topic = topics[number % classes]
        sentences = []
        for _ in range(draw.integers(1, 5)):
            words = draw.choice(["the", "a", "was", "and", "very", "it"], draw.integers(1, 5)).tolist()
            words.insert(int(draw.integers(0, len(words) + 1)), str(draw.choice(_TOPICS[topic])))
            sentences.append(" ".join(words).capitalize() + ".")
        texts.append(" ".join(sentences))
        labels.append(topic)
    return texts, labels


def classifier_of(model: str, **changes: Any) -> TextClassifier:
    return TextClassifier(**{**SMALL, "model": model, **changes})
