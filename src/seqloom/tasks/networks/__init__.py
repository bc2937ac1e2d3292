"""The library of networks that every task draws from: bodies, poolings, heads, and the tables of models by task."""

from __future__ import annotations

from .body import Body, RecurrentBody, WholeBody, build_body, lengthened, make_recurrent, receptive_field
from .convolutional import dropped, steps_needed, steps_read
from .decay import DecayBody
from .heads import build_head, seeded_linear
from .pooling import POOLINGS, AttentionPooling, Pooling, make_pooling
from .registry import (
    BODIES,
    HEADS,
    BodyKind,
    HeadKind,
    Model,
    body_kind,
    model_of,
    names_for,
    register_body,
    register_head,
    register_models,
)
from .spec import ACTIVATION_NAMES, BodySpec, CellSpec, Spec, body_spec, refuse_cell

__all__ = [
    "ACTIVATION_NAMES",
    "BODIES",
    "HEADS",
    "POOLINGS",
    "AttentionPooling",
    "Body",
    "BodyKind",
    "BodySpec",
    "CellSpec",
    "DecayBody",
    "HeadKind",
    "Model",
    "Pooling",
    "RecurrentBody",
    "Spec",
    "WholeBody",
    "body_kind",
    "body_spec",
    "build_body",
    "build_head",
    "dropped",
    "lengthened",
    "make_pooling",
    "make_recurrent",
    "model_of",
    "names_for",
    "receptive_field",
    "refuse_cell",
    "register_body",
    "register_head",
    "register_models",
    "seeded_linear",
    "steps_needed",
    "steps_read",
]
