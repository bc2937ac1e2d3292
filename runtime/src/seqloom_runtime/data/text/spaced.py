"""Characters written with spaces between them, as in the character file of the Penn Treebank: `t h e _ c a t`."""

from __future__ import annotations

from ..decisions import Decision

__all__ = ["characters_apart", "join_characters", "joined_or_kept"]

_LEAST = 8  # characters: fewer may be a line of a list
_SAMPLE = 1 << 17  # characters that are looked at


def characters_apart(text: str) -> bool:
    """Whether a text is single characters with white space between them.

    >>> characters_apart("t h e _ c a t\\n s a t\\n"), characters_apart("the cat sat on a mat in a flat")
    (True, False)
    """
    seen = text[:_SAMPLE].split()
    return len(seen) >= _LEAST and all(len(word) == 1 for word in seen)


def join_characters(text: str) -> str:
    """The text without the spaces between its characters; each `_`, which stands for a space in such files, is one.

    >>> join_characters("t h e _ c a t\\n s a t\\n ")
    'the cat\\nsat\\n'
    """
    return text.replace(" ", "").replace("_", " ")


def joined_or_kept(text: str, level: str, join: bool = True) -> tuple[str, tuple[Decision, ...]]:
    """The text that the tokens of a level are taken from, and what to say where its characters stand apart."""
    if not characters_apart(text):
        return text, ()
    if level == "word":
        said = (
            "The words of the text are single characters, so each of them is a token, and perplexity is that of "
            "characters; say level='char' for bits per character."
        )
        return text, (Decision("level", said, option="level"),)
    if not join:
        return text, ()
    space = ", and _ is read as a space" if "_" in text else ""
    said = (
        f"The text's characters stand with spaces between them, which are left out{space}; say join_spaced=False to "
        "keep every character as it is."
    )
    return join_characters(text), (Decision("join_spaced", said, option="join_spaced"),)
