"""Build the Python module under sanitizers and run Python tests on it: `run_module.py --sanitize thread`.

The tests are those that hand it odd tensors and random compositions of operations, besides the exact ones of its bits.
Python itself and torch are not instrumented, so the sanitizer's library is loaded first; leaks of theirs are not looked
for, and under `thread` torch runs alone while our own workers run three at a time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from run import ROOT, tool

TESTS = ("tests/ops/test_odd_tensors.py", "tests/ops/test_gradients_again.py", "tests/nn/test_torch_tools.py")
LIBRARIES = {"address,undefined": ("libasan.so", "libubsan.so"), "thread": ("libtsan.so",)}
SETTINGS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=66",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=66:report_signal_unsafe=0:ignore_noninstrumented_modules=1",
    "OMP_NUM_THREADS": "1",
    "PYTHONMALLOC": "malloc",  # Python's own arenas would hide what lies behind an array
}
PLUGIN = '''
"""Puts the sanitized module in the place of the installed one."""
import importlib.util, os, sys
import seqloom_runtime.native as native
spec = importlib.util.spec_from_file_location("seqloom_runtime._native", os.environ["SEQLOOM_SANITIZED"])
module = importlib.util.module_from_spec(spec)
sys.modules["seqloom_runtime._native"] = module
spec.loader.exec_module(module)
native._share_threads = lambda found: None
native.threads = lambda: 3
'''


def build(sanitize: str) -> Path:
    """The sanitized module, in a build folder of its own."""
    import nanobind

    folder = ROOT / "build" / ("module-" + sanitize.replace(",", "-"))
    settings = {
        "CMAKE_MAKE_PROGRAM": tool("ninja"),
        "Python_EXECUTABLE": sys.executable,
        "nanobind_DIR": nanobind.cmake_dir(),
        "SEQLOOM_SANITIZE": sanitize,
        "SEQLOOM_WERROR": "ON",
    }
    flags = [f"-D{name}={value}" for name, value in settings.items()]
    configure = [tool("cmake"), "-S", str(ROOT / "runtime"), "-B", str(folder), "-G", "Ninja", *flags]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([tool("ninja"), "-C", str(folder), "--quiet"], check=True)
    (module,) = folder.glob("_native*.so")
    (folder / "sanitized_plugin.py").write_text(PLUGIN, encoding="utf-8")
    return module


def main() -> int:
    """Build, then run the tests in a process with the sanitizer's library; its exit status is ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", default="address,undefined", choices=sorted(LIBRARIES))
    parser.add_argument("tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    module = build(options.sanitize)
    found = [
        subprocess.run(["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in LIBRARIES[options.sanitize]
    ]
    environment = {**os.environ, **SETTINGS, "LD_PRELOAD": " ".join(found), "SEQLOOM_SANITIZED": str(module)}
    environment["PYTHONPATH"] = str(module.parent)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "sanitized_plugin", "-x"]
    chosen = ["-k", "not compile and not export", "-m", "not deep"]  # the compiler's own work takes minutes here
    return subprocess.run([*pytest, *chosen, *options.tests], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
