"""How the models of the zoo are made: `python -m bench.zoo NAME …`."""
