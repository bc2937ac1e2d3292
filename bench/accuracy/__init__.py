"""How good the forecasts are: `python -m bench.accuracy` runs ours and the peers' on the same windows."""
