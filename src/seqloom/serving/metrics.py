"""What the server counts, in the text form that Prometheus reads. All of it is counted in the one process that owns the
connections, so that it holds for any number of workers."""

from __future__ import annotations

import os
import resource
import time
from bisect import bisect_left
from collections.abc import Mapping

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Cumulative counts, as the text form has them."""
        found, count = [], 0
        comma = "," if labels else ""
        for bound, each in zip((*self.bounds, "+Inf"), self.counts):
            count += each
            found.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {count}')
        inner = f"{{{labels}}}" if labels else ""
        return [*found, f"{name}_sum{inner} {self.total:.9g}", f"{name}_count{inner} {count}"]


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.rejected = self.swaps = self.damaged = self.restarts = self.steps = self.resumed = self.refused = 0
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[tuple[str, str], _Histogram] = {}
        self._batches = _Histogram(_SIZES)
        self._begun = time.time()

    def request(self, route: str, model: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (route, model, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        held = self._seconds.get((route, model))
        if held is None:
            held = self._seconds[route, model] = _Histogram(_SECONDS)
        held.add(seconds)

    def batch(self, size: int) -> None:
        """Count a batch of so many requests."""
        self._batches.add(size)

    def text(self, now: Mapping[str, float]) -> str:
        """All counters, and the present values `now`."""
        lines = ["# TYPE seqloom_requests_total counter"]
        for (route, model, status), count in sorted(self._requests.items()):
            lines.append(f'seqloom_requests_total{{{_labels(route, model)},status="{status}"}} {count}')
        lines.append("# TYPE seqloom_request_seconds histogram")
        for (route, model), held in sorted(self._seconds.items()):
            lines += held.lines("seqloom_request_seconds", _labels(route, model))
        lines += ["# TYPE seqloom_batch_size histogram", *self._batches.lines("seqloom_batch_size", "")]
        counters = {
            "queue_rejected": self.rejected,
            "connections_refused": self.refused,
            "model_swaps": self.swaps,
            "model_load_failures": self.damaged,
            "worker_restarts": self.restarts,
            "stream_steps": self.steps,
            "streams_resumed": self.resumed,
        }
        for name, value in counters.items():
            lines += [f"# TYPE seqloom_{name}_total counter", f"seqloom_{name}_total {value}"]
        gauges = {**now, "process_start_time_seconds": self._begun, "process_resident_memory_bytes": _resident()}
        for name, value in gauges.items():
            name = name if name.startswith("process_") else f"seqloom_{name}"
            lines += [f"# TYPE {name} gauge", f"{name} {value:.15g}"]
        used = resource.getrusage(resource.RUSAGE_SELF)
        lines += ["# TYPE process_cpu_seconds_total counter"]
        lines.append(f"process_cpu_seconds_total {used.ru_utime + used.ru_stime:.6g}")
        return "\n".join(lines) + "\n"


def _labels(route: str, model: str) -> str:
    return f'route="{route}",model="{model}"'


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):  # no Linux: the most there ever was is the next best answer
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
