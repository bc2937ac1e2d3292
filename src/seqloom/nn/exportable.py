"""`Exportable`: the method `to_onnx` of the layers."""

from __future__ import annotations

import importlib
import os

__all__ = ["Exportable"]


class Exportable:
    """Base of modules that write themselves as ONNX files."""

    def to_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        opset: int = 17,
        stateful: bool = False,
        lengths: bool = False,
        last_only: bool = False,
    ) -> None:
        """Write the module as an ONNX file, as it computes in evaluation: see `seqloom.nn.to_onnx`."""
        # By name: the export knows every layer, so no layer can import it.
        write = importlib.import_module("seqloom.nn.onnx_export").to_onnx
        write(self, path, opset=opset, stateful=stateful, lengths=lengths, last_only=last_only)
