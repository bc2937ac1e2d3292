"""A batch of requests for one model: bodies in, answers out, each request by itself where it comes to faults."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from seqloom_runtime.errors import brief, printable, shown

from .problem import Problem, problem_of
from .served import Ask, Reply, Served
from .tensors import TensorRequest, read_request, written_answer
from .text_tables import is_text_table, texts_of_table

__all__ = ["JSON", "Answer", "Bounds", "Request", "answer_batch", "problem_answer"]

JSON = "application/json"
_CSV = "text/csv; charset=utf-8"
_BINARY = "application/octet-stream"
_FAILED = "The server failed at this request; its log says why."


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may hold: numbers in a tensor or rows in a table, rows ahead and sample paths."""

    rows: int = 100_000
    numbers: int = 4_000_000
    horizon: int = 10_000


@dataclass(slots=True)
class Request:
    """What was asked of a model.

    kind: "infer" (`body` as the protocol has it, `head` bytes of it JSON), "predict" (as a person sends it) or "window"
    (float64 numbers of one window, `shape` (rows, columns)). content: the Content-Type. options: those of the address.
    """

    kind: str
    body: bytes
    head: int | None = None
    content: str = ""
    csv: bool = False
    options: Mapping[str, str] | None = None
    shape: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Answer:
    """Status, content type, body and further headers; `log` is what the server's log hears of a fault of its own."""

    status: int
    content: str
    body: bytes
    head: int | None = None
    retry: int | None = None
    log: str = ""


def problem_answer(problem: Problem) -> Answer:
    """The answer that a problem is."""
    text = orjson.dumps({"error": printable(problem.sentence).encode("utf-8", "replace").decode()})
    return Answer(problem.status, JSON, text, retry=problem.retry)


def answer_batch(served: Served, name: str, version: str, requests: Sequence[Request], bounds: Bounds) -> list[Answer]:
    """An answer to each request, in their order; nothing is raised."""
    answers: list[Answer | None] = [None] * len(requests)
    parsed: dict[int, TensorRequest] = {}
    groups: dict[tuple[Any, ...], list[int]] = {}
    arrays: dict[int, Mapping[str, np.ndarray]] = {}
    for at, request in enumerate(requests):
        try:
            if request.kind == "predict":
                answers[at] = _predicted(served, name, version, request, bounds)
                continue
            if request.kind == "window":
                values = np.frombuffer(request.body, np.float64).reshape(1, *request.shape)
                inputs, types = {"past": values}, {"past": "FP64"}
            else:
                parsed[at] = read_request(request.body, request.head, bounds.numbers)
                inputs, types = parsed[at].inputs, parsed[at].datatypes
            arrays[at] = served.checked(inputs, types)
            groups.setdefault(tuple((n, v.shape[1:]) for n, v in arrays[at].items()), []).append(at)
        except Exception as fault:  # noqa: BLE001 - whatever a hostile body brings about is one client's answer
            answers[at] = _fault(fault)
    for places in groups.values():
        try:
            found: list[Any] = list(served.infer([arrays[at] for at in places]))
        except Exception as fault:  # noqa: BLE001 - as above
            found = [fault] * len(places)
        for at, outputs in zip(places, found):
            answers[at] = _guarded(lambda at=at, outputs=outputs: _inferred(name, version, parsed.get(at), outputs))
    return [answer if answer is not None else _fault(RuntimeError("no answer")) for answer in answers]


def _inferred(name: str, version: str, request: TensorRequest | None, outputs: Any) -> Answer:
    if isinstance(outputs, Exception):
        return _fault(outputs)
    if request is None:
        text = orjson.dumps({key: value[0] for key, value in outputs.items()}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Answer(200, JSON, text)
    body, head = written_answer(name, version, request, outputs)
    return Answer(200, JSON if head is None else _BINARY, body, head)


def _guarded(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except Exception as fault:  # noqa: BLE001 - as above
        return _fault(fault)


def _fault(fault: BaseException) -> Answer:
    problem = problem_of(fault)
    if problem is not None:
        return problem_answer(problem)
    answer = problem_answer(Problem(500, _FAILED))
    answer.log = "".join(traceback.format_exception(fault))[-4000:]
    return answer


def _predicted(served: Served, name: str, version: str, request: Request, bounds: Bounds) -> Answer:
    ask = _ask(served, request, bounds)
    if request.csv and ask.options.get("recent"):
        raise Problem(400, "recent: known values come in JSON alone; ask for application/json, or leave recent out.")
    reply = served.predict(ask)
    if request.csv:
        if not reply.columns:
            raise Problem(406, "This model answers in JSON alone; ask for application/json.")
        return Answer(200, _CSV, _csv(reply))
    told = {"model": name, "version": version, **reply.body}
    return Answer(200, JSON, orjson.dumps(told, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY))


def _ask(served: Served, request: Request, bounds: Bounds) -> Ask:
    """The plain request that a body is. Its content type tells a table of texts from a text, and nothing else: curl
    calls every file a form."""
    body = request.body.lstrip(b" \t\r\n\xef\xbb\xbf")
    options = dict(request.options or {})
    if not body:
        return Ask("nothing", options=_options(served, options, bounds))
    if "texts" in served.takes and is_text_table(request.body, request.content, served.text_column):
        _refuse_many(request.body.count(b"\n"), bounds)
        texts = texts_of_table(request.body, request.content, served.text_column, served.settings)
        return Ask("texts", texts=texts, options=_options(served, options, bounds))
    if body[:1] not in (b"{", b"["):
        if "texts" in served.takes:
            return Ask("texts", texts=(_text(request.body),), options=_options(served, options, bounds))
        _refuse_many(request.body.count(b"\n"), bounds)
        return Ask("table", table=request.body, options=_options(served, options, bounds))
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        reason = str(fault).partition(":")[0].strip().rstrip(".")[:120]
        raise Problem(400, f"The body: expected JSON, {reason}.") from None
    if isinstance(told, list):
        told = {
            "rows"
            if not told or isinstance(told[0], dict)
            else "texts"
            if "texts" in served.takes
            else "sequences": told
        }
    keys = [key for key in ("rows", "columns", "csv", "texts", "text", "sequences") if key in told]
    options |= {key: value for key, value in told.items() if key not in keys}
    chosen = _options(served, options, bounds)
    if len(keys) != 1:
        if not keys and "nothing" in served.takes and not set(told) - set(served.options):
            return Ask("nothing", options=chosen)
        kinds = {"table": "rows, columns or csv", "texts": "texts", "sequences": "sequences", "nothing": ""}
        wanted = ", ".join(kinds[each] for each in served.takes if kinds[each])
        raise Problem(
            400, f"The body: expected one of {wanted}, got {', '.join(map(shown, list(told)[:5])) or 'nothing'}."
        )
    return _of_key(keys[0], told[keys[0]], chosen, bounds)


def _of_key(key: str, value: Any, options: Mapping[str, Any], bounds: Bounds) -> Ask:
    if key in ("text", "texts"):
        texts = [value] if key == "text" else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise Problem(
                400, f"{key}: expected {'a text' if key == 'text' else 'a list of texts'}, got {shown(value)}."
            )
        _refuse_many(len(texts), bounds)
        return Ask("texts", texts=tuple(texts), options=options)
    if key == "sequences":
        if not isinstance(value, list) or not value:
            raise Problem(400, f"sequences: expected a list of sequences, got {shown(value)}.")
        _refuse_many(sum(len(each) if isinstance(each, list) else 1 for each in value), bounds)
        return Ask("sequences", sequences=value, options=options)
    if key == "csv":
        if not isinstance(value, str):
            raise Problem(400, f"csv: expected a text, got {shown(value)}.")
        _refuse_many(value.count("\n"), bounds)
        return Ask("table", table=value.encode(), options=options)
    rows = value if key == "rows" else _rows_of(value)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise Problem(400, f'{key}: expected a list of rows such as {{"time": …, "value": …}}, got {shown(value)}.')
    _refuse_many(len(rows), bounds)
    return Ask("table", table=orjson.dumps(rows), options=options)


def _rows_of(columns: Any) -> list[dict[str, Any]]:
    if not isinstance(columns, dict) or not columns or not all(isinstance(cells, list) for cells in columns.values()):
        raise Problem(400, f'columns: expected lists by name, as {{"time": […], "value": […]}}, got {shown(columns)}.')
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1:
        raise Problem(400, f"columns: expected lists of one length, got {sorted(lengths)[:5]}.")
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _refuse_many(rows: int, bounds: Bounds) -> None:
    if rows > bounds.rows:
        raise Problem(413, f"The body: expected at most {bounds.rows:,} rows, got {rows:,}; send the last ones.")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "The body: expected a text in UTF-8, got other bytes.") from None


def _options(served: Served, given: Mapping[str, Any], bounds: Bounds) -> dict[str, Any]:
    """The options of an ask, checked; `format` is the server's own."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name == "format":
            continue
        if name not in served.options:
            known = ", ".join(served.options) or "none"
            raise Problem(400, f"{shown(name)[1:-1]}: this model has no such option; it knows {known}.")
        if value is not None:
            found[name] = _option(name, value, bounds)
    return found


def _option(name: str, value: Any, bounds: Bounds) -> Any:
    if name == "levels":
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        try:
            levels = [float(part) for part in parts if not isinstance(part, bool)]
        except (TypeError, ValueError):
            levels = []
        if not 0 < len(levels) <= 20 or not all(math.isfinite(level) and 0 < level < 100 for level in levels):
            raise Problem(400, f"levels: expected percentages between 0 and 100, such as 80,95, got {shown(value)}.")
        return levels
    if name == "horizon" and isinstance(value, str) and not value.isdigit():
        return brief(value)
    limits = {"horizon": bounds.horizon, "samples": 1000, "recent": 2000, "seed": 2**63 - 1, "length": 1000}
    number = int(value) if isinstance(value, str) and value.isdigit() and len(value) < 20 else value
    least = 0 if name in ("seed", "recent") else 1
    if name == "temperature":
        try:
            number = float(number)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number <= 100:
            raise Problem(400, f"temperature: expected a number from 0 to 100, got {shown(value)}.")
        return number
    if type(number) is not int or not least <= number <= limits[name]:
        raise Problem(400, f"{name}: expected a whole number from {least} to {limits[name]:,}, got {shown(value)}.")
    return number


def _csv(reply: Reply) -> bytes:
    """The rows as CSV, by RFC 4180."""

    def cell(value: Any) -> str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        text = repr(value) if isinstance(value, float) else str(value)
        return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(mark in text for mark in ',"\r\n') else text

    lines = [",".join(map(cell, row)) for row in (reply.columns, *reply.rows)]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
