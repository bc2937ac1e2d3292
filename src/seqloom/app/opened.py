"""What RUN names: a run folder, a model folder, or with `zoo:` before it a model that comes with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["RUN", "opened"]

RUN = "Run folder or model folder, or zoo:NAME (seqloom zoo lists them)."


def opened(run: Path) -> Path:
    """The folder itself; raises SettingError for a model that the zoo doesn't have."""
    # A folder that is called so is what was meant.
    if not run.parent.name and str(run).startswith("zoo:") and not run.exists():
        from ..zoo import folder

        return folder(str(run))
    return run
