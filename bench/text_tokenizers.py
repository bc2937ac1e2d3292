"""Words per second of one thread: a million short texts, ours beside Keras and scikit-learn, and our file readers.

Run `python -m bench.text_tokenizers [TEXTS]`; every row is the median CPU time of interleaved rounds in one process.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from seqloom_runtime.data.text import CharTokenizer, SubwordTokenizer, WordTokenizer, pad_sequences

__all__ = ["main"]

WORDS_PER_TEXT = 8


def made(count: int) -> list[str]:
    """Short texts with punctuation and capitals, words drawn by Zipf's law from 50,000."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    names = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(50_000)]
    draw = np.minimum(rng.zipf(1.2, (count, WORDS_PER_TEXT)) - 1, len(names) - 1)
    return [" ".join(names[place] for place in row).capitalize() + "." for row in draw.tolist()]


def candidates(texts: list[str]) -> dict[str, Callable[[], object]]:
    """What is timed."""
    words = WordTokenizer(max_words=10_000).fit(texts)
    characters = CharTokenizer().fit(texts[:10_000])
    ids = words.encode(texts)
    part = texts[: len(texts) // 10]
    subwords = SubwordTokenizer(size=4_000).fit(part)
    found: dict[str, Callable[[], object]] = {
        "words: fit": lambda: WordTokenizer(max_words=10_000).fit(texts),
        "words: encode": lambda: words.encode(texts),
        "pad_sequences": lambda: pad_sequences(ids, 16),
        "characters: encode (a tenth)": lambda: characters.encode(part),
        "subwords: encode (a tenth)": lambda: subwords.encode(part),
    }
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = importlib.import_module("keras.src.legacy.preprocessing.text")
    theirs = keras.Tokenizer(num_words=10_002, oov_token="<unk>")
    theirs.fit_on_texts(part)
    sklearn = importlib.import_module("sklearn.feature_extraction.text")
    counter = sklearn.CountVectorizer(max_features=10_000).fit(part)
    found["Keras Tokenizer: encode (a tenth)"] = lambda: theirs.texts_to_sequences(part)
    found["scikit-learn CountVectorizer: transform (a tenth)"] = lambda: counter.transform(part)
    return found


def main() -> int:
    """Print words per second for each candidate."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    tasks = candidates(made(count))
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(5):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            seconds[name].append(time.process_time() - start)
    for name, rounds in seconds.items():
        words = count * WORDS_PER_TEXT / (10 if "a tenth" in name else 1)
        print(f"{name:52s} {words / statistics.median(rounds):12,.0f} words/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
