"""Recurrent bodies of the runtime beside those of torch: every cell and option, masks, directions, states, streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forward_twins import arrays_of, draw, engine, mask_of, randomised, same
from hypothesis import given, settings
from hypothesis import strategies as st

from seqloom.tasks.networks import BodySpec, build_body
from seqloom_runtime import forward
from seqloom_runtime.errors import SettingError

NAMES = ("tanh", "sigmoid", "relu", "leaky_relu", "elu", "softsign", "softplus", "identity", "prelu")


@st.composite
def specs(drawn: Any) -> BodySpec:
    kind = drawn(st.sampled_from(["rnn", "gru", "lstm"]))
    flags = ("layer_norm", *(("peephole", "coupled") if kind == "lstm" else ()))
    options: dict[str, Any] = {name: drawn(st.booleans()) for name in flags}
    options["zoneout"] = drawn(st.sampled_from([0.0, 0.3]))
    both = drawn(st.sampled_from(["forward", "both", "reverse"]))
    options |= {"bidirectional": both == "both", "reverse": both == "reverse"}
    if drawn(st.booleans()):
        options["stack"] = tuple(drawn(st.lists(st.integers(1, 6), min_size=2, max_size=3)))
        options |= {"units": options["stack"][-1], "layers": len(options["stack"])}
        activations = st.lists(st.sampled_from(NAMES), min_size=options["layers"], max_size=options["layers"])
        options["activations"] = tuple(drawn(activations)) if drawn(st.booleans()) else ()
    else:
        options |= {"units": drawn(st.integers(1, 20)), "layers": drawn(st.integers(1, 3))}
        options["activation"] = drawn(st.sampled_from([None, *NAMES]))
    pooling = drawn(st.sampled_from(["last", "mean", "max", "attention"]))
    return BodySpec(kind, drawn(st.integers(1, 5)), pooling=pooling, **options)


@pytest.mark.parametrize("native", [True, False])
@settings(max_examples=12)
@given(spec=specs(), seed=st.integers(0, 10**6), masked=st.sampled_from(["none", "front", "any"]))
def test_every_option_beside_torch(native: bool, spec: BodySpec, seed: int, masked: str) -> None:
    module: Any = randomised(build_body(spec, seed), seed, 0.7)
    x, mask = draw(3, 7, spec.inputs, seed=seed), mask_of(3, 7, masked, seed)
    with engine(native):
        body = forward.build_body(spec.to_json(), arrays_of(module, "network.body."), "network.body.")
        same(body.steps(x, mask), module, lambda m, *given: m.steps(*given), x, mask)
        same(body.summary(x, mask), module, lambda m, *given: m.summary(*given), x, mask)
        same(body.both(x, mask), module, lambda m, *given: m(*given), x, mask)
        assert body.causal == module.causal
        assert body.output_size == module.output_size
        first, state = body.carry(x[:, :3])
        second, after = body.carry(x[:, 3:], state)
        if body.causal:
            same((first, second), module, lambda m, x: (m.steps(x)[:, :3], m.steps(x)[:, 3:]), x)
            same(after, module, lambda m, x: m.carry(x)[1], x)
            stream = body.stream(3)
            ours = np.stack([stream.step(x[:, t]).copy() for t in range(7)], axis=1)
            same(ours, module, lambda m, x: m.steps(x), x)
            same(stream.state(), module, lambda m, x: m.carry(x)[1], x)
            stream.restore(state)
            np.testing.assert_allclose(stream.step(x[:, 3]), second[:, 0], atol=1e-5)
        else:
            with pytest.raises(SettingError, match="from its end"):
                body.stream()


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("masked", ["none", "front", "any"])
def test_jordan(native: bool, masked: str) -> None:
    spec = BodySpec("jordan", 3, units=9, outputs=4)
    module: Any = randomised(build_body(spec, 1), 1)
    x, mask = draw(5, 6, 3), mask_of(5, 6, masked)
    with engine(native):
        body = forward.build_body(spec, arrays_of(module))
        same(body.steps(x, mask), module, lambda m, *given: m.steps(*given), x, mask)
        stream = body.stream(5)
        ours = np.stack([stream.step(x[:, t]).copy() for t in range(6)], axis=1)
        same(ours, module, lambda m, x: m.steps(x), x)
