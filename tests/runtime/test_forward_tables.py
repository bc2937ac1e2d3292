"""The runtime's tables are the library's: what is registered there has a forward pass here, of the same shape."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
import torch
from forward_twins import arrays_of, draw, mask_of, randomised, same

from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.kinds import KINDS
from seqloom.ops.operators import ACTIVATION_CODES
from seqloom.tasks.anomalies import network as anomalies
from seqloom.tasks.networks import (
    BODIES,
    HEADS,
    POOLINGS,
    BodySpec,
    build_head,
    films,
    make_pooling,
    pictures,
    registry,
)
from seqloom.tasks.text import networks as texts
from seqloom_runtime import forward
from seqloom_runtime.forward import activations, cell

for _registering in (films, pictures, texts, anomalies):  # each registers its bodies, or its head
    assert _registering


def test_all_that_is_registered_has_a_forward_pass() -> None:
    """A body, a head or a model that the library has and the runtime has not fails here."""
    assert set(forward.BODIES) == set(BODIES)
    assert set(forward.HEADS) == set(HEADS)
    for task in forward.MODELS:
        importlib.import_module(f"seqloom.tasks.{_PLACES.get(task, task)}")
    theirs = {task: {n: vars(m) for n, m in models.items()} for task, models in registry._models.items()}
    assert {task: {n: vars(m) for n, m in models.items()} for task, models in forward.MODELS.items()} == theirs


def test_a_specification_has_the_same_fields() -> None:
    ours, theirs = ({one.name: one.default for one in fields(spec)} for spec in (forward.BodySpec, BodySpec))
    assert ours == theirs


_PLACES = {"pictures": "sequences", "films": "sequences"}


def test_nothing_of_the_runtime_imports_torch() -> None:
    """All its modules, in a process of their own."""
    program = (
        "import importlib, pkgutil, sys, seqloom_runtime\n"
        "for found in pkgutil.walk_packages(seqloom_runtime.__path__, 'seqloom_runtime.'):\n"
        "    if '_native' not in found.name: importlib.import_module(found.name)\n"
        "print(sorted({'torch', 'seqloom'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", forward.BODIES)
def test_a_body_reads_the_same_options_and_has_the_same_width(name: str) -> None:
    ours, theirs = forward.BODIES[name], BODIES[name]
    assert set(ours.options) == set(theirs.options)
    assert set(ours.activations) == set(theirs.activations)
    values: dict[str, Any] = {"channels": (3, 5), "picture": (40, 32), "outputs": 3, "length": 4, "window": 2}
    spec = BodySpec(name, 6, units=7, **{key: value for key, value in values.items() if key in theirs.options})
    own = forward.spec_of(spec.to_json())
    assert (own.output_size, ours.field(own)) == (spec.output_size, theirs.field(spec))


def test_other_tables() -> None:
    assert forward.POOLINGS == POOLINGS
    assert list(cell.KINDS) == list(KINDS)
    assert tuple(forward.ACTIVATIONS) == tuple(ACTIVATIONS) == ACTIVATION_CODES == activations.CODES


@pytest.mark.parametrize("name", forward.ACTIVATIONS)
def test_activations(name: str) -> None:
    x = draw(2000, seed=3) * 8

    class Named(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return ACTIVATIONS[name](x)

    same(forward.activation_of(name)(x), Named(), lambda m, x: m(x), x)


@pytest.mark.parametrize("name", HEADS)
def test_heads(name: str) -> None:
    module = randomised(build_head(name, 9, 4, torch.Generator().manual_seed(1), hidden=5), 2)
    hidden = 5 if name in ("linear", "hidden") else 0
    head = forward.build_head(name, 9, 4, forward.Arrays(arrays_of(module, "output."), "output."), hidden=hidden)
    for x in (draw(3, 9), draw(2, 5, 9)):
        same(head(x), module, lambda m, x: m(x), x)


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("masked", ["none", "front", "any"])
def test_poolings(kind: str, masked: str) -> None:
    module: Any = randomised(make_pooling(kind, 6, 1), 1)
    pooling = forward.make_pooling(kind, 6, forward.Arrays(arrays_of(module, "pooling.")))
    x, mask = draw(4, 300, 6), mask_of(4, 300, masked)
    same(pooling(x, mask), module, lambda m, *given: m(*given), x, mask)
    if mask is not None:  # nothing of a masked step is read
        spoilt = x.copy()
        spoilt[~mask] = float("nan")
        assert (pooling(spoilt, mask) == pooling(x, mask)).all()


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        (BodySpec("dense", 5, units=7, layers=3, activation="elu", pooling="mean"), 4),
        (BodySpec("dense", 5, units=3, layers=2, stack=(9, 3), activations=("tanh", "softplus")), 4),
        (BodySpec("flat", 3, length=6), 4),
        (BodySpec("decomposed", 40, window=33), 1),
    ],
)
def test_bodies_without_a_memory(spec: BodySpec, steps: int) -> None:
    from seqloom.tasks.networks import build_body

    module: Any = randomised(build_body(spec, 3), 3)
    body = forward.build_body(spec.to_json(), arrays_of(module, "body."), "body.")
    x = draw(5, steps, spec.inputs)
    same(body.summary(x), module, lambda m, x: m.summary(x), x)
    if spec.kind == "dense":
        same(body.steps(x), module, lambda m, x: m.steps(x), x)
