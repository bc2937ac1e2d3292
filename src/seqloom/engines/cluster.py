"""A cluster of Ray: jobs as its tasks, the data once in its object store, a dead worker's or node's work done again.

Ray passes data between processes by pickle: the one use of it in the package, and never on a file. Whoever reaches a
port of Ray can run code, so that a cluster which is started here listens on this machine alone.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqloom_runtime.errors import DataError, SettingError, brief, shown
from seqloom_runtime.extras import need

from .engine import ATTEMPTS, Failed, Work, failure, outcome, processors
from .packing import pack, unpack

__all__ = ["OPEN_PORTS", "RayEngine"]

OPEN_PORTS = (
    "Whoever reaches a port of a Ray cluster can run code on it: keep it in a network that you trust, as Ray asks for "
    "no password."
)

_ADDRESS = re.compile(r"(?:ray://)?(?P<host>\[[^\[\]/]+\]|[^\[\]/:\s]+):(?P<port>\d{1,5})")
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # with empty settings
_PATIENCE = 10.0  # seconds


@dataclass(eq=False)
class RayEngine:
    """At most `asked` jobs at a time (by default as many as the cluster has processors), on the cluster at `address`
    or one that is started on this machine."""

    asked: int | None = None
    address: str | None = None
    workers: int = field(default=1, init=False)
    shares_folders: bool = field(default=False, init=False)
    _ray: Any = field(default=None, repr=False)
    _ours: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        """Connect; raises SettingError where there is no cluster at the address, or one of other versions."""
        if self.address is not None and self.address != "auto" and not _ADDRESS.fullmatch(self.address):
            raise SettingError(
                f"ray_address: expected HOST:PORT, or auto for the cluster of this machine, got {shown(self.address)}."
            )
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which starves beside any other program
        self._ray = need("ray", "the engine ray")
        if not self._ray.is_initialized():
            self._connect()
            self._ours = True
        # A cluster on this machine alone sees the folders of this process; of another one nobody knows.
        self.shares_folders = self.address is None
        whole = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = max(1, min(self.asked or whole, whole))

    def _connect(self) -> None:
        how: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if self.address is None:
            # "local": one of our own, also where another runs on this machine or RAY_ADDRESS names one
            how |= {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            how["num_cpus"] = self.asked or processors()
        where = "started on this machine" if self.address is None else f"reached at {self.address}"
        try:
            if self.address is not None:
                how["address"] = found = _meant() if self.address == "auto" else self.address
                where = f"reached at {found}" + (", which auto means" if self.address == "auto" else "")
                _answers(found)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._ray.init(**how)
        except SettingError:
            raise
        except Exception as error:  # noqa: BLE001 - Ray raises whatever the lower layers do
            text = " ".join(str(error).split())
            if (versions := re.findall(r"Ray: (\S+) Python: (\S+)", text)) and len(versions) == 2:
                there, here = (f"Ray {ray} and Python {python}" for ray, python in versions)
                raise SettingError(
                    f"ray_address: the cluster at {self.address} has {there}, here are {here}; use the same versions."
                ) from None
            raise SettingError(f"ray_address: no Ray cluster could be {where} ({brief(text, 200)}).") from None

    def run(
        self,
        work: Work,
        shared: Any,
        jobs: Sequence[Any],
        *,
        on_result: Callable[[int, Any], None] | None = None,
        on_told: Callable[[int, Any], None] | None = None,
    ) -> list[Any]:
        """As `Engine.run`; what a job tells is not passed on."""
        ray = self._ray
        held = ray.put(shared)  # once, however many jobs read it
        task = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_do)
        results: list[Any] = [None] * len(jobs)
        here = _versions()
        waiting, running = list(range(len(jobs)))[::-1], {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    index = waiting.pop()
                    running[task.remote(work, held, jobs[index], here)] = index
                done, _ = ray.wait(list(running), num_returns=1)
                for reference in done:
                    index = running.pop(reference)
                    results[index] = self._result(reference)
                    if on_result is not None:
                        on_result(index, results[index])
        finally:
            for reference in running:  # Ctrl-C, or an exception of a callback
                ray.cancel(reference, force=True)
        return results

    def _result(self, reference: Any) -> Any:
        try:
            found = unpack(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            if "ModuleNotFoundError" in str(error):
                raise DataError(
                    "The workers of the Ray cluster lack a package that is here; install seqloom of the same version "
                    f"on every node ({brief(' '.join(str(error).split())[-300:], 200)})."
                ) from None
            reason = brief(str(error).strip().partition("\n")[0], 200)
            return Failed("", f"{ATTEMPTS} workers of the cluster were lost in turn ({reason}).")
        if "differs" in found:
            # Not a result of the job: another node may do it, once that one has what is here.
            raise SettingError(f"ray_address: {found['differs']}; install the same versions on every node.")
        return failure(found) if "failed" in found else found["result"]

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        if self._ours:
            self._ray.shutdown()
            self._ours = False


def _meant() -> str:
    """The address that `auto` means: RAY_ADDRESS, a cluster that runs on this machine, or the last that was started.

    Raises ConnectionError where there is none, SettingError where RAY_ADDRESS is no address.
    """
    named = os.environ.get("RAY_ADDRESS", "")
    if named and named != "auto":
        found = named
    else:
        found = need("ray._private.services", "the engine ray").canonicalize_bootstrap_address("auto")
    if not _ADDRESS.fullmatch(found or ""):
        raise SettingError(
            f"ray_address: auto takes what RAY_ADDRESS says; expected HOST:PORT there, got {shown(found)}."
        )
    return found


def _answers(address: str) -> None:
    """Raise OSError within seconds where no server of Ray's kind answers at the address; Ray asks again for minutes.

    Ray's is one of gRPC, which sends its settings to whoever greets it as HTTP/2 has it.
    """
    known = _ADDRESS.fullmatch(address)
    if known is None or os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return
    with socket.create_connection((known["host"].strip("[]"), int(known["port"])), timeout=_PATIENCE) as connection:
        connection.sendall(_GREETING)
        head = b""
        while len(head) < 4 and (more := connection.recv(16)):
            head += more
    if head[3:4] != b"\x04":
        raise OSError("what answers there is no Ray")


def _versions() -> dict[str, str]:
    """Of what the bits of a result depend on, beside Python and Ray, which Ray looks at itself."""
    import numpy as np
    import torch

    from seqloom_runtime import __version__  # which is seqloom's own

    own = {"seqloom": __version__, "torch": torch.__version__, "numpy": np.__version__}
    return {name: version.partition("+")[0] for name, version in own.items()}  # +cpu and the like


def _do(work: Work, shared: Any, job: Any, wanted: dict[str, str]) -> bytes:
    """A job in a worker of the cluster; what is installed differently there, where something is."""
    odd = [f"{name} {own}, not {wanted[name]}" for name, own in _versions().items() if own != wanted[name]]
    if odd:
        return pack({"differs": f"a node of the cluster ({platform.node()}) has {' and '.join(odd)}"})
    return pack(outcome(work, shared, job, lambda value: None))
