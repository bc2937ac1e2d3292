"""`Predictor`: what all that `load` returns have in common: a short name in print, and a word to who would train it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Predictor"]

_TRAINING = frozenset({"evaluate", "fit", "save", "to_onnx", "update"})


class Predictor:
    """The base of the predictors; `made_of` is the task and the model's name as the folder has them, "" where unknown.

    >>> Predictor().fit
    Traceback (most recent call last):
    AttributeError: Predictor has no fit: the runtime trains nothing, it only predicts; use seqloom for it.
    """

    made_of = ("", "")

    def __repr__(self) -> str:
        task, model = self.made_of
        own = vars(self).get("model")
        model = model or (own if isinstance(own, str) else "")
        told = [*([f"model={model!r}"] if model else []), *([f"task={task!r}"] if task else [])]
        return f"{type(self).__name__}({', '.join(told)})"

    if not TYPE_CHECKING:  # a type checker would take every misspelt name for an attribute

        def __getattr__(self, name: str) -> Any:
            kind = type(self).__name__
            if name in _TRAINING:
                raise AttributeError(
                    f"{kind} has no {name}: the runtime trains nothing, it only predicts; use seqloom for it.",
                    name=name,
                    obj=self,
                )
            raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=self)
