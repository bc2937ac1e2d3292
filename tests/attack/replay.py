"""Runs a kept finding again, in this process or, to see whether it is mended, in one of its own."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .batch import cases_of, seconds_of
from .verdict import judged

__all__ = ["recheck", "replay"]


def replay(place: Path) -> bool:
    """Run the case of the finding in folder `place`; prints what happens, returns whether all is well."""
    found = json.loads((place / "finding.json").read_text("utf-8"))
    target, files = found["target"], (place / "files").resolve()
    module = importlib.import_module(target if "." in target else f"{__package__}.{target}")
    again = getattr(module, "again", None)
    with tempfile.TemporaryDirectory() as folder:
        if again is not None and files.is_dir():
            shutil.copytree(files, folder, dirs_exist_ok=True, symlinks=True)
            os.chdir(folder)
            action = again(found["description"])
        else:
            os.chdir(folder)
            stream = itertools.islice(cases_of(target, found["seed"]), found["index"], None)
            description, action = next(stream)
            if description[:500] != found["description"]:
                print("the stream of this seed has changed since; this is another case:", description[:200])
        signal.alarm(int(seconds_of(target)) + 1)  # a hang ends in SIGALRM
        verdict, _, finding = judged(action)
        signal.alarm(0)
        os.chdir("/")
    print(found["description"][:300])
    print(verdict if finding is None else f"{verdict}: {finding.kind}\n{finding.detail}")
    return finding is None


def recheck(places: list[Path]) -> int:
    """Run each finding again in a process of its own, move those that are mended aside; returns how many are open."""
    still = 0
    for place in places:
        command = [sys.executable, "-m", "tests.attack", "--replay", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        print(f"{'mended' if done.returncode == 0 else 'open'}: {place.name}")
        if done.returncode == 0:
            mended = place.parents[1] / "mended" / place.name
            shutil.rmtree(mended, ignore_errors=True)
            mended.parent.mkdir(exist_ok=True)
            os.rename(place, mended)
        else:
            still += 1
    return still
