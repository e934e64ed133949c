"""Gives the cores again what the black box says they were given, and compares what they answer, byte for byte as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import ATMError
from atm.model.instrument import Instrument
from atm.trading.actual import ActualEngine
from atm.trading.black_box.engine_watch import digest_of
from atm.trading.black_box.memory import memory_of, remember, value_of
from atm.trading.black_box.records import (
    ENCODER,
    Aimed,
    Answered,
    EngineCommand,
    EngineFills,
    EngineMemory,
    EngineMinute,
    FlattenAsked,
    HaltAsked,
    HoldAsked,
    InstrumentTable,
    Learned,
    Line,
    LiveCall,
    LiveInput,
    LiveMemory,
    MinuteOutcome,
    PriceSeen,
    QuietTicks,
    Reconnected,
    Reloaded,
    ResumeAsked,
    Started,
    Ticked,
    TransfersTold,
    bar_of,
)
from atm.trading.black_box.redaction import HIDDEN
from atm.trading.engine import AccountEngine
from atm.trading.live.desk import Step
from atm.trading.live.live_account import LiveAccount

NOTHING = Step((), (), ())
Floats = NDArray[np.float64]


class Difference(msgspec.Struct, frozen=True):
    """Where a replay left the record. line: what was given and answered; recorded, replayed: the answers as they are written."""

    account: str
    what: str
    line: Line
    recorded: str
    replayed: str


class Replayed(msgspec.Struct):
    """inputs: given to the cores; steps: answers compared, states included; differences: the first of each account, after which it
    is not replayed on; missing: accounts with a hole in their record, with the first time after each (Unix ms)."""

    inputs: int = 0
    steps: int = 0
    differences: list[Difference] = []
    missing: list[tuple[str, int]] = []


class _Account:
    """The cores of one account, None until a state has been read."""

    def __init__(self) -> None:
        self.live: LiveAccount | None = None
        self.engine: AccountEngine | None = None
        self.actual: ActualEngine | None = None
        self.run = self.n = 0
        self.has_differed = False


class _Differs(Exception):
    def __init__(self, what: str, recorded: str, replayed: str) -> None:
        super().__init__(what)
        self.what, self.recorded, self.replayed = what, recorded, replayed


def replay(lines: Iterable[Line], seen: Callable[[Line], None] = lambda _: None) -> Replayed:
    """Every account of a record through the cores of this program. seen(line): called before each line."""
    found = Replayed()
    accounts: dict[str, _Account] = {}
    tables: dict[str, dict[str, Instrument]] = {}
    for line in lines:
        seen(line)
        if isinstance(line.record, InstrumentTable):
            tables[line.record.id] = {each.symbol: each for each in line.record.instruments}
        if not line.account:
            continue
        account = accounts.setdefault(line.account, _Account())
        if account.has_differed:
            continue
        if account.n and (line.run != account.run or line.n != account.n + 1):
            if line.run == account.run:
                found.missing.append((line.account, line.wall))
            account.live = account.engine = account.actual = None
        account.run, account.n = line.run, line.n
        try:
            _one(account, line, tables, found)
        except _Differs as differs:
            account.has_differed = True
            found.differences.append(
                Difference(line.account, differs.what, line, differs.recorded, differs.replayed)
            )  # fmt: skip
        except (ATMError, KeyError, ValueError, TypeError) as error:
            account.has_differed = True
            said = f"{type(error).__name__}: {error}"
            found.differences.append(Difference(line.account, "cannot be replayed", line, "", said))
    return found


def _one(account: _Account, line: Line, tables: Mapping[str, dict[str, Instrument]], found: Replayed) -> None:
    record = line.record
    match record:
        case LiveMemory():
            _live_state(account, line.account, record, tables[record.table], found)
        case EngineMemory():
            _engine_state(account, record, tables[record.table], found)
        case LiveCall() if account.live is not None:
            found.inputs += len(record.prices) + 1
            found.steps += 1
            _price(account.live, record.prices)
            _live_call(account.live, record)
        case QuietTicks() if account.live is not None:
            _quiet(account.live, record, found)
        case EngineMinute() if account.engine is not None:
            found.inputs += 1
            found.steps += 1
            _compare_minute(account.engine, account.actual, record)
        case EngineFills() if account.engine is not None:
            found.steps += 1
            _same("the fills", bytes(record.fills), ENCODER.encode(account.engine.trades()))
        case EngineCommand() if account.engine is not None:
            found.inputs += 1
            found.steps += 1
            _command(account.engine, record)
            _same("the command", str(record.digest).encode(), str(digest_of(account.engine)).encode())


def _same(what: str, recorded: bytes, replayed: bytes) -> None:
    if recorded != replayed:
        raise _Differs(what, recorded.decode(), replayed.decode())


# --- states ---------------------------------------------------------------------------------------------------


def _live_state(
    account: _Account, name: str, record: LiveMemory, instruments: dict[str, Instrument], found: Replayed
) -> None:
    if account.live is not None and not record.fresh:
        found.steps += 1
        _same("the state", ENCODER.encode(record.state), ENCODER.encode(account.live.state))
        _same("the memory", ENCODER.encode(record.memory), ENCODER.encode(memory_of(account.live)))
        return
    account.live = LiveAccount(name, record.setup, instruments, record.state)
    remember(account.live, record.memory)


def _engine_state(account: _Account, record: EngineMemory, instruments: dict[str, Instrument], found: Replayed) -> None:
    if account.engine is not None and not record.fresh:
        found.steps += 1
        _same("the engine's state", record.engine.hex().encode(), account.engine.dump().hex().encode())
        return
    setup = record.setup
    engine = AccountEngine(
        setup.assets, setup.positions, record.analysis, record.trade, instruments.values(), setup.costs
    )  # fmt: skip
    _same("users' methods", ENCODER.encode(record.methods), ENCODER.encode(engine.method_versions))
    engine.load(record.engine)
    account.engine, account.actual = engine, None
    if record.last is not None:
        account.actual = ActualEngine(engine)
        account.actual.last = value_of(record.last)


# --- inputs ---------------------------------------------------------------------------------------------------


def _price(live: LiveAccount, prices: Iterable[PriceSeen]) -> None:
    for seen in prices:
        live.priced(seen.symbol, seen.last, seen.mark, seen.time_ms)


def _quiet(live: LiveAccount, record: QuietTicks, found: Replayed) -> None:
    for tick in record.ticks:
        _price(live, tick.prices)
        found.inputs += 1 + len(tick.prices)
        found.steps += 1
        _same(f"the tick at {tick.at}", ENCODER.encode(NOTHING), ENCODER.encode(live.tick(tick.at)))
    _price(live, record.after)


def _live_call(live: LiveAccount, record: LiveCall) -> None:
    try:
        step = _call(live, record.input, record.at)
    except Exception as error:
        if f"{type(error).__name__}: {error}" != record.raised:
            raise _Differs("the step", _answer(record), f"{type(error).__name__}: {error}") from error
        return
    replayed = b"null" if step is None else ENCODER.encode(step)
    _same("the step", _answer(record).encode(), replayed)


def _answer(record: LiveCall) -> str:
    return record.raised or bytes(record.step).decode()


def _call(live: LiveAccount, given: LiveInput, now_ms: int) -> Step | None:
    match given:
        case Started():
            return live.start(now_ms)
        case Reconnected():
            return live.reconnected(now_ms)
        case Ticked():
            return live.tick(now_ms)
        case Learned():
            return live.learned(given.facts, now_ms)
        case Answered():
            return live.answered(given.answer, now_ms)
        case Aimed():
            return live.aim_all(given.targets, now_ms)
        case HaltAsked():
            return live.halt(given.scope, given.reason, now_ms, hands_off=given.hands_off)
        case ResumeAsked():
            return live.resume(given.scope, now_ms)
        case FlattenAsked():
            return live.flatten(given.reason, now_ms)
        case HoldAsked():
            return live.hold(now_ms)
        case TransfersTold():
            return live.transferred(given.transfers, now_ms)
        case Reloaded():
            live.reload({each.symbol: each for each in given.instruments})
    return None


def _compare_minute(engine: AccountEngine, actual: ActualEngine | None, record: EngineMinute) -> None:
    recorded = record.raised or bytes(record.outcome).decode()
    try:
        replayed = ENCODER.encode(_minute(engine, actual, record))
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        # of one that was redacted the kind is left to compare
        is_same_kind = HIDDEN in record.raised and record.raised.startswith(f"{type(error).__name__}: ")
        if said != record.raised and not is_same_kind:
            raise _Differs("the minute", recorded, said) from error
        return
    _same("the minute", recorded.encode(), replayed)


def _minute(engine: AccountEngine, actual: ActualEngine | None, record: EngineMinute) -> MinuteOutcome:
    bars = {symbol: bar_of(written) for symbol, written in record.bars.items()}
    rows: dict[str, Floats] = {name: np.frombuffer(row, "<f8").astype(np.float64) for name, row in record.rows.items()}
    if actual is None:
        equity = engine.minute(record.at, bars, rows)
        return MinuteOutcome(digest_of(engine), equity)
    targets = actual.minute(record.at, bars, rows, record.held or {}, record.wallets)
    return MinuteOutcome(digest_of(engine), targets=tuple(targets))


def _command(engine: AccountEngine, record: EngineCommand) -> None:
    if record.name == "instruments":
        engine.take_instruments({each.symbol: each for each in record.instruments})
    elif record.name == "transfer":
        engine.transfer(record.asset, record.amount)
    elif record.name == "force_clear":
        for symbol in record.symbols:
            engine.force_clear(symbol)
    else:
        engine.set_trading(record.name == "trading_on")
