"""The forecaster's network in ONNX's operators: `ForecastNetwork.forward` line by line, for the bodies named here."""

from __future__ import annotations

from ...nn import Recurrent
from ...nn.onnx_layers import linear
from ...nn.onnx_recurrent import layers
from ...nn.onnx_rules import Export, Value, activated
from ..networks import Body, RecurrentBody
from ..networks.body import DecomposedBody, DenseBody, FlatBody
from ..networks.convolutional import TcnBody
from .network import ALONE, ForecastNetwork, LinearSkip
from .window_scale import LEAST_SCALE, WindowScale

__all__ = ["written"]

_SMOOTHED = 25  # steps, of the decomposed body


def written(export: Export, network: ForecastNetwork, x: str, future: str | None) -> str:
    """x (B, L, I) and future (B, K, F), or None, float32 → (B, K), for a network without a distribution."""
    graph, spec = export.graph, network.spec
    window, level, scale = _relative(export, network.scale, x)
    features = _features(export, network, window, future)
    y = export.inside("output").apply(network.output, Value(features, network.output.in_features, None)).name
    if network.skip is not None:
        y = graph.node("Add", y, _skip(export.inside("skip"), network.skip, window, future))
    if scale is not None:
        y = graph.node("Mul", y, scale)
    return graph.node("Add", y, level) if spec.relevel and level is not None else y


def _relative(export: Export, scale: WindowScale, x: str) -> tuple[str, str | None, str | None]:
    """The window relative to its level and scale, these (B, 1); None for a level of 0, a scale of 1."""
    graph = export.graph
    if scale.kind == "none":
        return x, None, None
    values = graph.node("Gather", x, graph.whole_number(scale.slot), axis=2)
    if scale.kind == "last":
        level, spread = graph.node("Gather", values, graph.whole(-1), axis=1), None
    elif scale.kind == "seasonal":
        steps = graph.node("Slice", values, graph.whole(-scale.season), graph.whole(2**62), graph.whole(1))
        level, spread = graph.reduced("ReduceMean", steps, 1), None
    else:
        level = graph.reduced("ReduceMean", values, 1)
        apart = graph.node("Sub", values, level)
        spread = graph.node("Sqrt", graph.reduced("ReduceMean", graph.node("Mul", apart, apart), 1))
        spread = graph.node("Max", spread, graph.number(LEAST_SCALE))
    mask = graph.weight("target_alone", scale.target)
    relative = graph.node("Sub", x, graph.node("Mul", graph.node("Unsqueeze", level, graph.whole(2)), mask))
    if spread is None:
        return relative, level, None
    more = graph.node("Sub", graph.node("Unsqueeze", spread, graph.whole(2)), graph.number(1.0))
    by = graph.node("Add", graph.node("Mul", more, mask), graph.number(1.0))
    return graph.node("Div", relative, by), level, spread


def _features(export: Export, network: ForecastNetwork, window: str, future: str | None) -> str:
    """What the read-out reads: (B, width)."""
    graph, spec = export.graph, network.spec
    known = None if future is None else graph.node("Reshape", future, graph.whole(0, -1))
    if spec.name in ALONE:
        window = graph.node("Gather", window, graph.whole(spec.target), axis=2)
    inside = export.inside("body")
    if not network.flat:
        summary = _of_steps(inside, network.body, _patched(export, window, spec.patch, spec.input_steps, spec.inputs))
        return summary if known is None else graph.node("Concat", summary, known, axis=1)
    flat = graph.node("Reshape", window, graph.whole(0, -1))
    flat = flat if known is None else graph.node("Concat", flat, known, axis=1)
    return _of_one(inside, network.body, flat)


def _patched(export: Export, x: str, patch: int, steps: int, inputs: int) -> Value:
    """Steps side by side, the first repeated before it where it lacks some: see `network.patched`."""
    graph = export.graph
    if patch > 1:
        lacking = -steps % patch
        if lacking:
            first = graph.node("Gather", x, graph.whole(*[0] * lacking), axis=1)
            x = graph.node("Concat", first, x, axis=1)
        x = graph.node("Reshape", x, graph.whole(0, (steps + lacking) // patch, patch * inputs))
    return Value(x, patch * inputs)


def _of_steps(export: Export, body: Body, x: Value) -> str:
    """The summary of a body that reads steps: (B, F)."""
    graph = export.graph
    if body.spec.pooling == "last":
        if type(body) is RecurrentBody:
            stack = [body.recurrent] if isinstance(body.recurrent, Recurrent) else list(body.recurrent.parts())
            for layer in stack[:-1]:
                x = layers(export.inside(str(stack.index(layer))), layer, x, last_only=False)
            return layers(export, stack[-1], x, last_only=True).name
        if type(body) is TcnBody:
            return graph.node("Gather", export.apply(body.tcn, x).name, graph.whole_number(-1), axis=1)
    raise export.refuse(f"the body {body.spec.kind!r} has no form in ONNX here; fit another model")


def _of_one(export: Export, body: Body, flat: str) -> str:
    """The summary of a body that reads the window as one step (B, N)."""
    graph = export.graph
    if type(body) is FlatBody:
        return flat
    if type(body) is DenseBody:
        for number, layer in enumerate(body.hidden):
            y = linear(export.inside(str(number)), layer, flat)  # pyright: ignore[reportArgumentType]
            flat = activated(export, y, body.spec.activation or "relu")
        return flat
    if type(body) is not DecomposedBody:
        raise export.refuse(f"the body {body.spec.kind!r} has no form in ONNX here; fit another model")
    window = graph.node("Slice", flat, graph.whole(0), graph.whole(body.spec.window), graph.whole(1))
    other = graph.node("Slice", flat, graph.whole(body.spec.window), graph.whole(2**62), graph.whole(1))
    half = _SMOOTHED // 2
    wide = graph.node(
        "Pad", graph.node("Unsqueeze", window, graph.whole(1)), graph.whole(0, 0, half, 0, 0, half), mode="edge"
    )
    trend = graph.node("AveragePool", wide, kernel_shape=[_SMOOTHED], strides=[1])
    trend = graph.node("Squeeze", trend, graph.whole(1))
    return graph.node("Concat", trend, graph.node("Sub", window, trend), other, axis=1)


def _skip(export: Export, skip: LinearSkip, window: str, future: str | None) -> str:
    """The linear path beside the network: (B, K)."""
    graph = export.graph
    values = graph.node("Gather", window, graph.whole_number(skip.target), axis=2)
    last = graph.node("Gather", window, graph.whole_number(-1), axis=1)
    y = graph.node(
        "Add", linear(export.inside("window"), skip.window, values), linear(export.inside("last"), skip.last, last)
    )
    if skip.known is None or future is None:
        return y
    known = linear(export.inside("known"), skip.known, future)
    return graph.node("Add", y, graph.node("Squeeze", known, graph.whole(2)))
