"""`python -m bench.serving`: requests a second of `seqloom serve`, beside the same models in FastAPI."""
