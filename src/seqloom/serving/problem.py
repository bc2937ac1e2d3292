"""What a client is told that can't be answered: a status and one sentence."""

from __future__ import annotations

from seqloom_runtime.errors import SeqloomError
from seqloom_runtime.limits import in_words

from .client_words import in_client_words

__all__ = ["Problem", "problem_of", "too_large"]


class Problem(Exception):
    """A request that is refused: `status` of HTTP, and a sentence that says what was expected and what to do.

    retry: seconds after which trying again makes sense, sent as Retry-After.
    """

    def __init__(self, status: int, sentence: str, retry: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry = status, sentence, retry


def problem_of(fault: BaseException) -> Problem | None:
    """What a client is told of `fault`; None where it is a fault of this program, which the log must hear of."""
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, SeqloomError):
        return Problem(400, in_client_words(str(fault)))
    if isinstance(fault, MemoryError):
        return Problem(413, "The request needs more memory than is free; send less at once.")
    if isinstance(fault, RecursionError):
        return Problem(400, "The body is nested too deeply; send a flatter one.")
    return None


def too_large(what: str, size: float, limit: int) -> Problem:
    """The answer to a body or a message of more than `limit` bytes."""
    return Problem(413, f"{what}: expected at most {in_words(limit)}, got {in_words(size)}; send it in parts.")
