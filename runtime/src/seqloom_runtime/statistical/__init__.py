"""Baselines and statistical methods as they forecast, and prediction intervals over rolling origins."""
