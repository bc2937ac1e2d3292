"""The runtime's models are those of the tests of the tasks: their makers are found here too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
