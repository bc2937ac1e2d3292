"""torch.optim without torch._dynamo, which takes a second to import and which a run that compiles nothing never needs.

Methods of torch's optimizers are hidden from torch.compile by a wrapper that imports torch._dynamo at the first call,
to ask it what to do. Where nobody has imported that, nothing is being compiled, and the method itself is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["optimizers_without_dynamo"]

_MODULE = "torch._dynamo"
_KEPT = "__dynamo_disable"  # where torch/_compile.py keeps what torch._dynamo made of a function
_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def optimizers_without_dynamo() -> None:
    """Have torch's optimizers ask torch._dynamo from the moment on when somebody has imported it, and not before."""
    for name in _METHODS:
        wrapper: Any = getattr(torch.optim.Optimizer, name)
        method = getattr(wrapper, "__wrapped__", None)
        if method is not None and not hasattr(method, _KEPT) and _MODULE not in sys.modules:
            setattr(method, _KEPT, _until_imported(wrapper, method))


def _until_imported(wrapper: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        if _MODULE not in sys.modules:
            return method(*args, **kwargs)
        if getattr(method, _KEPT, None) is called:
            delattr(method, _KEPT)  # torch's wrapper then asks torch._dynamo, as it would have done
        return wrapper(*args, **kwargs)

    return called
