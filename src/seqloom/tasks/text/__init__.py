"""Texts: the classifier and its networks."""

from __future__ import annotations
