"""Small trained models that come with the package: listed by name, each with a card, loaded without a network.

>>> import seqloom
>>> seqloom.zoo.load("dates").predict(["5 March 2024"])
['2024-03-05']
"""

from .shelf import Card, card, folder, load, names

__all__ = ["Card", "card", "folder", "load", "names"]
