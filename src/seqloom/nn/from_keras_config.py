"""What a file of Keras says a model is: its layers one after the other, in the words of Keras 2 and 3.

Layers are known by their class's name in Keras; a class of the user's own, or code, is refused by that name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import FormatError, SettingError, shown

__all__ = ["Layer", "layers_of"]

_MODELS = ("Sequential", "Functional", "Model")
_MOST = 10_000  # layers
_DEEPEST = 20  # models within models

# Keras 1's words for the options of a class; "*" holds for all.
_KERAS_1: dict[str, dict[str, str]] = {
    "*": {"output_dim": "units", "bias": "use_bias", "inner_activation": "recurrent_activation", "p": "rate"},
    "rnn": {"dropout_W": "dropout", "dropout_U": "recurrent_dropout"},
    "Conv1D": {
        "nb_filter": "filters",
        "filter_length": "kernel_size",
        "border_mode": "padding",
        "subsample_length": "strides",
        "atrous_rate": "dilation_rate",
    },
    "pool": {"pool_length": "pool_size", "stride": "strides", "border_mode": "padding"},
}
_KERAS_1_CLASSES = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "TimeDistributedDense": "Dense",
}


@dataclass(frozen=True)
class Layer:
    """One layer: its name, its class in Keras, its options, and where the file has its weights.

    place: the group of a `.keras` file. group: the name of the group of an HDF5 file.
    """

    name: str
    kind: str
    options: dict[str, Any]
    place: str
    group: str
    version: int

    @property
    def trainable(self) -> bool:
        """Whether training changes it."""
        return self.options.get("trainable", True) is not False

    def inner(self, key: str) -> Layer:
        """The layer that this one wraps."""
        return _layer(self.options.get(key), f"{self.place}/{key}", self.group, self.version, f"{self}: {key}")

    def refuse(self, why: str) -> SettingError:
        """The exception that says why the layer can't be taken over."""
        return SettingError(f"{self} can't be taken over: {why}.")

    def __str__(self) -> str:
        return f"layer {shown(self.name)} ({shown(self.kind)[1:-1]})"


def layers_of(model: Any, version: int, source: str) -> list[Layer]:
    """The layers of a model in the order in which they run.

    Raises FormatError where the words make no model, SettingError for a graph that is no line of layers.
    """
    found = _model(model, version, source, "", None, 0)
    if not found:
        raise FormatError(f"{source}: the model has no layers.")
    return found


def _model(model: Any, version: int, source: str, place: str, group: str | None, depth: int) -> list[Layer]:
    kind, options = _class_of(model, source), model.get("config")
    _check_own(model, kind, source)
    if kind not in _MODELS:
        raise SettingError(
            f"{source}: the model is a {shown(kind)[1:-1]}; a Sequential, or a Functional whose layers stand in one "
            "line, can be taken over."
        )
    # In Keras 1 a Sequential is the bare list of its layers.
    raw = options if isinstance(options, list) else options.get("layers") if isinstance(options, dict) else None
    if not isinstance(raw, list) or len(raw) > _MOST or depth > _DEEPEST:
        raise FormatError(
            f"{source}: the model should list its layers, at most {_MOST:,}, in at most {_DEEPEST} models."
        )
    places = _places(raw, source, place)
    order = range(len(raw)) if kind == "Sequential" else _line(raw, options, source)
    found: list[Layer] = []
    for k in order:
        name = _name_of(raw[k], source)
        if _class_of(raw[k], source) in _MODELS:
            found += _model(raw[k], version, source, f"{places[k]}/layers/", group or name, depth + 1)
        else:
            found.append(_layer(raw[k], places[k], group or name, version, source))
    return found


def _places(raw: list[Any], source: str, before: str) -> list[str]:
    """The groups of a `.keras` file: the class in snake case, counted from the second one on."""
    seen: Counter[str] = Counter()
    places = []
    for one in raw:
        kind = _snake(_class_of(one, source))
        places.append(f"{before}{kind}" + (f"_{seen[kind]}" if seen[kind] else ""))
        seen[kind] += 1
    return places


def _snake(name: str) -> str:
    """As Keras makes names of classes.

    >>> _snake("SimpleRNN"), _snake("GlobalAveragePooling1D"), _snake("LSTM")
    ('simple_rnn', 'global_average_pooling1d', 'lstm')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _class_of(value: Any, source: str) -> str:
    kind = value.get("class_name") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise FormatError(f"{source}: expected a layer with its class_name, found {shown(value)}.")
    return kind


def _name_of(value: dict[str, Any], source: str) -> str:
    options = value.get("config")
    name = value.get("name") or (options.get("name") if isinstance(options, dict) else None)
    if not isinstance(name, str):
        raise FormatError(f"{source}: a layer of class {shown(value.get('class_name'))} has no name.")
    return name


def _layer(value: Any, place: str, group: str, version: int, source: str) -> Layer:
    kind = _class_of(value, source)
    options = value.get("config")
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise FormatError(f"{source}: layer of class {shown(kind)} has no options (config).")
    _check_own(value, kind, source)
    if version == 1:
        kind, options = _modern(kind, options)
    return Layer(_name_of(value, source), kind, options, place, group, version)


def _check_own(value: dict[str, Any], kind: str, source: str) -> None:
    """Refuse classes that are not Keras's, by name; one that only looks like Keras's would compute something else."""
    module, registered = value.get("module"), value.get("registered_name")
    own = isinstance(module, str) and module.split(".")[0] not in ("keras", "tf_keras")
    if own or kind == "Lambda" or ">" in kind or (isinstance(registered, str) and ">" in registered):
        config = value.get("config")
        name = config.get("name") if isinstance(config, dict) else None
        what = (
            "holds Python code" if kind == "Lambda" else f"is a class of one's own ({shown(registered or kind)[1:-1]})"
        )
        raise SettingError(
            f"{source}: layer {shown(name)} ({shown(kind)[1:-1]}) {what}, and nothing in a file is executed: replace "
            "it by layers of Keras, or build the model in seqloom.nn and load the weights of the others."
        )


def _modern(kind: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A layer of Keras 1 in the words of Keras 2."""
    kind = _KERAS_1_CLASSES.get(kind, kind)
    renamed = dict(_KERAS_1["*"]) if kind != "Embedding" else {}
    renamed |= _KERAS_1["rnn"] if kind in ("SimpleRNN", "GRU", "LSTM") else {}
    renamed |= _KERAS_1["pool"] if kind in ("MaxPooling1D", "AveragePooling1D") else _KERAS_1.get(kind, {})
    return kind, {renamed.get(key, key): value for key, value in options.items()}


def _line(raw: list[Any], options: Any, source: str) -> list[int]:
    """The order of a Functional model's layers, from its output back to its input."""
    numbers = {_name_of(one, source): k for k, one in enumerate(raw)}
    ends = [_single(options.get(f"{side}_layers"), f"{source}: {side}_layers") for side in ("input", "output")]
    order: list[int] = []
    name: str | None = ends[1]
    while name is not None:
        number = numbers.get(name)
        if number is None or number in order:
            raise FormatError(f"{source}: the graph leads to layer {shown(name)}, which is missing or leads to itself.")
        order.append(number)
        name = _before(raw[number], name, source)
    first = _name_of(raw[order[-1]], source)
    if first != ends[0]:
        raise FormatError(f"{source}: the graph begins at layer {shown(first)}, its input is {shown(ends[0])}.")
    aside = [one for k, one in enumerate(raw) if k not in set(order)]
    if aside:
        raise _branches(_name_of(aside[0], source), source)
    return order[::-1]


def _branches(name: str, source: str) -> SettingError:
    return SettingError(
        f"{source}: layer {shown(name)} stands beside others; a Functional model can be taken over where each layer "
        "reads the one before it alone: build the branches in torch from models taken over one by one."
    )


def _single(value: Any, source: str) -> str:
    """The one layer in Keras's list of a model's inputs or outputs: ["a", 0, 0] or [["a", 0, 0]]."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list) and value and isinstance(value[0], list):
        raise SettingError(
            f"{source}: the model has {len(value)} of them; one with a single input and output can be taken."
        )
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        raise FormatError(f"{source}: expected one layer, found {shown(value)}.")
    return value[0]


def _before(one: dict[str, Any], name: str, source: str) -> str | None:
    """The layer that a layer of a Functional model reads; None for the input."""
    nodes = one.get("inbound_nodes")
    if nodes in ([], None):
        return None
    if not isinstance(nodes, list) or len(nodes) != 1:
        raise SettingError(f"{source}: layer {shown(name)} is called more than once; share it in a model of your own.")
    histories, keywords = _histories(nodes[0], name, source)
    for key, value in keywords.items():
        if value is not None and not (key == "training" and value is False):
            raise SettingError(
                f"{source}: layer {shown(name)} is called with {shown(key)}, which has no counterpart here."
            )
    if len(histories) != 1:
        raise _branches(name, source)
    return histories[0]


def _histories(node: Any, name: str, source: str) -> tuple[list[str], dict[str, Any]]:
    """The layers that a node reads, in the words of Keras 3 ({"args", "kwargs"}) or 1 and 2 (a list of lists)."""
    odd = FormatError(f"{source}: it isn't said what layer {shown(name)} reads (inbound_nodes).")
    if isinstance(node, dict):
        given, keywords = node.get("args"), node.get("kwargs") or {}
        if not isinstance(given, list) or not isinstance(keywords, dict):
            raise odd
        flat = [v for one in given for v in (one if isinstance(one, list) else [one])]
        told = [v["config"].get("keras_history") if _tensor(v) else None for v in flat]
    elif isinstance(node, list):
        # One with a single input may be written without the outer list.
        flat = [node] if node and isinstance(node[0], str) else node
        told, keywords = [v[:3] if isinstance(v, list) else None for v in flat], {}
        for v in flat:
            keywords |= v[3] if isinstance(v, list) and len(v) > 3 and isinstance(v[3], dict) else {}
    else:
        raise odd
    names = [v[0] for v in told if isinstance(v, list) and len(v) == 3 and isinstance(v[0], str) and v[1:] == [0, 0]]
    if len(names) != len(told):
        raise odd
    return names, keywords


def _tensor(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("class_name") == "__keras_tensor__"
        and isinstance(value.get("config"), dict)
    )
