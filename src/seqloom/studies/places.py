"""Where a study finds its data: the path it is given, else the folder that SEQLOOM_DATA names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from seqloom_runtime.errors import DataError

__all__ = ["data_file", "data_folder"]


def data_file(given: str | None, names: Sequence[str], origin: str) -> Path:
    """The first of `names` (paths below a data folder) that is there.

    given: the file itself, or a folder to look in instead of the one that SEQLOOM_DATA names. Raises DataError, saying
    where it was looked for and where the original lies (`origin`, a sentence), where there is none.
    """
    if given is not None and not Path(given).exists():
        raise DataError(f"data: expected a file, or a folder that holds {names[0]}; there is no {given}.")
    if given is not None and Path(given).is_file():
        return Path(given)
    folder = given or os.environ.get("SEQLOOM_DATA")
    if not folder:
        raise DataError(
            f"data: expected {' or '.join(names)}; set SEQLOOM_DATA to its folder, or name the file. {origin}"
        )
    for name in names:
        # With and without the data set's own folder, since --data may name that folder itself.
        for path in (Path(folder) / name, Path(folder) / Path(name).name):
            if path.is_file():
                return path
    asked = "data" if given is not None else "SEQLOOM_DATA"
    raise DataError(f"{asked}: expected {' or '.join(names)} in {folder}, found neither. {origin}")


def data_folder(given: str | None, name: str, origin: str) -> Path:
    """The folder `name` below a data folder, looked for as `data_file` does for a file; raises DataError too."""
    folder = given or os.environ.get("SEQLOOM_DATA")
    if not folder:
        raise DataError(f"data: expected the folder {name}; set SEQLOOM_DATA to the one that holds it. {origin}")
    for path in (Path(folder) / name, Path(folder) / Path(name).name):
        if path.is_dir():
            return path
    asked = "data" if given is not None else "SEQLOOM_DATA"
    raise DataError(f"{asked}: expected the folder {name} in {folder}, found none. {origin}")
