"""Forecasts of a saved forecaster: from the last rows of a table to the rows ahead, with intervals and sample paths."""
