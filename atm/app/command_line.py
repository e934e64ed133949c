"""The command line. Every command answers --help, every table also --json; exit code 0 only on success.

0 done · 1 failed · 2 bad input or configuration
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atm.app import fault_command, incident_command, program_config
from atm.app.demo_command import ACTIONS, control_demo, described, read_command
from atm.app.pool import pool_sizes
from atm.model.endpoint import FIXED_ADDRESSES, Addresses, Endpoint
from atm.model.errors import ATMError, Invalid
from atm.model.program import ProgramContext
from atm.storage.home import default_home

if TYPE_CHECKING:
    from atm.gui.texts import Texts

ROOT = Path(__file__).parent.parent.parent
BENCH_SETTINGS = ("minutes", "hours", "symbols", "rate", "speed", "seeds", "from", "seed", "runs", "programs")
_TABLES = {
    "trades": "every fill with the signal that caused it",
    "trips": "every round trip with its excursions",
    "equity": "the equity at the close of every minute",
    "daily": "counts and balances of every day",
    "hourly": "counts and balances of every hour",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        result: int = options.command(options)
    except Invalid as error:
        print(f"atm: {error}", file=sys.stderr)
        return 2
    except ATMError as error:
        print(f"atm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--home", type=Path, default=argparse.SUPPRESS, help="folder of all user data (or ATM_HOME)")
    shared.add_argument(
        "--endpoint",
        choices=[endpoint.value for endpoint in Endpoint],
        default=argparse.SUPPRESS,
        help="exchange to use (default demo)",
    )
    parser = argparse.ArgumentParser(prog="run.sh", description="Auto Trade Machine", parents=[shared])
    parser.add_argument("--headless", action="store_true", help="run without a window (attach one later)")
    parser.add_argument("--speed", type=float, help="speed of the demo exchange's market, 1 to 1000")
    parser.add_argument(
        "--config", type=Path, default=ROOT / "configs" / "programConfig.config", help=argparse.SUPPRESS
    )
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, function: Callable[[Any], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, parents=[shared])
        command.set_defaults(command=function)
        return command

    add("attach", _attach, "give a running headless program a window on this display")
    command = add("import", _import, "import recorded bars (Binance CSV or zip, CSV, Parquet)")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument("--symbol", required=True)
    command.add_argument("--interval", default="1m")
    command.add_argument("--json", action="store_true")
    command = add("backtest", _backtest, "run a backtest from a TOML file and print its summary")
    command.add_argument("file", type=Path, metavar="FILE.toml")
    command.add_argument("--json", action="store_true")
    command.add_argument("--tear-sheet", type=Path, metavar="OUT.html", help="the result as one self-contained page")
    for name, text in _TABLES.items():
        command.add_argument(f"--{name}", type=Path, metavar="OUT.{parquet,csv}", help=text)
    command = add("compare", _compare, "compare simulations side by side: TOML files or codes of stored ones")
    command.add_argument("simulations", nargs="+", metavar="FILE.toml|CODE")
    command.add_argument("--json", action="store_true")
    command = add("analyse", _analyse, "write the results of an analysis configuration to a Parquet or CSV file")
    command.add_argument(
        "configuration", metavar="CONFIG", help="a file (.toml, .json) or a stored configuration's code"
    )
    command.add_argument("--symbol", required=True)
    command.add_argument("--start", required=True, help='UTC, "YYYY-MM-DD" or "YYYY-MM-DD HH:MM"')
    command.add_argument("--end", required=True)
    command.add_argument("--out", required=True, type=Path, metavar="FILE.{parquet,csv}")
    command.add_argument("--json", action="store_true")
    _exchange_commands(add)
    command = add("record", _record, "record what the running program gets from the exchange: start, stop, state")
    command.add_argument("action", choices=("start", "stop", "state"))
    command.add_argument("--json", action="store_true")
    command = add(
        "kill-switch", _kill_switch, "cancel all orders, close all positions and stop trading, of one account or of all"
    )
    command.add_argument("--account", default="", metavar="NAME", help="of this account only")
    command = add(
        "incident", _incident, "what the black box has recorded: export it to one file, replay or read an exported one"
    )
    incident_command.add_commands(command, shared)
    command = add("bench", _bench, "measure the budgets")
    command.add_argument("name", nargs="?")
    for setting in BENCH_SETTINGS:
        command.add_argument(f"--{setting}", type=float, help="of the benchmarks that have it (docs/benchmarks.md)")
    command.add_argument("--json", action="store_true")
    command = add("doctor", _doctor, "check configuration, disk, database, packages and the running program")
    command.add_argument("--json", action="store_true")
    return parser


def _exchange_commands(add: Callable[[str, Callable[[Any], int], str], argparse.ArgumentParser]) -> None:
    """The commands of the demo exchange."""
    command = add("demo-exchange", _demo_exchange, "run the demo exchange alone")
    command.add_argument("--port", type=int, default=8787)
    command.add_argument("--speed", type=float, default=1.0)
    command.add_argument("--data", type=Path, help="a market store to replay (default: the shipped sample)")
    command.add_argument(
        "--recorded", type=Path, metavar="FILE", help="a recorded session to replay, message by message"
    )
    command.add_argument("--faults", metavar="SEED", help="go wrong by the schedule of this number")
    command.add_argument("--fault-minutes", type=float, default=10.0, metavar="M", help="for so long (default 10)")
    for name, function, text, known in (
        ("faults", _faults, "let the demo exchange go wrong: faults on demand and by schedule", fault_command.ACTIONS),
        ("demo", _demo, "control the demo exchange: speed, pause, step, jump, keys and accounts", ACTIONS),
    ):
        command = add(name, function, text)
        actions = "; ".join(f"{action}: {about}" for action, about in known.items())
        command.add_argument("action", choices=list(known), metavar="ACTION", help=actions)
        command.add_argument("values", nargs="*", metavar="VALUE")
        command.add_argument(
            "--address", default="", help="of a demo exchange that runs alone (default: the running program's)"
        )
        command.add_argument("--json", action="store_true")


def _home(options: Any) -> Path:
    given = getattr(options, "home", None) or os.environ.get("ATM_HOME")
    return Path(given).expanduser().absolute() if given else default_home()


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_context(options: Any, addresses: Addresses | None = None) -> ProgramContext:
    """What all processes are told, from the command line and the configuration file."""
    config = program_config.read(getattr(options, "config", ROOT / "configs" / "programConfig.config"))
    endpoint = Endpoint(getattr(options, "endpoint", "demo"))
    analyzers, simulators = pool_sizes(_usable_cores(), config.ASRatio)
    return ProgramContext(
        home=_home(options),
        assets=ROOT / "assets",
        endpoint=endpoint,
        addresses=addresses or FIXED_ADDRESSES.get(endpoint, Addresses("", "")),
        analyzers=analyzers,
        simulators=simulators,
        symbols=config.symbols,
        language=config.language,
        theme=config.theme,
        database_url=config.databaseURL,
        headless=getattr(options, "headless", False),
        analysis_cache_bytes=config.analysisCacheMB * 1_000_000,
        record_session=config.recordSession,
        black_box_bytes=config.blackBoxMB * 1_000_000,
        black_box_days=config.blackBoxDays,
        demo_recording=_recording(config.demoRecording),
    )


def _recording(path: str) -> Path | None:
    if not path:
        return None
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        raise Invalid("demoRecording", path, "the file of a recorded session, or nothing")
    return found


def _speed(options: Any) -> float:
    config = program_config.read(options.config)
    speed = options.speed if options.speed is not None else config.demoSpeed
    if not 1 <= speed <= 1000:
        raise Invalid("--speed", speed, "1 to 1000")
    return float(speed)


def _run(options: Any) -> int:
    from atm.app.program import run_program

    return run_program(make_context(options), _speed(options))


def _attach(options: Any) -> int:
    from atm.app.control import DISPLAY_VARIABLES, ask_running

    environment = {name: os.environ[name] for name in DISPLAY_VARIABLES if name in os.environ}
    ask_running(_home(options), {"command": "attach", "environment": environment})
    print("the window opens")
    return 0


def _import(options: Any) -> int:
    from atm.storage.importer import import_files
    from atm.storage.market_store import open_store

    store = open_store(make_context(options), read_only=False)
    count = import_files(options.files, options.symbol, options.interval, store)
    store.close()
    if options.json:
        print(msgspec.json.encode({"symbol": options.symbol, "bars": count}).decode())
    else:
        print(f"{count:,} bars of {options.symbol} imported")
    return 0


def _backtest(options: Any) -> int:
    from atm.app.tables import print_summary
    from atm.simulators.command import check_outputs, run_backtest, write_sheet, write_tables

    tables = {name: getattr(options, name) for name in _TABLES if getattr(options, name) is not None}
    check_outputs(tables, options.tear_sheet)
    context = make_context(options)
    texts = _texts(context)

    def progress(share: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{share:4.0%}", end="\r", file=sys.stderr)

    done = run_backtest(options.file, context, progress)
    result = done.result
    write_tables(done, tables)
    if options.tear_sheet is not None:
        from atm.simulators.tear_sheet.page import tear_sheet

        curve = result.equity_time, result.equity
        html = tear_sheet(done.spec, result.summary, result.details, *curve, texts, texts.language)
        write_sheet(html, options.tear_sheet)
    if options.json:
        print(msgspec.json.encode(result.summary).decode())
    else:
        print_summary(result.summary, texts)
    return 0


def _compare(options: Any) -> int:
    from atm.app.tables import print_comparison
    from atm.simulators.command import summaries
    from atm.simulators.comparison import compare

    context = make_context(options)
    comparison = compare(summaries(options.simulations, context))
    if options.json:
        print(msgspec.json.encode(comparison).decode())
    else:
        print_comparison(comparison, _texts(context))
    return 0


def _texts(context: ProgramContext) -> Texts:
    from atm.gui.texts import Texts

    return Texts(context.assets / "texts", context.language)


def _analyse(options: Any) -> int:
    from atm.analyzers.command import analyse
    from atm.analyzers.installed import install_for
    from atm.model.interval import time_span

    context = make_context(options)
    install_for(context)
    span = time_span(options.start, options.end, "--start", "--end")
    rows = analyse(options.configuration, context, options.symbol, span, options.out)
    if options.json:
        print(msgspec.json.encode({"symbol": options.symbol, "rows": rows, "file": str(options.out)}).decode())
    else:
        print(f"{rows:,} rows of {options.symbol} written to {options.out}")
    return 0


def _demo_exchange(options: Any) -> int:
    from atm.app.demo_exchange import run_demo_exchange

    if not 1 <= options.speed <= 1000:
        raise Invalid("--speed", options.speed, "1 to 1000")

    def ready(addresses: Addresses) -> None:
        print(f"REST      {addresses.rest}\nWebSocket {addresses.stream}", flush=True)

    home = _home(options) if hasattr(options, "home") else None
    schedule = None
    if options.faults is not None:
        schedule = fault_command.read_schedule([options.faults, f"minutes={options.fault_minutes}"])
    arguments = (options.port, options.speed, home, options.data, ROOT / "assets", ready)
    run_demo_exchange(*arguments, faults=schedule, recorded=options.recorded)
    return 0


def _faults(options: Any) -> int:
    if options.action == "kinds":
        print("\n".join(fault_command.kind_lines()))
        return 0
    if options.action == "show":
        found = fault_command.shown(options.values)
        lines = [f"{fault.at_ms / 1000:>9.3f} s  {fault_command.described(fault)}" for fault in found]
        print(msgspec.json.encode(found).decode() if options.json else "\n".join(lines))
        return 0
    wish = fault_command.read_wish(options.action, options.values)
    report = fault_command.control_running(_home(options), options.address, wish)
    print(msgspec.json.encode(report).decode() if options.json else "\n".join(fault_command.fault_lines(report)))
    return 0


def _demo(options: Any) -> int:
    from atm.app.tables import print_demo

    wanted = read_command(options.action, options.values)
    state, made = control_demo(_home(options), options.address, wanted)
    if options.json:
        print(msgspec.json.encode(described(state, made)).decode())
    else:
        print_demo(state, made)
    return 0


def _record(options: Any) -> int:
    from atm.app.control import ask_running
    from atm.app.tables import print_recording

    told = ask_running(_home(options), {"command": "record", "action": options.action})
    if options.json:
        print(msgspec.json.encode(told).decode())
    else:
        print_recording(told)
    return 1 if told["ended"] else 0


def _kill_switch(options: Any) -> int:
    from atm.app.control import ask_running

    told = ask_running(_home(options), {"command": "kill_switch", "account": options.account})
    print(f"{options.account or 'all accounts'}: orders cancelled, positions closed, trading stopped")
    if told["untold"]:
        print(f"atm: the trade manager is told as soon as it answers ({told['untold']})", file=sys.stderr)
    return 0


def _incident(options: Any) -> int:
    return incident_command.run(options, make_context, _texts)


def _bench(options: Any) -> int:
    from atm.app.bench import run
    from atm.app.tables import print_bench

    given = {name: value for name in BENCH_SETTINGS if (value := getattr(options, name)) is not None}
    rows = run(ROOT / "benchmarks", options.name, lambda name: print(f"measuring {name} …", file=sys.stderr), given)
    if options.json:
        print(msgspec.json.encode(rows).decode())
    else:
        print_bench(rows)
    return 0


def _doctor(options: Any) -> int:
    from atm.app.doctor import examine
    from atm.app.tables import print_findings

    findings = examine(make_context(options))
    if options.json:
        print(msgspec.json.encode(findings).decode())
    else:
        print_findings(findings)
    return 0 if all(finding.ok for finding in findings) else 1
