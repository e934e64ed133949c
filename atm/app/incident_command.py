"""`./run.sh incident`: export a part of the black box, replay or read an exported one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from atm.model.errors import Invalid
from atm.model.incident import Wanted
from atm.model.interval import time_span
from atm.model.program import ProgramContext

DEFAULT_MINUTES = 60.0


def add_commands(parser: Any, shared: Any) -> None:
    """The actions of `incident` and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    command = actions.add_parser("export", help="write what the black box has to one file", parents=[shared])
    command.add_argument("--account", default="", metavar="NAME", help="of this account only")
    command.add_argument("--last", type=float, default=None, metavar="MINUTES", help="up to now (default 60)")
    command.add_argument("--from", dest="start", metavar="TIME", help='UTC, "YYYY-MM-DD HH:MM", by the wall clock')
    command.add_argument("--to", dest="end", metavar="TIME")
    command.add_argument("--out", type=Path, metavar="FILE", help="default: a name in the folder incidents at home")
    command.add_argument("--json", action="store_true")
    for name, text in (
        ("replay", "give every account the same again and compare what it does, byte for byte"),
        ("show", "tell what happened"),
    ):
        command = actions.add_parser(name, help=text, description=text, parents=[shared])
        command.add_argument("file", type=Path, metavar="FILE")
        command.add_argument("--json", action="store_true")
        if name == "show":
            command.add_argument("--account", default="", metavar="NAME", help="of this account only")


def run(options: Any, make_context: Callable[[Any], ProgramContext], texts: Callable[[ProgramContext], Any]) -> int:
    """Carry out an action; returns the exit code: 1 where a replay differs."""
    if options.action == "export":
        return _export(options, make_context(options))
    if options.action == "replay":
        return _replay(options, make_context(options))
    return _show(options, texts(make_context(options)))


def _export(options: Any, context: ProgramContext) -> int:
    from atm.app.incident_export import export_incident
    from atm.trading.black_box.story import moment

    accounts = frozenset({options.account} - {""})
    from_ms, to_ms = _span(options)
    path, manifest = export_incident(context, Wanted(from_ms, to_ms, accounts, "asked for by the user"), options.out)
    if options.json:
        print(msgspec.json.encode({"file": str(path), "manifest": manifest}).decode())
    else:
        told = ", ".join(f"{name}: {count:,} records" for name, count in sorted(manifest.accounts.items()))
        print(f"{path}\n{moment(from_ms)} to {moment(to_ms)} UTC; {told}; {path.stat().st_size:,} bytes")
    return 0


def _span(options: Any) -> tuple[int, int]:
    if options.start is None and options.end is None:
        minutes = DEFAULT_MINUTES if options.last is None else options.last
        if not minutes > 0:
            raise Invalid("--last", minutes, "a number of minutes above 0")
        now_ms = int(time.time() * 1000)
        return int(now_ms - minutes * 60_000), now_ms
    if options.start is None or options.end is None or options.last is not None:
        raise Invalid("--from, --to, --last", "some of them", "either --from and --to, or --last")
    return time_span(options.start, options.end, "--from", "--to")


def _replay(options: Any, context: ProgramContext) -> int:
    from atm.analyzers.installed import install_for
    from atm.trading.black_box.incident import Incident
    from atm.trading.black_box.replay import replay
    from atm.trading.black_box.story import moment, tell_difference

    install_for(context)
    found = replay(Incident(options.file).lines())
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        print(f"{found.inputs:,} inputs, {found.steps:,} steps, {len(found.differences)} differences")
        for account, wall in found.missing:
            print(f"{account}: records are missing before {moment(wall)}")
        for difference in found.differences:
            print("\n".join(tell_difference(difference)))
    return 1 if found.differences else 0


def _show(options: Any, texts: Any) -> int:
    from atm.trading.black_box.incident import Incident
    from atm.trading.black_box.story import moment, tell

    incident = Incident(options.file)
    if options.json:
        print(msgspec.json.encode(incident.manifest).decode())
        return 0
    made = incident.manifest
    print(f"{options.file.name}: {made.reason or 'no reason given'}, program {made.program}")
    print(f"{moment(made.from_ms)} to {moment(made.to_ms)} UTC, made {moment(made.made_ms)}")
    for line in tell(incident.lines(), lambda text, parameters: str(texts(text, **parameters)), options.account):
        print(line)
    return 0
