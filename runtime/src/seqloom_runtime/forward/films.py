"""Bodies of films: a small convolutional network reads each frame, a recurrent one the frames in order."""

from __future__ import annotations

from .bodies import directions_width
from .film_body import FILM_CHANNELS, FilmBody
from .registry import BodyKind, register_body
from .spec import CELL

__all__ = ["FILM_CHANNELS"]

for _name in ("rnn", "gru", "lstm"):
    register_body(
        BodyKind(
            f"frame-{_name}",
            FilmBody,
            options=(
                *("units", "layers", "bidirectional", "activation", "input_dropout", "recurrent_dropout"),
                *("between_dropout", *CELL, "pooling", "reverse", "picture"),
            ),
            width=directions_width,
        )
    )
