"""The reference of the command line, made from the parser itself."""

from __future__ import annotations

from typing import Any

import typer.main

from seqloom.app.commands import application

__all__ = ["commands_page"]


def commands_page() -> str:
    """Every command with its arguments and options, the rarer ones too."""
    parser: Any = typer.main.get_command(application())
    lines = [
        "# Commands",
        "",
        "`seqloom COMMAND --help` shows the same, `--help-all` the rarer options too. Exit codes: 0 done, 2 a mistake",
        "in what was asked or given, 130 interrupted.",
    ]
    for name, command in _commands(parser):
        lines += ["", f"## {name}", "", *((command.help or "").strip().splitlines()), ""]
        lines += ["| option | value | what it does | default |", "|---|---|---|---|"]
        for parameter in command.params:
            flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
            argument = parameter.param_type_name == "argument"
            value = parameter.metavar or ("" if argument or parameter.is_flag else parameter.type.name.upper())
            called = f"`{parameter.metavar or parameter.name.upper()}`" if argument else flags
            cells = (called, "" if argument else value, parameter.help or "", _default(parameter))
            lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    return "\n".join(lines) + "\n"


def _commands(parser: Any) -> list[tuple[str, Any]]:
    """Every command with the words that call it; of a search, whose commands are alike, that of a forecast."""
    found = []
    for name, command in parser.commands.items():
        inner = getattr(command, "commands", {})
        found += [(f"{name} {next(iter(inner))}", next(iter(inner.values())))] if inner else [(name, command)]
    return found


def _default(parameter: Any) -> str:
    """What stands where nothing is given, in the words of the help."""
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return shown
    usual = parameter.default
    known = isinstance(usual, (str, int, float)) and not isinstance(usual, bool) and usual != ""
    return str(usual) if known and shown is not False else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").split())
