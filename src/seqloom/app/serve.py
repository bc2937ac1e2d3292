"""`seqloom serve`: saved models behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqloom_runtime.errors import SettingError

from .opened import opened

__all__ = ["serve"]

_WHERE, _MODELS, _LIMITS, _ACCESS = "Address", "Models", "Limits", "Access"

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN…",
        help="Run folder or model folder, zoo:NAME, or a folder of them by version (1, 2, …); NAME=RUN names it "
        "otherwise, NAME:VERSION=RUN a version.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.", rich_help_panel=_WHERE)]
Port = Annotated[int, typer.Option(metavar="N", help="Port; 0 for a free one.", rich_help_panel=_WHERE)]
Cert = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TLS certificate, PEM.", rich_help_panel=_WHERE, show_default="none")
]
Key = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TLS key, PEM.", rich_help_panel=_WHERE, show_default="none")
]
Workers = Annotated[
    int,
    typer.Option(metavar="N", help="Processes that compute; 1 computes in the server's own.", rich_help_panel=_MODELS),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Threads of each of these.", rich_help_panel=_MODELS, show_default="the cores shared out"
    ),
]
Batch = Annotated[int, typer.Option(metavar="N", help="Requests computed together, at most.", rich_help_panel=_MODELS)]
BatchMs = Annotated[
    float,
    typer.Option(
        metavar="MS", help="Milliseconds that the first of a batch waits for others.", rich_help_panel=_MODELS
    ),
]
Watch = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Between two looks at the folders; what changed is loaded and swapped. 0 for none.",
        rich_help_panel=_MODELS,
    ),
]
Queue = Annotated[
    int,
    typer.Option(metavar="N", help="Requests accepted at a time; one more is answered 503.", rich_help_panel=_LIMITS),
]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", help="For the answer to a request.", rich_help_panel=_LIMITS)
]
Slow = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="For a client to send a head or a body.", rich_help_panel=_LIMITS),
]
MaxBody = Annotated[float, typer.Option(metavar="MIB", help="Largest body, in MiB.", rich_help_panel=_LIMITS)]
MaxRows = Annotated[int, typer.Option(metavar="N", help="Most rows or texts of a request.", rich_help_panel=_LIMITS)]
Connections = Annotated[int, typer.Option(metavar="N", help="Open at a time.", rich_help_panel=_LIMITS)]
Streams = Annotated[int, typer.Option(metavar="N", help="Streams with a state at a time.", rich_help_panel=_LIMITS)]
StreamKeep = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="How long the state of a closed stream is kept for its token.", rich_help_panel=_LIMITS
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Bearer tokens, one a line; the variable SEQLOOM_TOKENS adds some. Without any, everybody may ask.",
        rich_help_panel=_ACCESS,
        show_default="none",
    ),
]
Cors = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ORIGIN",
        help="Page that may ask, such as https://example.org.",
        rich_help_panel=_ACCESS,
        show_default="none",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Log events alone, no requests.", rich_help_panel="Output")]
Check = Annotated[
    bool, typer.Option("--check", help="Load the models, say what they take, and end.", rich_help_panel="Output")
]


def serve(
    runs: Runs,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    tls_cert: Cert = None,
    tls_key: Key = None,
    workers: Workers = 1,
    threads: Threads = None,
    batch: Batch = 64,
    batch_ms: BatchMs = 2.0,
    watch: Watch = 2.0,
    queue: Queue = 1024,
    timeout: Timeout = 30.0,
    slow: Slow = 10.0,
    max_body: MaxBody = 16.0,
    max_rows: MaxRows = 100_000,
    connections: Connections = 1000,
    streams: Streams = 500,
    stream_keep: StreamKeep = 300.0,
    token_file: TokenFile = None,
    cors: Cors = None,
    check: Check = False,
    quiet: Quiet = False,
) -> None:
    """Serve saved models over HTTP: a page to try them, plain requests, and the Open Inference Protocol v2.

    A forecaster takes rows (JSON or CSV) and gives the forecast, a model of texts takes texts. A changed folder is
    loaded and takes the old one's place. The log goes to stderr, one JSON object a line; SIGTERM ends it once every
    accepted request is answered.
    """
    from seqloom_runtime.extras import need

    for module in ("fastapi", "uvicorn", "uvloop", "httptools", "websockets", "orjson"):
        need(module, "seqloom serve")
    from ..serving import Bounds, Log, ServerSettings, checked, run, sources_of
    from .columns import say, say_lines

    if not 0 < max_body <= 4096:
        raise SettingError(f"--max-body: expected a number of MiB from above 0 to 4096, got {max_body:g}.")
    if not 1 <= max_rows <= 10_000_000:
        raise SettingError(f"--max-rows: expected a number from 1 to 10,000,000, got {max_rows}.")
    settings = ServerSettings(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        workers=workers,
        threads=threads,
        batch=batch,
        batch_ms=batch_ms,
        watch=watch,
        queue=queue,
        timeout=timeout,
        slow=slow,
        body=int(max_body * (1 << 20)),
        connections=connections,
        streams=streams,
        stream_keep=stream_keep,
        token_file=token_file,
        cors=tuple(cors or ()),
        log_requests=not quiet,
        bounds=Bounds(rows=max_rows),
    )
    named = sources_of([_named(run) for run in runs])

    if check:
        say_lines(checked(named))
        return

    def started(address: str) -> None:
        say(f"Serving {', '.join(dict.fromkeys(source.name for source in named))} at {address} (Ctrl-C ends it)")

    run(named, settings, Log(requests=not quiet), started)


def _named(run: str) -> tuple[str, Path]:
    """The label of a RUN, "" where it has none, and its folder."""
    label, given, rest = run.partition("=")
    # A folder that is called so is what was meant.
    if not given or Path(run).exists():
        return "", opened(Path(run))
    return label, opened(Path(rest))
