"""Messages between the server and its worker processes: JSON, and behind it bodies as they are.

A frame is two lengths of four bytes, of the JSON and of all bodies, then these. Both ends are this program.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from .jobs import Answer, Request

__all__ = ["HEAD", "answers_of", "frame", "lengths", "requests_of", "told_answers", "told_requests"]

HEAD = 8
_LENGTHS = struct.Struct("<II")


def frame(told: dict[str, Any], bodies: Sequence[bytes] = ()) -> bytes:
    """A message with its bodies."""
    text = orjson.dumps(told)
    return b"".join([_LENGTHS.pack(len(text), sum(map(len, bodies))), text, *bodies])


def lengths(head: bytes) -> tuple[int, int]:
    """Bytes of JSON and of bodies that follow these eight."""
    text, bodies = _LENGTHS.unpack(head)
    return text, bodies


def told_requests(requests: Sequence[Request]) -> tuple[list[Any], list[bytes]]:
    """Requests as JSON, and their bodies."""
    told = [[r.kind, r.head, r.content, r.csv, dict(r.options or {}), r.shape, len(r.body)] for r in requests]
    return told, [request.body for request in requests]


def requests_of(told: Sequence[Any], bodies: bytes) -> list[Request]:
    """What `told_requests` gave."""
    pieces = _cut(bodies, [each[-1] for each in told])
    return [
        Request(kind, body, head, content, csv=csv, options=options, shape=(shape[0], shape[1]))
        for (kind, head, content, csv, options, shape, _), body in zip(told, pieces)
    ]


def told_answers(answers: Sequence[Answer]) -> tuple[list[Any], list[bytes]]:
    """Answers as JSON, and their bodies."""
    told = [[a.status, a.content, a.head, a.retry, a.log, len(a.body)] for a in answers]
    return told, [answer.body for answer in answers]


def answers_of(told: Sequence[Any], bodies: bytes) -> list[Answer]:
    """What `told_answers` gave."""
    pieces = _cut(bodies, [each[-1] for each in told])
    return [
        Answer(status, content, body, head, retry, log)
        for (status, content, head, retry, log, _), body in zip(told, pieces)
    ]


def _cut(bodies: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield bodies[at : at + size]
        at += size
