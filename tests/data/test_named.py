"""Named files: where they are looked for, that altered ones are refused, and that downloads are checked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.named import DownloadProgress, NamedFile

BODY = b"what is meant" * 40_000


@pytest.fixture(autouse=True)
def no_shared_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLOOM_DATA", raising=False)


@pytest.fixture
def site() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {"/good": BODY, "/other": BODY[::-1], "/long": BODY * 3, "/short": BODY[:-1]}
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            if body is not None:
                try:
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    return  # a client that reads no more than it needs

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def named(*urls: str) -> NamedFile:
    return NamedFile("set", "file.bin", len(BODY), hashlib.sha256(BODY).hexdigest(), urls)


def test_a_file_that_is_there_is_used_and_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for base in ("data", "cache"):
        (tmp_path / base / "set").mkdir(parents=True)
        (tmp_path / base / "set" / "file.bin").write_bytes(BODY)
    assert named().find() is None
    assert named().locate(tmp_path / "cache") == tmp_path / "cache" / "set" / "file.bin"
    monkeypatch.setenv("SEQLOOM_DATA", str(tmp_path / "data"))
    assert named().locate(tmp_path / "cache") == tmp_path / "data" / "set" / "file.bin"
    (tmp_path / "data" / "set" / "file.bin").write_bytes(BODY[:-1] + b"!")
    with pytest.raises(DataError, match=r"expected file\.bin with SHA-256 .*, found .*remove it and fetch it again"):
        named().locate(tmp_path / "cache")


def test_a_file_that_is_not_there_says_where_it_lies(tmp_path: Path) -> None:
    words = (
        r"set/file\.bin is not here: set SEQLOOM_DATA .* or pass cache=.* The original: http://x/y\. SHA-256 .*520,000"
    )
    with pytest.raises(DataError, match=words):
        named("http://x/y").locate(tmp_path)
    with pytest.raises(DataError, match=r"set/file\.bin is not here") as caught:
        named().locate(tmp_path)
    assert "download" not in str(caught.value)
    with pytest.raises(SettingError, match="download=True needs the folder"):
        named("http://x/y").locate(download=True)
    with pytest.raises(DataError, match="was derived from an original"):
        named().locate(tmp_path, download=True)
    assert not list(tmp_path.iterdir())


def test_a_download_is_checked_kept_and_told(tmp_path: Path, site: str) -> None:
    told: list[DownloadProgress] = []
    file = named(f"{site}/none", f"{site}/other", f"{site}/good")
    path = file.locate(tmp_path / "new" / "cache", download=True, on_progress=told.append)
    assert path == tmp_path / "new" / "cache" / "set" / "file.bin"
    assert path.read_bytes() == BODY
    assert told[-1] == DownloadProgress("file.bin", len(BODY), len(BODY))
    assert all(0 < one.done <= len(BODY) for one in told)
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]
    assert file.locate(tmp_path / "new" / "cache") == path


def test_a_wrong_download_is_not_kept(tmp_path: Path, site: str) -> None:
    for end in ("other", "long", "short", "none"):
        with pytest.raises(DataError, match=rf"file\.bin can't be downloaded .*/{end}: "):
            named(f"{site}/{end}").locate(tmp_path, download=True)
    with pytest.raises(DataError, match="can't be downloaded"):
        named("http://127.0.0.1:9/nothing-listens").locate(tmp_path, download=True)
    assert not list(tmp_path.iterdir())
