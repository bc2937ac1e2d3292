"""`seqloom tune COMMAND`: a search for the best parameters of the models that a training command trains."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seqloom_runtime.errors import FormatError, SettingError, shown
from seqloom_runtime.extras import refuse_without

from . import options as o
from .engine_options import EngineName, RayAddress, Workers, warn_of_ports
from .flags import in_flags, settings_of
from .ranks import alone
from .running import TRAINING, Out, Resume, refuse_missing_files, run_training, settings_for
from .signature import takes

__all__ = ["TUNE", "SearchGroup", "tuned"]

TUNE = "Search for the best parameters of a model: trials on validation, the best fitted, scored on test and saved."
_PANEL = "Search"


def _option(text: str, metavar: str | None, **more: Any) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_PANEL, **more)


Trials = Annotated[int, _option("Trials, the first of them with the parameters given.", "N")]
Space = Annotated[
    str | None,
    _option(
        "What is searched: NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A|B|C, separated by commas.",
        "SPACE",
        show_default="by model",
    ),
]
Minutes = Annotated[
    float | None, _option("Begin no round of trials after so many minutes.", "MIN", show_default="no limit")
]
Storage = Annotated[
    str | None,
    _option(
        "Database for the trials, such as postgresql://HOST/NAME, which several searches may share.",
        "URL",
        show_default="search.db in the run folder",
    ),
]
Round = Annotated[int, _option("Trials that are chosen at once; the result depends on it, not on the workers.", "N")]
Halving = Annotated[
    bool,
    typer.Option("--halving/--no-halving", help="Stop trials that are behind others early.", rich_help_panel=_PANEL),
]


JoinRun = Annotated[
    Path | None,
    _option(
        "Take part in the search that goes on in the run folder RUN, and leave the end to the process that began it.",
        "RUN",
        show_default="a search of its own",
    ),
]


_ABOUT = """Search for the best parameters of the models of `seqloom {name}`, whose options it takes.

Trials are judged on validation alone; the test part is looked at once, with the defaults and the best. A search that \
was ended goes on with --resume. Results don't depend on the engine or its workers."""


class SearchGroup(TyperGroup):
    """`seqloom tune`, which tells somebody who named the data first what stands before it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with; raises SettingError for a file in its place."""
        first = args[0] if args else ""
        if first and first not in self.list_commands(ctx) and (Path(first).exists() or Path(first).suffix):
            raise SettingError(
                f"{shown(first)} is no command: name the one whose models are searched, as in "
                f"seqloom tune forecast {shlex.join(args)}."
            )
        return super().resolve_command(ctx, args)


def tuned(name: str) -> Callable[..., None]:
    """The command `seqloom tune NAME`: the options of `seqloom NAME`, and those of the search."""
    group, prepare = settings_of(name), TRAINING[name]

    def command(
        settings: Any,
        ctx: typer.Context,
        trials: Trials = 40,
        space: Space = None,
        minutes: Minutes = None,
        storage: Storage = None,
        round: Round = 9,
        halving: Halving = True,
        engine: EngineName = None,
        workers: Workers = None,
        ray_address: RayAddress = None,
        join: JoinRun = None,
        out: Out = None,
        resume: Resume = None,
        json: o.Json = False,
        quiet: o.Quiet = False,
    ) -> None:
        _refuse_at_once(name)
        begun = _begun_in(join, resume, out)
        chosen = settings_for(name, settings, ctx, out, begun, typed=f"tune {name}")
        refuse_missing_files(name, chosen)
        from ..tuning import Join, Search, SearchPlan, parse_space  # with torch

        asked: dict[str, Any] = {"trials": trials, "space": None if space is None else parse_space(space)}
        asked |= {"round": round, "halving": halving, "models": _models(settings, chosen)}
        if begun is not None:
            asked = _begun(begun, asked, ctx)
        elif name == "forecast" and chosen.model is None:
            chosen = chosen.but(model="gru")
        # One thread, as each worker has, so that a trial and its refit are the same.
        chosen = chosen.but(threads=chosen.threads or 1)
        plan = SearchPlan(**asked, minutes=minutes, storage=storage)
        if engine == "ray":
            warn_of_ports(ray_address)
        if join is not None:
            part = Join(join, plan, engine or "local", workers=workers, address=ray_address)
            _take_part(part, chosen, prepare, quiet)
            return
        search = Search(plan, engine or "local", workers=workers, address=ray_address, wording=in_flags)
        with search.ready(resume):
            run_training(
                name,
                chosen,
                prepare,
                out=out,
                resume=resume,
                as_json=json,
                quiet=quiet,
                typed=f"tune {name}",
                further={"search": search, "about": {"search": plan.to_json()}},
                told=lambda: _told(search),
                notes_first=True,  # a search may last for hours
            )

    command.__name__, command.__module__ = f"tune_{name}", __name__
    command.__doc__ = _ABOUT.format(name=name)
    return takes(group)(command)


def _refuse_at_once(name: str) -> None:
    """Refuse what no search can do without, or not with, before torch is loaded and data read."""
    if not alone():
        raise SettingError(
            f"A search has worker processes of its own (workers=): start 'seqloom tune {name}' without torchrun."
        )
    for package in ("optuna", "sqlalchemy"):
        refuse_without(package, f"seqloom tune {name}")


def _begun_in(join: Path | None, resume: Path | None, out: Path | None) -> Path | None:
    """The run folder that was begun before, if any; raises SettingError for two of them, and where there is none."""
    if join is None:
        return resume
    if resume is not None or out is not None:
        raise SettingError(
            f"--join: it takes part in a search of another process, so --{'out' if out else 'resume'} "
            "can't be given with it."
        )
    if not (join / "run.json").is_file():
        raise SettingError(
            f"--join: expected the run folder of a search that goes on, found no run.json in {shown(str(join))}."
        )
    return join


def _take_part(part: Any, settings: Any, prepare: Callable[[Any], Any], quiet: bool) -> None:
    """Do trials of another process' search until none is left."""
    from ..tuning import Joined
    from .columns import say
    from .progress import Progress
    from .reading import threads_used

    with threads_used(settings.threads), Progress(bar=False, notices=not quiet) as progress:
        try:
            prepare(settings).compare(settings=settings.record(), on_event=progress, search=part)
        except Joined as ended:
            if not quiet:
                say(in_flags(str(ended)))


def _models(settings: Any, chosen: Any) -> tuple[str, ...] | None:
    """The models that were named to be searched; None for all that can be, where only the usual ones stand."""
    usual = settings.defaults().get("model")
    return None if chosen.model in (None, usual) else o.names(chosen.model)


def _begun(folder: Path, asked: Mapping[str, Any], context: typer.Context) -> dict[str, Any]:
    """What a search began with; raises SettingError where the command line says otherwise."""
    from seqloom_runtime.files import read_json

    record = read_json(folder / "run.json")
    found = record.get("search")
    if not isinstance(found, dict) or set(found) != set(asked):
        raise FormatError(
            f"{folder / 'run.json'}: expected the record of a search; it is damaged or of another version."
        )
    space = found["space"]
    if space is not None:
        space = {name: tuple(v["range"]) if isinstance(v, dict) else v for name, v in space.items()}
    begun = {**found, "space": space, "models": None if found["models"] is None else tuple(found["models"])}
    for name in ("trials", "space", "round", "halving"):
        given = getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
        if given and asked[name] != begun[name]:
            raise SettingError(
                f"--{name}: the search in {folder} began with {shown(begun[name])}, so it can't be resumed with "
                f"{shown(asked[name])}; leave it out, or start a new run with --out."
            )
    return begun


def _told(search: Any) -> list[str]:
    """What the search found, in sentences."""
    found = search.found
    return [] if found is None else found.sentences()
