"""Build the C++ tests, warnings as errors, and run them: `python runtime/native/tests/run.py [--sanitize thread]`.

With --neon they are built for 64-bit ARM by a cross compiler and run under an emulator, for correctness, not speed.
"""

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


CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def lacking() -> str:
    """What the tests on 64-bit ARM need and this machine lacks, in one sentence; empty where nothing is."""
    missing = [name for name in (CROSS, EMULATOR) if shutil.which(name) is None]
    if not missing:
        return ""
    packages = "apt-get install g++-aarch64-linux-gnu qemu-user"
    return f"skipped: the tests on 64-bit ARM need {' and '.join(missing)} ({packages})."


def runs_avx512() -> bool:
    """Whether this processor has AVX-512; true where Linux doesn't say."""
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def main() -> int:
    """Configure, build, run; the number of failed tests is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", default="", help="address,undefined or thread")
    parser.add_argument("--only", default="", help="run the tests whose name contains this")
    parser.add_argument("--neon", action="store_true", help="for 64-bit ARM, under an emulator; skipped without one")
    options = parser.parse_args()
    if options.neon and options.sanitize:
        parser.error("--neon has no sanitizers: leave out --sanitize.")
    if options.neon and lacking():
        print(lacking())
        return 0
    folder = ROOT / "build" / ("cpp-" + (options.sanitize.replace(",", "-") or ("neon" if options.neon else "plain")))
    settings = [
        "-DSEQLOOM_MODULE=OFF",
        "-DSEQLOOM_TESTS=ON",
        "-DSEQLOOM_WERROR=ON",
        f"-DSEQLOOM_SANITIZE={options.sanitize}",
    ]
    if options.sanitize:  # sees the same at -Og as at -O1, and compiles three times as fast
        settings.append("-DCMAKE_CXX_FLAGS_RELEASE=-Og -DNDEBUG")
        settings.append(f"-DSEQLOOM_AVX512_RUNS={'ON' if runs_avx512() else 'OFF'}")
    if options.neon:
        settings += [
            "-DCMAKE_SYSTEM_NAME=Linux",
            "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
            f"-DCMAKE_CXX_COMPILER={CROSS}",
        ]
    run = [EMULATOR, "-L", "/usr/aarch64-linux-gnu"] if options.neon else []
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
    surroundings = {**os.environ, "SEQLOOM_EMULATED": "1"} if options.neon else None
    return sum(subprocess.run([*run, str(path)], env=surroundings, check=False).returncode != 0 for path in tests)


if __name__ == "__main__":
    sys.exit(main())
