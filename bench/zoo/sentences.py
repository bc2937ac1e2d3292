"""Sentences of a made assistant with their tags, from templates: nothing in them comes from a corpus."""

from __future__ import annotations

import numpy as np

__all__ = ["HELD_OUT", "made_sentences"]

_TEMPLATES = (
    "wake me up at {time} {day}",
    "set an alarm for {time}",
    "remind me to {task} {day} at {time}",
    "remind {person} to {task}",
    "please remind me at {time} that i have to {task}",
    "call {person}",
    "call {person} at {time}",
    "send a message to {person} saying i will be late",
    "play {music} in the {room}",
    "play some {music}",
    "turn on the {device} in the {room}",
    "turn off the {device}",
    "switch the {device} in the {room} off at {time}",
    "what is the weather in {city} {day}",
    "will it rain in {city} {day}",
    "how far is it from {city} to {city}",
    "find a train from {city} to {city} {day} at {time}",
    "book a table for {number} at {place} {day}",
    "book a table at {place} for {number} people at {time}",
    "is {place} open {day}",
    "invite {person} and {person} to {place}",
    "set the {device} in the {room} to {number} degrees",
    "add {thing} to my shopping list",
    "add {number} {thing} to the list for {day}",
    "buy {thing} and {thing}",
    "is there any {thing} left",
)
_WORDS = {
    "day": ("today", "tomorrow", "on monday", "on tuesday", "on wednesday", "on friday evening", "next sunday"),
    "time": ("seven", "half past eight", "noon", "six in the evening", "ten thirty", "quarter to nine", "midnight"),
    "number": ("two", "three", "four", "six", "nineteen", "twenty one"),
    "task": ("water the plants", "call the bank", "pay the rent", "feed the cat", "return the books", "buy stamps"),
    "room": ("kitchen", "living room", "bedroom", "bathroom", "hall", "garage"),
    "device": ("lights", "heating", "fan", "radio", "lamp", "coffee machine"),
    "music": ("jazz", "piano music", "old songs", "slow blues", "something quiet", "organ music"),
    "thing": ("milk", "brown bread", "apples", "green tea", "rice", "olive oil", "eggs", "butter"),
}
_FIRST = ("mar", "tor", "bel", "lin", "ost", "gran", "wes", "hal", "ulm", "fen", "cor", "dun", "ari", "sel", "bran")
_LAST = ("ton", "burg", "ville", "ham", "mouth", "by", "stad", "ford", "field", "a", "wick", "port")
_CALLED = ("ann", "ben", "carl", "dora", "emil", "flora", "gus", "hanna", "ivo", "jane", "karl", "lena", "max", "nora")
_SURNAMES = ("berg", "field", "stone", "wood", "hill", "brook", "moor", "lake")
_ADJECTIVES = ("golden", "old", "red", "silver", "green", "little", "blue", "white")
_SIGNS = ("lion", "mill", "harbour", "garden", "bridge", "anchor", "rose", "barrel")
HELD_OUT = 5
"""Each fifth name of a city, a person or a place stands in test sentences alone."""


def _names(draw: np.random.Generator) -> dict[str, list[str]]:
    """Made names by kind, in an order of their own."""
    made = {
        "city": [first + last for first in _FIRST for last in _LAST],
        "person": [*_CALLED, *(f"{first}{last[:2]} {last}" for first in _CALLED for last in _SURNAMES)],
        "place": [f"the {adjective} {sign}" for adjective in _ADJECTIVES for sign in _SIGNS],
    }
    return {kind: draw.permutation(sorted(set(names))).tolist() for kind, names in made.items()}


def made_sentences(count: int, part: str, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Words and their BIO tags of `count` sentences; "test" takes its names from those that "train" never shows.

    >>> words, tags = made_sentences(1, "train")
    >>> len(words[0]) == len(tags[0])
    True
    """
    draw = np.random.default_rng(seed)
    words = {kind: list(values) for kind, values in _WORDS.items()}
    for kind, names in _names(draw).items():
        held = names[::HELD_OUT]
        words[kind] = held if part == "test" else [name for name in names if name not in held]
    draw = np.random.default_rng([seed, len(part)])
    sentences, tags = [], []
    for _ in range(count):
        sentence, tagged = [], []
        for piece in _TEMPLATES[draw.integers(len(_TEMPLATES))].split():
            if piece.startswith("{"):
                kind = piece[1:-1]
                named = words[kind][draw.integers(len(words[kind]))].split()
                sentence += named
                tagged += [f"B-{kind}", *[f"I-{kind}"] * (len(named) - 1)]
            else:
                sentence.append(piece)
                tagged.append("O")
        sentences.append(sentence)
        tags.append(tagged)
    return sentences, tags
