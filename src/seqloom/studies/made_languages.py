"""English sentences and their German, made by a small grammar: gender, case, verb second and verb last, names.

What a word for word translation gets wrong is all there is: articles and adjectives agree with the noun's gender and
case, the verb stands second (behind whatever opens the sentence) or last, a perfect tense is two words far apart.
"""

from __future__ import annotations

import numpy as np

from ..training import derive_seed

__all__ = ["made_sentences"]

Pairs = tuple[list[str], list[str]]

# English, German, gender; living things act, and anything is acted upon.
_LIVING = (
    *(("dog", "Hund", "m"), ("cat", "Katze", "f"), ("child", "Kind", "n"), ("teacher", "Lehrer", "m")),
    *(("doctor", "Ärztin", "f"), ("horse", "Pferd", "n"), ("neighbour", "Nachbar", "m"), ("girl", "Mädchen", "n")),
)
_THINGS = (
    *(("apple", "Apfel", "m"), ("bread", "Brot", "n"), ("letter", "Brief", "m"), ("lamp", "Lampe", "f")),
    *(("book", "Buch", "n"), ("ball", "Ball", "m"), ("flower", "Blume", "f"), ("map", "Karte", "f")),
)
_ADJECTIVES = (
    *(("old", "alt"), ("small", "klein"), ("new", "neu"), ("big", "groß"), ("red", "rot"), ("good", "gut")),
    *(("quiet", "leis"), ("strange", "fremd")),
)
# English now, English perfect, German now, German participle.
_VERBS = (
    *(("sees", "seen", "sieht", "gesehen"), ("finds", "found", "findet", "gefunden")),
    *(("buys", "bought", "kauft", "gekauft"), ("takes", "taken", "nimmt", "genommen")),
    *(("carries", "carried", "trägt", "getragen"), ("seeks", "sought", "sucht", "gesucht")),
    *(("forgets", "forgotten", "vergisst", "vergessen"), ("brings", "brought", "bringt", "gebracht")),
)
_WHEN = (("today", "heute"), ("in the morning", "am Morgen"), ("at home", "zu Hause"), ("sometimes", "manchmal"))
_ARTICLES = {
    ("the", "subject"): {"m": "der", "f": "die", "n": "das"},
    ("the", "object"): {"m": "den", "f": "die", "n": "das"},
    ("a", "subject"): {"m": "ein", "f": "eine", "n": "ein"},
    ("a", "object"): {"m": "einen", "f": "eine", "n": "ein"},
}
_ENDINGS = {
    ("the", "subject"): {"m": "e", "f": "e", "n": "e"},
    ("the", "object"): {"m": "en", "f": "e", "n": "e"},
    ("a", "subject"): {"m": "er", "f": "e", "n": "es"},
    ("a", "object"): {"m": "en", "f": "e", "n": "es"},
}
_SIZES = {"train": 12_000, "valid": 500, "test": 1_000, "names": 500}
_NAMED = 0.3  # share of subjects that are names


def made_sentences(divisor: int = 1) -> dict[str, Pairs]:
    """Training, validation and test pairs, no source in two parts; "names": test pairs with a name that is in no other.

    >>> sources, targets = made_sentences(1000)["test"]
    >>> print(sources[0], targets[0], sep="\\n")
    the cat brings the big girl because the strange neighbour buys the ball.
    die Katze bringt das große Mädchen, weil der fremde Nachbar den Ball kauft.
    """
    draw = np.random.default_rng(derive_seed(0, "sentences"))
    found: dict[str, Pairs] = {}
    seen: set[str] = set()
    for part, size in _SIZES.items():
        pairs: Pairs = ([], [])
        while len(pairs[0]) < max(20, size // divisor):
            source, target = _sentence(draw, named=1.0 if part == "names" else _NAMED)
            if source not in seen:
                seen.add(source)
                pairs[0].append(source)
                pairs[1].append(target)
        found[part] = pairs
    return found


def _sentence(draw: np.random.Generator, *, named: float) -> tuple[str, str]:
    """A main clause, or a short one with a reason behind it whose verb stands last in German."""
    subject, german_subject = _someone(draw, named)
    english, verb, rest = _says(draw)
    if draw.random() < 0.3:
        other, german_other = _someone(draw, 0.0)
        because, last, objects = _says(draw)
        return (
            f"{subject} {english} because {other} {because}.",
            f"{german_subject} {verb} {' '.join(rest)}, weil {german_other} {' '.join(objects)} {last}.",
        )
    if draw.random() < 0.4:
        when, german_when = _one(draw, _WHEN)
        return f"{when} {subject} {english}.", f"{german_when} {verb} {german_subject} {' '.join(rest)}."
    return f"{subject} {english}.", f"{german_subject} {verb} {' '.join(rest)}."


def _says(draw: np.random.Generator) -> tuple[str, str, list[str]]:
    """What is done: the English; the German verb that bends; what stands between it and the end."""
    now, perfect, german_now, participle = _one(draw, _VERBS)
    thing, german_thing = _noun(draw, _THINGS if draw.random() < 0.7 else _LIVING, "object")
    if draw.random() < 0.4:
        return f"has {perfect} {thing}", "hat", [german_thing, participle]
    return f"{now} {thing}", german_now, [german_thing]


def _someone(draw: np.random.Generator, named: float) -> tuple[str, str]:
    if draw.random() < named:
        name = _name(draw)
        return name, name
    return _noun(draw, _LIVING, "subject")


def _noun(draw: np.random.Generator, nouns: tuple[tuple[str, str, str], ...], case: str) -> tuple[str, str]:
    english, german, gender = _one(draw, nouns)
    article = ("the", "a")[int(draw.integers(2))]
    before = _ARTICLES[article, case][gender]
    if draw.random() < 0.5:
        adjective, stem = _one(draw, _ADJECTIVES)
        indefinite = "an" if article == "a" and adjective[0] in "aeiou" else article
        return f"{indefinite} {adjective} {english}", f"{before} {stem}{_ENDINGS[article, case][gender]} {german}"
    indefinite = "an" if article == "a" and english[0] in "aeiou" else article
    return f"{indefinite} {english}", f"{before} {german}"


def _name(draw: np.random.Generator) -> str:
    """One of some 200,000 names, so that most are met once."""
    consonants, vowels = "bdfgklmnprstvw", "aeiou"
    letters = [consonants[int(draw.integers(14))] + vowels[int(draw.integers(5))] for _ in range(3)]
    return "".join(letters).capitalize()


def _one(draw: np.random.Generator, among: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return among[int(draw.integers(len(among)))]
