"""Tensors of the Open Inference Protocol: read from and written to JSON and its binary extension.

A body is JSON, or with the header Inference-Header-Content-Length so many bytes of JSON and behind them the tensors
whose `binary_data_size` says so, row-major and little-endian. Texts (BYTES) are preceded by their length in four bytes.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from seqloom_runtime.errors import shown

from .problem import Problem

__all__ = ["Tensor", "TensorRequest", "read_request", "written_answer"]

_KINDS = {
    "BOOL": np.dtype(bool),
    **{f"{sign}INT{bits}": np.dtype(f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
_NAMES = {dtype: name for name, dtype in _KINDS.items()}
_MOST_AXES = 8
_MOST_TENSORS = 64


@dataclass(frozen=True)
class Tensor:
    """What a model takes or gives: its name, datatype and shape, in which −1 is any number."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As the protocol describes it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass
class TensorRequest:
    """A request to infer: arrays by name, and which outputs are wanted, each with whether it is sent as bytes."""

    id: str | None
    inputs: dict[str, np.ndarray]
    datatypes: dict[str, str]
    outputs: dict[str, bool] | None
    binary: bool


def read_request(body: bytes, head: int | None, most: int) -> TensorRequest:
    """The request in `body`, of which `head` bytes are JSON (all of it where None); at most `most` numbers in a tensor.

    Raises Problem for what is no such request.
    """
    text, rest = (body, b"") if head is None else (body[:head], memoryview(body)[head:])
    if head is not None and not 0 <= head <= len(body):
        raise Problem(
            400, f"Inference-Header-Content-Length: expected at most the body's {len(body)} bytes, got {head}."
        )
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise Problem(400, f"The body: expected JSON, {_reason(fault)}.") from None
    given = told.get("inputs") if isinstance(told, dict) else None
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_TENSORS:
        raise Problem(
            400, 'inputs: expected a list of tensors, as {"inputs": [{"name": …, "shape": …, "datatype": …}]}.'
        )
    inputs: dict[str, np.ndarray] = {}
    datatypes: dict[str, str] = {}
    at = 0
    for tensor in given:
        name, datatype, values, at = _tensor(tensor, rest, at, most)
        if name in inputs:
            raise Problem(400, f"inputs: {shown(name)} is there twice; send each input once.")
        inputs[name], datatypes[name] = values, datatype
    if at != len(rest):
        raise Problem(400, f"The body: {len(rest) - at} bytes are left behind the tensors; check binary_data_size.")
    identity = told.get("id")
    if identity is not None and not isinstance(identity, str):
        raise Problem(400, f"id: expected a text, got {shown(identity)}.")
    outputs, binary = _wanted(told)
    return TensorRequest(identity, inputs, datatypes, outputs, binary)


def _reason(fault: Exception) -> str:
    return str(fault).partition(":")[0].strip().rstrip(".")[:120] or "it is none"


def _tensor(tensor: Any, rest: Any, at: int, most: int) -> tuple[str, str, np.ndarray, int]:
    """Name, datatype and array of a tensor, and where in `rest` the next one begins."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise Problem(400, f"inputs: expected tensors with a name, got {shown(tensor)}.")
    name, datatype, shape = tensor["name"], tensor.get("datatype"), tensor.get("shape")
    if not isinstance(datatype, str) or (datatype not in _KINDS and datatype != "BYTES"):
        raise Problem(400, f"{shown(name)}: expected a datatype such as FP32, FP64 or BYTES, got {shown(datatype)}.")
    if (
        not isinstance(shape, list)
        or len(shape) > _MOST_AXES
        or not all(type(length) is int and length >= 0 for length in shape)
    ):
        raise Problem(400, f"{shown(name)}: expected a shape of whole numbers from 0 on, got {shown(shape)}.")
    numbers = math.prod(shape)
    if max(numbers, *shape, 0) > most:
        raise Problem(413, f"{shown(name)}: expected at most {most:,} numbers, got the shape {shown(shape)}.")
    told = tensor.get("parameters")
    size = told.get("binary_data_size") if isinstance(told, dict) else None
    if size is None:
        return name, datatype, _listed(name, datatype, shape, numbers, tensor.get("data")), at
    if type(size) is not int or not 0 <= size <= len(rest) - at:
        raise Problem(400, f"{shown(name)}: binary_data_size is {shown(size)}, {len(rest) - at} bytes are there.")
    piece = rest[at : at + size]
    if datatype == "BYTES":
        return name, datatype, _texts(name, piece, shape, numbers), at + size
    dtype = _KINDS[datatype]
    if size != numbers * dtype.itemsize:
        raise Problem(
            400, f"{shown(name)}: {numbers} numbers of {datatype} are {numbers * dtype.itemsize} bytes, got {size}."
        )
    if datatype == "BOOL":
        return name, datatype, (np.frombuffer(piece, np.uint8) != 0).reshape(shape), at + size
    return name, datatype, np.frombuffer(piece, dtype.newbyteorder("<")).reshape(shape), at + size


def _listed(name: str, datatype: str, shape: list[int], numbers: int, data: Any) -> np.ndarray:
    """The array of a tensor whose values stand in the JSON, flat or nested."""
    if not isinstance(data, list):
        raise Problem(400, f"{shown(name)}: expected data, a list of values, got {shown(data)}.")
    flat = data
    for _ in range(_MOST_AXES):
        if not flat or type(flat[0]) is not list:
            break
        if not all(type(part) is list for part in flat):
            raise Problem(400, f"{shown(name)}: expected values or lists of them, got both beside each other.")
        flat = list(chain.from_iterable(flat))
    if len(flat) != numbers:
        raise Problem(400, f"{shown(name)}: expected {numbers} values, as the shape {shape} says, got {len(flat)}.")
    if datatype == "BYTES":
        if not all(type(text) is str for text in flat):
            raise Problem(400, f"{shown(name)}: expected texts, got {_first_odd(flat, (str,))}.")
        return np.array([*flat, None], dtype=object)[:-1].reshape(shape)
    wanted = _KINDS[datatype]
    if wanted.kind == "b":
        if not all(type(value) is bool for value in flat):
            raise Problem(400, f"{shown(name)}: expected true and false, got {_first_odd(flat, (bool,))}.")
        return np.array(flat, dtype=bool).reshape(shape)
    code, kinds = {"f": ("d", (int, float)), "i": ("q", (int,)), "u": ("Q", (int,))}[wanted.kind]
    try:
        # An array of the standard library takes numbers alone: NumPy would make numbers of texts, and of one long text
        # among many short ones an array of gigabytes.
        found = np.frombuffer(array(code, flat), dtype=np.dtype(code))
    except (TypeError, OverflowError, ValueError):
        raise Problem(400, f"{shown(name)}: expected values of {datatype}, got {_first_odd(flat, kinds)}.") from None
    if wanted.kind in "iu" and found.size:
        info = np.iinfo(wanted)
        if int(found.min()) < info.min or int(found.max()) > info.max:
            raise Problem(400, f"{shown(name)}: expected values of {datatype}, from {info.min} to {info.max}.")
    with np.errstate(over="ignore"):
        return found.astype(wanted, copy=False).reshape(shape)


def _first_odd(flat: list[Any], kinds: tuple[type, ...]) -> str:
    """How the first value that is of none of these kinds is written."""
    return next((shown(value) for value in flat if type(value) not in kinds), "a number out of range")


def _texts(name: str, piece: Any, shape: list[int], numbers: int) -> np.ndarray:
    """Texts that were sent as bytes, each behind its length."""
    found, at = [], 0
    while at < len(piece) and len(found) <= numbers:
        if at + 4 > len(piece):
            break
        (length,) = struct.unpack_from("<I", piece, at)
        if at + 4 + length > len(piece):
            break
        try:
            found.append(str(piece[at + 4 : at + 4 + length], "utf-8"))
        except UnicodeDecodeError:
            raise Problem(400, f"{shown(name)}: text {len(found) + 1} is no UTF-8; send UTF-8.") from None
        at += 4 + length
    if at != len(piece) or len(found) != numbers:
        raise Problem(
            400, f"{shown(name)}: expected {numbers} texts, each behind its length in 4 bytes; got {len(found)}."
        )
    return np.array(found, dtype=object).reshape(shape)


def _wanted(told: Mapping[str, Any]) -> tuple[dict[str, bool] | None, bool]:
    """Output → whether it goes back as bytes (None: all that there are), and what holds for those not named."""
    parameters = told.get("parameters")
    binary = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    given = told.get("outputs")
    if given is None or given == []:
        return None, binary
    if not isinstance(given, list) or len(given) > _MOST_TENSORS:
        raise Problem(400, "outputs: expected a list of the outputs that are wanted.")
    found: dict[str, bool] = {}
    for output in given:
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise Problem(400, f"outputs: expected outputs with a name, got {shown(output)}.")
        parameters = output.get("parameters")
        own = parameters.get("binary_data") if isinstance(parameters, dict) else None
        if isinstance(parameters, dict) and parameters.get("classification"):
            raise Problem(400, "outputs: the extension 'classification' is not offered; ask for the probabilities.")
        found[output["name"]] = binary if own is None else own is True
    return found, binary


def written_answer(
    name: str, version: str, request: TensorRequest, outputs: Mapping[str, np.ndarray]
) -> tuple[bytes, int | None]:
    """The body that answers `request`, and how many bytes of it are JSON where tensors follow as bytes.

    Raises Problem where an output is wanted that there isn't.
    """
    wanted = request.outputs if request.outputs is not None else dict.fromkeys(outputs, request.binary)
    told: dict[str, Any] = {"model_name": name, "model_version": version}
    if request.id is not None:
        told["id"] = request.id
    pieces: list[bytes] = []
    listed: list[dict[str, Any]] = []
    for output, binary in wanted.items():
        if output not in outputs:
            known = ", ".join(outputs)
            raise Problem(400, f"outputs: expected one of {known}, got {shown(output)}.")
        values = outputs[output]
        texts = values.dtype == object
        entry: dict[str, Any] = {"name": output, "datatype": "BYTES" if texts else _NAMES[values.dtype]}
        entry["shape"] = values.shape
        if binary:
            piece = _as_bytes(values.ravel().tolist()) if texts else np.ascontiguousarray(values).tobytes()
            entry["parameters"] = {"binary_data_size": len(piece)}
            pieces.append(piece)
        else:
            entry["data"] = values.ravel().tolist() if texts else np.ascontiguousarray(values).ravel()
        listed.append(entry)
    told["outputs"] = listed
    text = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([text, *pieces]), len(text)) if pieces else (text, None)


def _as_bytes(texts: Sequence[str]) -> bytes:
    parts = []
    for text in texts:
        encoded = text.encode("utf-8", "replace")
        parts += [struct.pack("<I", len(encoded)), encoded]
    return b"".join(parts)
