"""What a user may ask of the trade manager: configurations, accounts, switches. Each answer is Done or a clear no."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from atm.analyzers.built_in_verdicts import BuiltInVerdicts
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    Done,
    ForceClear,
    KillSwitch,
    PutAccount,
    PutAnalysisConfiguration,
    PutTradeConfiguration,
    RemoveAccount,
    RemoveConfiguration,
    Reply,
    ResumeLive,
    SetLiveRules,
    SetTrading,
)
from atm.managers import examined
from atm.managers.configuration_commands import ConfigurationCommands
from atm.managers.indicator_desk import IndicatorDesk
from atm.managers.trade_accounts import make_engine
from atm.managers.trade_book import AccountBook
from atm.managers.trade_setups import (
    Configurations,
    analysis_id,
    check_account,
    check_analysis,
    check_change,
    refuse_used,
    uses,
)
from atm.managers.transfer_commands import TransferCommands
from atm.model.account import AccountKind
from atm.model.errors import Invalid, Refused, Unavailable
from atm.storage.database import Database
from atm.trading.method_choice import check_trade

_OPEN = "is used by open positions; close them first"


class TradeCommands:
    """verdicts: file of those on the built-in indicators. `restarted` is called with the ids of analyses whose
    configuration changed, `changed` after any change."""

    def __init__(
        self,
        assistant: IPCAssistant,
        book: AccountBook,
        database: Database,
        verdicts: Path,
        restarted: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._assistant = assistant
        self._book = book
        self._configurations = database.configurations
        self._restarted = restarted
        self._changed = changed
        indicators = IndicatorDesk(assistant, book, BuiltInVerdicts(verdicts), restarted)
        ConfigurationCommands(
            assistant, book, database.configurations, indicators, self._put_analysis, self._put_trade, restarted
        )
        TransferCommands(assistant, book, database.income)
        assistant.answer(PutAnalysisConfiguration, self._put_analysis)
        assistant.answer(PutTradeConfiguration, self._on_put_trade)
        assistant.answer(RemoveConfiguration, self._remove_configuration)
        assistant.answer(PutAccount, self._put_account)
        assistant.answer(RemoveAccount, self._remove_account)
        assistant.answer(SetTrading, self._set_trading)
        assistant.answer(ForceClear, self._force_clear)
        assistant.answer(KillSwitch, self._kill)
        assistant.answer(ResumeLive, self._resume)
        assistant.answer(SetLiveRules, self._set_rules)

    # --- configurations ---------------------------------------------------------------------------------------

    def _put_analysis(self, request: PutAnalysisConfiguration) -> Reply:
        book = self._book
        configuration = check_analysis(request.configuration)
        if book.configurations.analysis.get(configuration.code) == configuration:
            return Done()
        used = uses("analysis", configuration.code, book.setups())
        refuse_used("analysis", configuration.code, book.open_uses(used), _OPEN)
        analysis = {**book.configurations.analysis, configuration.code: configuration}
        self._try(Configurations(analysis, book.configurations.trade), used)
        self._configurations.put_analysis(configuration)
        book.configurations.analysis = analysis
        book.publish_configurations()
        book.rebuild(sorted({account for account, _ in used}))
        for account in book.accounts.values():
            for position in account.setup.positions:
                if position.analysis == configuration.code:
                    self._restarted(analysis_id(position))
        self._changed()
        return Done()

    def _on_put_trade(self, request: PutTradeConfiguration) -> Reply | Deferred:
        if examined.read_files((), (request.configuration,)):
            return examined.answered(self._assistant, partial(self._put_trade, request))
        return self._put_trade(request)

    def _put_trade(self, request: PutTradeConfiguration) -> Reply:
        book = self._book
        configuration = check_trade(request.configuration)
        if book.configurations.trade.get(configuration.code) == configuration:
            return Done()
        used = uses("trade", configuration.code, book.setups())
        refuse_used("trade", configuration.code, book.open_uses(used), _OPEN)
        trade = {**book.configurations.trade, configuration.code: configuration}
        self._try(Configurations(book.configurations.analysis, trade), used)
        self._configurations.put_trade(configuration)
        book.configurations.trade = trade
        book.publish_configurations()
        book.rebuild(sorted({account for account, _ in used}))
        self._changed()
        return Done()

    def _try(self, configurations: Configurations, used: list[tuple[str, str]]) -> None:
        """Raises Invalid when an account that uses the configuration could not trade with its new form."""
        for name in sorted({account for account, _ in used}):
            if name in self._book.accounts:
                make_engine(self._book.accounts[name].setup, configurations, self._book.instruments)

    def _remove_configuration(self, request: RemoveConfiguration) -> Reply:
        book = self._book
        if request.kind not in ("analysis", "trade"):
            raise Invalid("kind", request.kind, "analysis or trade")
        known = book.configurations.analysis if request.kind == "analysis" else book.configurations.trade
        if request.code not in known:
            raise Invalid("code", request.code, "the code of a stored configuration")
        refuse_used(request.kind, request.code, uses(request.kind, request.code, book.setups()), "is in use")
        if request.kind == "analysis":
            self._configurations.remove_analysis(request.code)
        else:
            self._configurations.remove_trade(request.code)
        del known[request.code]
        book.publish_configurations()
        return Done()

    # --- accounts ---------------------------------------------------------------------------------------------

    def _put_account(self, request: PutAccount) -> Reply:
        book = self._book
        setup = check_account(request.setup)
        if not book.instruments:
            raise Unavailable("the exchange's instruments are not known yet; try again when it is connected")
        if book.knows(setup.name):
            account = book.account(setup.name)
            check_change(account.setup, setup, account.open_symbols())
        make_engine(setup, book.configurations, book.instruments)
        book.put_account(setup)
        self._changed()
        return Done()

    def _remove_account(self, request: RemoveAccount) -> Reply:
        account = self._book.account(request.name)
        open_symbols = account.open_symbols()
        if open_symbols:
            names = ", ".join(sorted(open_symbols))
            raise Refused(f"the account {request.name} has open positions ({names}); close them first")
        self._book.remove_account(account)
        self._changed()
        return Done()

    def _set_trading(self, request: SetTrading) -> Reply:
        account = self._book.account(request.name)
        if account.setup.trading != request.trading:
            self._book.set_trading(account, request.trading)
        return Done()

    def _force_clear(self, request: ForceClear) -> Reply:
        account = self._book.account(request.name)
        open_symbols = account.open_symbols()
        if request.symbol and request.symbol not in open_symbols:
            allowed = ", ".join(sorted(open_symbols)) or "nothing: every position of the account is flat"
            raise Invalid("symbol", request.symbol, allowed)
        if not open_symbols:
            raise Refused(f"every position of the account {request.name} is flat")
        self._book.force_clear(account, [request.symbol] if request.symbol else sorted(open_symbols))
        return Done()

    def _kill(self, request: KillSwitch) -> Reply:
        self._book.kill(request.account)
        self._changed()
        return Done()

    def _resume(self, request: ResumeLive) -> Reply:
        account = self._book.account(request.account)
        scopes = [halt.scope for halt in self._book.live.halts(account.setup.name)]
        if request.scope not in scopes:
            raise Invalid("scope", request.scope, ", ".join(scopes) or "nothing: the account is not halted")
        self._book.live.resume(account.setup.name, request.scope)
        self._book.publish_account(account, {})
        return Done()

    def _set_rules(self, request: SetLiveRules) -> Reply:
        account = self._book.account(request.account)
        if account.setup.kind is not AccountKind.ACTUAL:
            raise Invalid("account", request.account, "an actual account")
        if account.setup.live != request.rules:
            self._book.set_rules(account, request.rules)
        return Done()
