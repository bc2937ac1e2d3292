"""Panels larger than memory: made once of Parquet files, kept as plain arrays on disk, and mapped."""

from ...limits import LEAST_MEMORY, USUAL_MEMORY
from .building import store_panel
from .sampled import SampledPanel, sample
from .stored import StoredPanel

__all__ = ["LEAST_MEMORY", "USUAL_MEMORY", "SampledPanel", "StoredPanel", "sample", "store_panel"]
