"""Clients that ask without a pause and check every answer: how the tests put a server under load."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

__all__ = ["Load"]


class Load:
    """`clients` threads that send windows to a model and hold the answers to what may be said.

    truths: the forecasts (N, K) of each model that may answer. Use as a context: it stops at the end. `answers` counts
    those that were right by the model that gave them, `wrong` and `lost` say what must not happen; a refusal with
    Retry-After is asked again.
    """

    def __init__(
        self, address: str, model: str, windows: np.ndarray, truths: Sequence[np.ndarray], clients: int = 4
    ) -> None:
        self._address, self._model, self._windows, self.truths = address, model, windows, list(truths)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        self.answers: dict[int, int] = {}
        self.wrong: list[Any] = []
        self.lost: list[str] = []
        self.refused = 0
        self.ending = False

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Have every client finish the request that it sent."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def until(self, answers: int, seconds: float = 60.0) -> None:
        """Returns once so many answers more have come."""
        target, deadline = sum(self.answers.values()) + answers, time.monotonic() + seconds
        while sum(self.answers.values()) < target:
            assert time.monotonic() < deadline, (self.answers, self.wrong, self.lost)
            time.sleep(0.005)

    def _run(self, number: int) -> None:
        draw = np.random.default_rng(number)
        with httpx.Client(base_url=self._address, timeout=60, trust_env=False) as client:
            while not self._stopping.is_set():
                at = int(draw.integers(len(self._windows)))
                window = self._windows[at]
                tensor = {
                    "name": "past",
                    "shape": [1, *window.shape],
                    "datatype": "FP64",
                    "data": window.ravel().tolist(),
                }
                try:
                    answer = client.post(f"/v2/models/{self._model}/infer", json={"inputs": [tensor]})
                except httpx.ConnectError:
                    if self.ending:  # it listens no more: nothing was accepted
                        return
                    self._note(lost="not accepted")
                    continue
                except httpx.TransportError as fault:
                    self._note(lost=repr(fault))
                    continue
                self._check(answer, at)

    def _check(self, answer: httpx.Response, at: int) -> None:
        if answer.status_code == 503 and "retry-after" in answer.headers:
            with self._lock:
                self.refused += 1
            return
        if answer.status_code != 200:
            self._note(wrong=answer.text)
            return
        found = np.array(json.loads(answer.content)["outputs"][0]["data"])
        fits = [number for number, truth in enumerate(self.truths) if np.allclose(found, truth[at], rtol=1e-5)]
        if fits:
            with self._lock:
                self.answers[fits[-1]] = self.answers.get(fits[-1], 0) + 1
        else:
            self._note(wrong=found)

    def _note(self, *, wrong: Any = None, lost: str | None = None) -> None:
        with self._lock:
            if wrong is not None:
                self.wrong.append(wrong)
            if lost is not None:
                self.lost.append(lost)
