"""The desk of actual accounts while the journal of orders cannot be written: nothing that is wanted meanwhile is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from atm.ipc.messages import TRADE
from atm.managers import live_desk
from atm.model.account import TradeRecord
from atm.model.errors import Unavailable
from atm.model.journal import KILLED, JournalEntry, Target, TargetSet
from atm.model.risk import LiveRules, RiskLimits
from atm.storage.orders import OrderJournal
from tests.managers.test_live_desk import SETUP, TRADE_CONFIGURATION, Managers, X, on_demo


class Full(OrderJournal):
    """Of a disk that takes nothing while it is `full`."""

    full = False

    def append(
        self, account: str, entries: Sequence[JournalEntry], trades: Sequence[TradeRecord] = ()
    ) -> list[TradeRecord]:
        if entries and self.full:
            raise Unavailable("the disk is full")
        return super().append(account, entries, trades)


class Refused(Managers):
    def begin_trade(self) -> None:
        self.full = Full(self.journal._engine, lambda: 0)
        self.journal = self.full
        super().begin_trade()

    async def ready(self) -> None:
        await self.until(lambda: self.desk.facts("first") is not None)

    def refuse(self) -> None:
        """The next entry is refused, and with it what the desk knows of the account."""
        self.full.full = True


@pytest.fixture
async def managers(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Refused]:
    monkeypatch.setattr(live_desk, "CONNECT_RETRY_S", 0.1)
    async with on_demo(Refused, home) as made:
        yield made


async def test_a_target_that_is_not_committed_stays_the_engines(managers: Refused) -> None:
    await managers.ready()
    managers.refuse()
    wanted = [Target(X, Decimal(50), managers.desk.now_ms)]
    assert not managers.desk.aim("first", wanted)
    assert managers.notices.count("notice.account_not_stored") == 1
    assert not managers.desk.aim("first", wanted), "while the account is taken up anew"
    managers.full.full = False
    await managers.ready()
    assert managers.desk.aim("first", wanted)
    await managers.until(lambda: managers.quantity() == 50.0)


async def test_the_kill_switch_is_made_up_for_and_not_told_as_done_before(managers: Refused) -> None:
    await managers.ready()
    managers.aim("50")
    await managers.until(lambda: managers.quantity() == 50.0)
    managers.refuse()
    for _ in range(3):
        with pytest.raises(Unavailable, match="cannot be written"):
            managers.desk.flatten("first", KILLED)
    managers.full.full = False
    await managers.until(lambda: managers.quantity() == 0.0)
    assert [halt.reason for halt in managers.desk.halts("first")] == [KILLED]
    halted = [entry for entry in managers.journal.load("first") if type(entry).__name__ == "Halted"]
    assert len(halted) == 1, "said three times, done once"


async def test_new_rules_survive_a_journal_that_refuses(managers: Refused) -> None:
    await managers.ready()
    managers.refuse()
    managers.aim("50")
    limited = msgspec.structs.replace(SETUP, live=LiveRules(RiskLimits(max_notional=100.0)))
    managers.desk.open(limited, {"t": TRADE_CONFIGURATION}, managers.instruments)
    managers.full.full = False
    await managers.ready()
    managers.aim("50")
    await managers.until(lambda: bool(managers.desk.halts("first")))
    assert "max_notional" in managers.desk.halts("first")[0].reason
    assert not managers.quantity()


async def test_a_removed_account_is_not_taken_up_again(managers: Refused) -> None:
    await managers.ready()
    managers.refuse()
    managers.aim("50")
    managers.desk.close("first")
    managers.full.full = False
    managers.desk._again("first")
    assert not managers.desk.knows("first")
    assert managers.desk.facts("first") is None


async def test_a_stop_out_that_no_minute_has_heard_of_is_told_after_a_start(managers: Refused) -> None:
    await managers.ready()
    managers.aim("50")
    await managers.until(lambda: managers.quantity() == 50.0)
    stopped_ms = managers.desk.now_ms
    managers.journal.append("first", [TargetSet(Target(X, Decimal(0), managers.decision_ms), stopped_ms, stopped=1)])
    for since_ms, told in ((stopped_ms, 1), (stopped_ms + 1, 0)):
        managers.bus.kill(TRADE)
        managers.desk = live_desk.LiveDesk(
            managers.bus.assistant(TRADE), managers.journal, managers._notify, lambda: None
        )
        managers.desk.open(SETUP, {"t": TRADE_CONFIGURATION}, managers.instruments, since_ms)
        await managers.ready()
        assert managers.desk.facts("first").held[X].stopped == told
        managers.desk.consumed("first")
        assert managers.desk.facts("first").held[X].stopped == 0
