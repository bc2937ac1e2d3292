"""The forecaster's network in ONNX's operators: `ForecastNetwork.forward` line by line."""

from __future__ import annotations

from ...nn import Recurrent
from ...nn.onnx_layers import linear
from ...nn.onnx_recurrent import run
from ...nn.onnx_rules import Export, Value, tensor
from ..networks import Body
from ..networks.attention import AdditiveAttention
from ..networks.body import SMOOTHED, DecomposedBody
from ..networks.onnx_bodies import summary_of, writes_summary
from .decoder import Decoder, StepReadOut
from .network import ALONE, ForecastNetwork, LinearSkip
from .window_scale import LEAST_SCALE, WindowScale

__all__ = ["written"]


def written(export: Export, network: ForecastNetwork, x: str, future: str | None) -> str:
    """x (B, L, I) and future (B, K, F), or None, float32 → (B, K), or (B, K, P) of a distribution."""
    graph, spec, family = export.graph, network.spec, network.family
    window, level, scale = _Window(export, network.scale, x).relative()
    y = _read_out(export.inside("output"), network, _features(export, network, window, future))
    shape = None
    if family is not None:
        parts = graph.node("Reshape", y, graph.whole(0, spec.forecast_steps, family.outputs))
        sizes = graph.whole(1, family.outputs - 1)
        y, raw = graph.node("Split", parts, sizes, outputs=2, axis=2)
        y = graph.node("Squeeze", y, graph.whole(2))
        shape = graph.node("Add", graph.node("Softplus", raw), graph.number(1e-4))
    if network.skip is not None:
        y = graph.node("Add", y, _skip(export.inside("skip"), network.skip, window, future))
    if scale is not None:
        y = graph.node("Mul", y, scale)
        if shape is not None and family is not None and family.scaled:
            shape = _scaled(export, shape, scale, family.scaled, family.outputs - 1)
    if spec.relevel and level is not None:
        y = graph.node("Add", y, level)
    return y if shape is None else graph.node("Concat", graph.node("Unsqueeze", y, graph.whole(2)), shape, axis=2)


def _scaled(export: Export, shape: str, scale: str, count: int, all_of_them: int) -> str:
    """The first parameters (B, K, ·) of a distribution times the window's scale (B, 1)."""
    graph = export.graph
    wide = graph.node("Unsqueeze", scale, graph.whole(2))
    if count == all_of_them:
        return graph.node("Mul", shape, wide)
    first, rest = graph.node("Split", shape, graph.whole(count, all_of_them - count), outputs=2, axis=2)
    return graph.node("Concat", graph.node("Mul", first, wide), rest, axis=2)


class _Window:
    """`WindowScale` for one window: its level and scale, (B, 1) each, and what is read relative to them."""

    def __init__(self, export: Export, scale: WindowScale, x: str) -> None:
        self.graph, self.scale, self.x = export.graph, scale, x
        self.mask = tensor(export, "target_alone", scale.target)
        self.values = self.graph.node("Gather", x, self.graph.whole_number(scale.slot), axis=2)
        self.known: str | None = None
        if scale.flag >= 0:
            flag = self.graph.node("Gather", x, self.graph.whole_number(scale.flag), axis=2)
            self.known = self.graph.node("Equal", flag, self.graph.number(0.0))

    def relative(self) -> tuple[str, str | None, str | None]:
        """The window relative to its level and scale; None for a level of 0, a scale of 1."""
        graph = self.graph
        level, spread = self._moments()
        found = self.x
        if level is not None:
            wide = graph.node("Unsqueeze", level, graph.whole(2))
            found = graph.node("Sub", found, graph.node("Mul", wide, self.mask))
        if spread is not None:
            more = graph.node("Sub", graph.node("Unsqueeze", spread, graph.whole(2)), graph.number(1.0))
            by = graph.node("Add", graph.node("Mul", more, self.mask), graph.number(1.0))
            found = graph.node("Div", found, by)
        if self.known is not None:  # a step without a value says as little as the level
            rest = graph.node("Mul", found, graph.node("Sub", graph.number(1.0), self.mask))
            found = graph.node("Where", graph.node("Unsqueeze", self.known, graph.whole(2)), found, rest)
        return found, level, spread

    def _moments(self) -> tuple[str | None, str | None]:
        graph, kind = self.graph, self.scale.kind
        if kind == "none":
            return None, None
        if kind == "last":
            return self._last(), None
        values, known = self.values, self.known
        if kind == "seasonal":
            ends = graph.whole(-self.scale.season), graph.whole(2**62), graph.whole(1)
            values = graph.node("Slice", values, *ends)
            known = None if known is None else graph.node("Slice", known, *ends)
        level = self._mean(values, known)
        if kind == "seasonal":
            return level, None
        apart = graph.node("Sub", values, level)
        spread = graph.node("Sqrt", self._mean(graph.node("Mul", apart, apart), known))
        return level, graph.node("Max", spread, graph.number(LEAST_SCALE))

    def _mean(self, values: str, known: str | None) -> str:
        graph = self.graph
        if known is None:
            return graph.reduced("ReduceMean", values, 1)
        total = graph.node("ReduceSum", graph.node("Where", known, values, graph.number(0.0)), graph.whole(1))
        count = graph.node("ReduceSum", graph.cast(known, "FLOAT"), graph.whole(1))
        return graph.node("Div", total, graph.node("Max", count, graph.number(1.0)))

    def _last(self) -> str:
        graph = self.graph
        if self.known is None:
            return graph.node("Gather", self.values, graph.whole(-1), axis=1)
        time = graph.node("Gather", graph.node("Shape", self.x), graph.whole_number(1))
        steps = graph.node(
            "Range", graph.whole_number(1), graph.node("Add", time, graph.whole_number(1)), graph.whole_number(1)
        )
        last = graph.reduced("ReduceMax", graph.node("Mul", graph.cast(self.known, "INT64"), steps), 1)
        at = graph.node("Max", graph.node("Sub", last, graph.whole_number(1)), graph.whole_number(0))
        found = graph.node("GatherElements", self.values, at, axis=1)
        return graph.node("Where", graph.node("Greater", last, graph.whole_number(0)), found, graph.number(0.0))


def _features(export: Export, network: ForecastNetwork, window: str, future: str | None) -> Value:
    """What the read-out reads: (B, width), decoded (B, K, width)."""
    graph, spec, inside = export.graph, network.spec, export.inside("body")
    if spec.decodes:
        read = _patched(export, window, spec.patch, spec.input_steps, spec.inputs)
        return _decoded(export, network, read, future)
    known = None if future is None else graph.node("Reshape", future, graph.whole(0, -1))
    if spec.name in ALONE:
        window = graph.node("Gather", window, graph.whole(spec.target), axis=2)
    if not network.flat:
        read = _patched(export, window, spec.patch, spec.input_steps, spec.inputs)
        summary = summary_of(inside, network.body, read)
        return Value(summary if known is None else graph.node("Concat", summary, known, axis=1), 0, None)
    flat = graph.node("Reshape", window, graph.whole(0, -1))
    flat = flat if known is None else graph.node("Concat", flat, known, axis=1)
    step = Value(graph.node("Unsqueeze", flat, graph.whole(1)), network.body.spec.inputs)
    return Value(summary_of(inside, network.body, step), 0, None)


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


def _decoded(export: Export, network: ForecastNetwork, read: Value, future: str | None) -> Value:
    """The encoder's last state, then a decoder's steps: see `decoder.Decoder`."""
    graph, decoder = export.graph, network.decoder
    assert isinstance(decoder, Decoder)
    encoder = network.body.recurrent
    stack = [encoder] if isinstance(encoder, Recurrent) else list(encoder.parts())
    states = []
    for number, layer in enumerate(stack):
        read, after = run(export.inside(f"encoder_{number}"), layer, read, None, last_only=False)
        states.append(after)
    batch = graph.node("Gather", graph.node("Shape", read.name), graph.whole(0))
    ones = graph.node("Concat", batch, graph.whole(1, 1), axis=0)
    place = graph.node("Expand", graph.array(decoder.place.numpy()[None]), ones)
    step = Value(place if future is None else graph.node("Concat", place, future, axis=2), 0)
    stack = [decoder.recurrent] if isinstance(decoder.recurrent, Recurrent) else list(decoder.recurrent.parts())
    for number, (layer, state) in enumerate(zip(stack, states, strict=True)):
        step, _ = run(export.inside(f"decoder_{number}"), layer, step, state, last_only=False)
    if decoder.attention is None:
        return step
    context = _attended(export.inside("attention"), decoder.attention, step.name, read.name)
    return Value(graph.node("Concat", step.name, context, axis=2), decoder.output_size)


def _attended(export: Export, attention: AdditiveAttention, state: str, encoded: str) -> str:
    """The contexts (B, K, H) of states (B, K, S) over the encoder's outputs (B, T, H)."""
    graph = export.graph
    query = graph.node("Unsqueeze", linear(export.inside("query"), attention.query, state), graph.whole(2))
    key = graph.node("Unsqueeze", linear(export.inside("key"), attention.key, encoded), graph.whole(1))
    scores = graph.node(
        "MatMul", graph.node("Tanh", graph.node("Add", query, key)), tensor(export, "score", attention.score)
    )
    return graph.node("MatMul", graph.node("Softmax", scores, axis=2), encoded)


def _read_out(export: Export, network: ForecastNetwork, features: Value) -> str:
    """The read-out: (B, K · P)."""
    graph, output = export.graph, network.output
    if not isinstance(output, StepReadOut):
        return export.apply(output, features).name
    y = graph.node("MatMul", features.name, tensor(export, "weight", output.weight.t()))
    return graph.node("Add", graph.node("Reshape", y, graph.whole(0, -1)), tensor(export, "bias", output.bias))


@writes_summary(DecomposedBody)
def _decomposed(export: Export, body: Body, x: Value) -> str:
    """x (B, 1, inputs) → (B, inputs + window): see `DecomposedBody`."""
    graph, half = export.graph, SMOOTHED // 2
    flat = graph.node("Squeeze", x.name, graph.whole(1))
    window = graph.node("Slice", flat, graph.whole(0), graph.whole(body.spec.window), graph.whole(1))
    other = graph.node("Slice", flat, graph.whole(body.spec.window), graph.whole(2**62), graph.whole(1))
    wide = graph.node(
        "Pad", graph.node("Unsqueeze", window, graph.whole(1)), graph.whole(0, 0, half, 0, 0, half), mode="edge"
    )
    trend = graph.node("AveragePool", wide, kernel_shape=[SMOOTHED], strides=[1])
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
