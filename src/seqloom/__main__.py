"""`python -m seqloom` is the `seqloom` command."""

from __future__ import annotations

from .app.main import run

if __name__ == "__main__":
    run()
