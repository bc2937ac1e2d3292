"""The server behind its addresses: models looked up, requests queued and answered, folders watched."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SeqloomError, printable, shown

from .. import __version__
from .dispatch import Dispatcher
from .inside import Inside
from .jobs import Answer, Request, problem_answer
from .logs import Log
from .metrics import Metrics
from .problem import Problem, too_large
from .registry import Entry, Registry, Signature, Source, signature_of
from .settings import ServerSettings
from .streams import Streams
from .tokens import Tokens
from .workers import Workers

__all__ = ["Room", "Service"]

_PLATFORM = "seqloom"
_LOOKS_APART = 10  # that a refused folder is tried again after


@dataclass(frozen=True)
class _Refusal:
    """A folder that would not load: what it was, why, and the moment from which it is tried again."""

    signature: Signature
    fault: str
    again: float


class Service:
    """One server: what its addresses do."""

    def __init__(self, sources: Sequence[Source], settings: ServerSettings, tokens: Tokens, log: Log) -> None:
        self.settings, self.tokens, self.log = settings, tokens, log
        self.metrics, self.registry = Metrics(), Registry()
        self._sources = sources
        self._executor: Inside | Workers
        if settings.workers == 1:
            self._executor = Inside(settings.bounds)
        else:
            self._executor = Workers(settings.workers, settings.threads_each, settings.bounds, log, self.metrics)
        self._dispatch = Dispatcher(
            self._executor,
            self.metrics,
            most=settings.queue,
            together=settings.batch,
            delay=settings.batch_ms / 1000,
            patience=settings.timeout,
        )
        self._executor.on_free = self._dispatch.pump
        self.streams = Streams(settings.streams, settings.stream_keep, self._step, self._executor.served)
        self._generation = 0
        self._refused: dict[tuple[str, str], _Refusal] = {}
        self._doubtful: dict[tuple[str, str], Signature] = {}
        self._gone: dict[tuple[str, str], int] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self.ready = self.draining = False
        self.held = 0

    async def start(self) -> None:
        """Load every model; raises what loading raises, so that a server that starts has all that it was given."""
        await self._executor.start()
        for source in self._sources:
            for version, path in sorted(source.found().items(), key=lambda item: int(item[0])):
                await self._load(source.name, version, path)
        self.ready = True
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Answer what was accepted, then end what computes."""
        if self._watcher is not None:
            self._watcher.cancel()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._dispatch.drained(), self.settings.drain)
        self.streams.forget_all()
        await self._executor.stop()
        if self.ready:  # a server that refused to start has one sentence to say, and it is not this one
            self.log.event("stopped")

    async def infer(
        self, name: str, version: str | None, body: bytes, headers: Mapping[bytes, bytes], kind: str, **more: Any
    ) -> Answer:
        """The answer to a request of the kind "infer" or "predict"."""
        try:
            entry = self.registry.find(name, version)
            body = self._unpacked(body, headers)
            head = _head_length(headers) if kind == "infer" else None
            request = Request(kind, body, head, **more)
        except Problem as problem:
            return problem_answer(problem)
        answer = await self._dispatch.ask(entry.key, request)
        if answer.log:
            self.log.event("fault", model=name, version=entry.version, fault=answer.log)
        return answer

    async def _step(self, entry: Entry, request: Request) -> Answer:
        answer = await self._dispatch.ask(entry.key, request)
        if answer.log:
            self.log.event("fault", model=entry.name, version=entry.version, fault=answer.log)
        return answer

    def _unpacked(self, body: bytes, headers: Mapping[bytes, bytes]) -> bytes:
        coding = headers.get(b"content-encoding", b"").lower()
        if coding in (b"", b"identity"):
            return body
        if coding not in (b"gzip", b"deflate"):
            raise Problem(
                415, f"Content-Encoding: expected gzip, deflate or none, got {shown(coding.decode('latin-1'))}."
            )
        unpack = zlib.decompressobj(31 if coding == b"gzip" else 15)
        try:
            found = unpack.decompress(body, self.settings.body + 1)
        except zlib.error:
            raise Problem(400, f"The body: expected {coding.decode()} data, as Content-Encoding says.") from None
        if len(found) > self.settings.body:
            raise too_large("The body, unpacked", len(found), self.settings.body)
        if not unpack.eof:
            raise Problem(400, f"The body: the {coding.decode()} data is cut off; send all of it.")
        return found

    def server(self) -> dict[str, Any]:
        """What /v2 says."""
        return {"name": "seqloom", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}

    def describe(self, name: str, version: str | None) -> dict[str, Any]:
        """A model as the protocol describes it."""
        entry = self.registry.find(name, version)
        return {
            "name": name,
            "versions": self.registry.versions(name),
            "platform": _PLATFORM,
            "inputs": [tensor.to_json() for tensor in entry.about.inputs],
            "outputs": [tensor.to_json() for tensor in entry.about.outputs],
        }

    def configured(self, name: str, version: str | None) -> dict[str, Any]:
        """A model's configuration in Triton's words."""
        entry = self.registry.find(name, version)

        def told(tensors: Any) -> list[dict[str, Any]]:
            kinds = {"BYTES": "TYPE_STRING"}
            return [
                {"name": t.name, "data_type": kinds.get(t.datatype, f"TYPE_{t.datatype}"), "dims": list(t.shape[1:])}
                for t in tensors
            ]

        return {
            "name": name,
            "platform": _PLATFORM,
            "backend": _PLATFORM,
            "max_batch_size": self.settings.batch,
            "input": told(entry.about.inputs),
            "output": told(entry.about.outputs),
        }

    def listed(self) -> list[dict[str, Any]]:
        """The repository index of the protocol."""
        return [{"name": e.name, "version": e.version, "state": "READY", "reason": ""} for e in self.registry]

    def about(self, name: str | None = None, version: str | None = None) -> Any:
        """One model as a person wants to know it, or all of them."""
        if name is None:
            return {"models": [_about(entry) for entry in self.registry]}
        return _about(self.registry.find(name, version)) | {"versions": self.registry.versions(name)}

    def metrics_text(self) -> str:
        """The text for Prometheus."""
        self.metrics.steps, self.metrics.resumed = self.streams.steps, self.streams.resumed
        now = {
            "queue_requests": self._dispatch.open,
            "models": len(list(self.registry)),
            "ready": float(self.ready and not self.draining),
            "workers": len(self._executor.processes),
            "streams_connected": self.streams.connected,
            "streams_kept": self.streams.kept,
        }
        return self.metrics.text(now)

    async def _load(self, name: str, version: str, path: Path) -> Entry:
        """Load a folder and put it in the place of what has that name and version."""
        signature = signature_of(path)
        self._generation += 1
        key = (name, version, self._generation)
        begun = time.monotonic()
        about = await self._executor.load(key, path)
        if signature is None or signature_of(path) != signature:
            await self._executor.forget(key)
            raise Problem(409, f"{path}: the folder changed while it was read.")
        entry = Entry(name, version, path, key[2], about, signature)
        old = self.registry.put(entry)
        took = round(time.monotonic() - begun, 3)
        what = "loaded" if old is None else "swapped"
        self.log.event(what, model=name, version=version, generation=key[2], folder=str(path), seconds=took)
        if old is not None:
            self.metrics.swaps += 1
            self._retire(old)
        return entry

    def _retire(self, entry: Entry) -> None:
        """Forget a model that takes no new requests, as soon as nothing needs it any more."""

        async def wait() -> None:
            await self._dispatch.finished(entry.key)  # what is queued for it still finds it
            while self.streams.pins(entry):  # a stream goes on with the model that it began with
                await asyncio.sleep(1)
            await self._executor.forget(entry.key)

        task = asyncio.get_running_loop().create_task(wait())
        self._retiring.add(task)  # the loop itself holds no task that waits
        task.add_done_callback(self._retiring.discard)

    async def _watch(self) -> None:
        """Look at the folders time and again."""
        while True:
            await asyncio.sleep(self.settings.watch or 1.0)
            self.log.flush()
            self.streams.sweep()
            for source in self._sources if self.settings.watch else ():
                try:
                    await self.look(source)
                except Exception as fault:  # noqa: BLE001 - who watches no more serves an old model for ever, unsaid
                    self.log.event("fault", model=source.name, fault=repr(fault), so="the next look may do better")

    async def look(self, source: Source) -> None:
        """Load what is new or changed of a source. A folder that is damaged at two looks is told once, and what was
        there goes on: one look may fall between the two files of a model that is being saved. It is tried again from
        time to time, as what it failed for may have gone (no memory, no permission)."""
        found = await asyncio.to_thread(source.found)
        for version, path in found.items():
            place = (source.name, version)
            self._gone.pop(place, None)
            held = self.registry.held(*place)
            now, refused = signature_of(path), self._refused.get(place)
            if now is None or (held is not None and held.signature == now):
                continue
            if refused is not None and refused.signature == now and time.monotonic() < refused.again:
                continue
            try:
                await self._load(source.name, version, path)
                self._refused.pop(place, None)
                self._doubtful.pop(place, None)
            except (SeqloomError, OSError, MemoryError) as fault:
                if self._doubtful.get(place) != now:
                    self._doubtful[place] = now
                elif signature_of(path) == now:
                    self._refuse(place, now, str(fault), "the old one stays" if held is not None else "it is left out")
            except Problem as moving:
                self.log.event("waiting", model=source.name, version=version, fault=printable(moving.sentence))
        if source.versions and len(found) > 0:
            await self._drop_missing(source, found)

    def _refuse(self, place: tuple[str, str], signature: Signature, fault: str, kept: str) -> None:
        told = self._refused.get(place)
        again = time.monotonic() + _LOOKS_APART * self.settings.watch
        self._refused[place] = _Refusal(signature, fault, again)
        if told is None or (told.signature, told.fault) != (signature, fault):
            self.metrics.damaged += 1
            self.log.event("refused", model=place[0], version=place[1], fault=fault, so=kept)

    async def _drop_missing(self, source: Source, found: Mapping[str, Path]) -> None:
        """Stop offering a version whose folder was missing at two looks: one may fall into a renaming."""
        for version in self.registry.versions(source.name):
            place = (source.name, version)
            if version in found:
                continue
            self._gone[place] = self._gone.get(place, 0) + 1
            if self._gone[place] > 1:
                self._gone.pop(place)
                entry = self.registry.drop(*place)
                self.log.event("dropped", model=source.name, version=version)
                if entry is not None:
                    self._retire(entry)


def _about(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "version": entry.version, **entry.about.about}


def _head_length(headers: Mapping[bytes, bytes]) -> int | None:
    text = headers.get(b"inference-header-content-length")
    if text is None:
        return None
    if not text.isdigit() or len(text) > 12:
        raise Problem(400, "Inference-Header-Content-Length: expected a number of bytes.")
    return int(text)


class Room:
    """What the body of one request takes of the memory that all bodies may."""

    __slots__ = ("_service", "_taken")

    def __init__(self, service: Service) -> None:
        self._service, self._taken = service, 0

    def take(self, size: int) -> None:
        """Take more; raises Problem where all bodies together would be too large."""
        if self._service.held + size > self._service.settings.held:
            raise Problem(503, "Too much is being sent at once; try again in a second.", retry=1)
        self._service.held += size
        self._taken += size

    def leave(self) -> None:
        """Give all of it back."""
        self._service.held -= self._taken
        self._taken = 0
