"""What every estimator shares: scikit-learn's manners without depending on scikit-learn.

Constructors only store; `fit` validates; learned attributes end in an underscore; `get_params`, `set_params` and
`sklearn.base.clone` work.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from seqloom_runtime.errors import NotFittedError, SettingError, shown, suggest
from seqloom_runtime.extras import refuse_without

from .constraints import Constraint, check_parameters

__all__ = ["Estimator", "refuse_without_packages_of"]

# What only some models of an estimator learn: the others don't have the attribute, so that `hasattr` tells them apart.
_OF_SOME = ("learned", "baseline", "members", "bag", "tokenizer", "picture")


class Estimator:
    """Base of the estimators.

    A subclass lists its parameters in `__init__`, keyword only, their ranges in `_constraints`, and names in `_fitted`
    an attribute that `fit` sets last. One that fits or is evaluated by a package of an extra says so in `_packages`.
    """

    _constraints: ClassVar[Mapping[str, Constraint]] = {}
    _fitted: ClassVar[str] = ""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        signature = inspect.signature(cls.__init__)
        names = [name for name, p in signature.parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
        # In the order of the table, which inherited fields don't keep and the files of saved models do.
        return [name for name in dict.fromkeys([*cls._constraints, *names]) if name in names]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters by name; `deep` is accepted for scikit-learn and changes nothing here."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name and return self; raises SettingError for a name that doesn't exist."""
        known = self._parameter_names()
        for name, value in parameters.items():
            if name not in known:
                raise SettingError(f"{type(self).__name__} has no parameter {shown(name)}.{suggest(name, known)}")
            setattr(self, name, value)
        return self

    def _check_parameters(self) -> None:
        check_parameters(self.get_params(), self._constraints)

    def _packages(self) -> Mapping[str, str]:
        """Modules of extras that fitting and evaluating need with these parameters, and what for, as `need` has it."""
        return {}

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet: call fit first.")

    def _take(self, fitted: Any) -> None:
        """Assign what a fit found, now or before it was saved: each field as the attribute name_."""
        for name, value in vars(fitted).items():
            if value is None and name in _OF_SOME:
                continue
            setattr(self, f"{name}_", value)

    def _forget(self) -> None:
        """Remove all learned attributes, so that an estimator never mixes two fits."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as a folder that `seqloom.load` reads; an existing model folder is replaced whole.

        Raises NotFittedError before `fit`, SettingError where `path` holds anything else.
        """
        from .loading import folder_of

        self._check_fitted()
        folder_of(type(self)).write_fitted(self, path)

    def to_onnx(self, path: str | os.PathLike[str], *, opset: int = 17, stateful: bool = False) -> None:
        """Write the fitted model as an ONNX file of standard operators, which computes what `predict` does.

        opset: the version of the operators. stateful: the state goes in and comes out, so that a causal model can run
        piece by piece. The record `seqloom` in the file's metadata names inputs, outputs and what they hold;
        vocabularies stand beside the file as JSON. Raises SettingError, with the reason, for a model that has no form
        there; MissingDependencyError without the onnx package.
        """
        from .exporting import export_model

        self._check_fitted()
        export_model(self, path, opset, stateful)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn, which alone calls this, asks of an estimator that isn't derived from its own."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=InputTags())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._fitted)


def refuse_without_packages_of(estimators: Iterable[Any]) -> None:
    """Raise MissingDependencyError where a package that one of these needs later on is not installed.

    One that is not derived from `Estimator` needs none.
    """
    for each in estimators:
        for module, purpose in each._packages().items() if isinstance(each, Estimator) else ():
            refuse_without(module, purpose)
