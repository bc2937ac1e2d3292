"""Build the C++ tests, warnings as errors, and run them: `python runtime/native/tests/run.py [--sanitize thread]`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def tool(name: str) -> str:
    """The program of this environment where it has one, else the system's."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


def main() -> int:
    """Configure, build, run; the number of failed tests is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", default="", help="address,undefined or thread")
    parser.add_argument("--only", default="", help="run the tests whose name contains this")
    options = parser.parse_args()
    folder = ROOT / "build" / ("cpp-" + (options.sanitize.replace(",", "-") or "plain"))
    settings = [
        "-DSEQLOOM_MODULE=OFF",
        "-DSEQLOOM_TESTS=ON",
        "-DSEQLOOM_WERROR=ON",
        f"-DSEQLOOM_SANITIZE={options.sanitize}",
    ]
    ninja = tool("ninja")
    configure = [
        tool("cmake"),
        "-S",
        str(ROOT / "runtime"),
        "-B",
        str(folder),
        "-G",
        "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
    ]
    subprocess.run([*configure, *settings], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ninja, "-C", str(folder), "--quiet"], check=True)
    tests = [path for path in sorted(folder.glob("test_*")) if os.access(path, os.X_OK) and options.only in path.name]
    return sum(subprocess.run([str(path)], check=False).returncode != 0 for path in tests)


if __name__ == "__main__":
    sys.exit(main())
