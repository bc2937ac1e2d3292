"""seqloom: sequences in, a trained, checked and deployable model out."""

__version__ = "0.1.0"
