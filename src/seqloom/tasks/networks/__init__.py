"""The bodies that the networks of sequence and text tasks share, their pooling, and their read-out."""

from __future__ import annotations

from .body import Body, build_body, count_parameters, receptive_field
from .pooling import POOLINGS, AttentionPooling, Pooling, make_pooling
from .readout import seeded_linear
from .spec import ACTIVATION_NAMES, BODIES, CONVOLUTIONAL, RECURRENT, BodySpec

__all__ = [
    "ACTIVATION_NAMES",
    "BODIES",
    "CONVOLUTIONAL",
    "POOLINGS",
    "RECURRENT",
    "AttentionPooling",
    "Body",
    "BodySpec",
    "Pooling",
    "build_body",
    "count_parameters",
    "make_pooling",
    "receptive_field",
    "seeded_linear",
]
