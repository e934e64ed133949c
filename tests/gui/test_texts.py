"""Catalogues: complete, without leftovers, with the same placeholders, and never an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from atm.exchange.client.instrument_changes import FIELDS as INSTRUMENT_FIELDS
from atm.exchange.client.instrument_changes import ChangeKind
from atm.gui.accounts.orders_tab import SCOPES as ORDER_SCOPES
from atm.gui.accounts.positions_tab import COLUMN_SETS
from atm.gui.accounts.transfer_dialog import WAYS
from atm.gui.analysis_draft import groups_of
from atm.gui.analysis_rows import STATES as ANALYSIS_STATES
from atm.gui.data.symbol_detail import TABS as DATA_TABS
from atm.gui.data.symbol_table import FILTERS
from atm.gui.demo.fault_form import GROUPS as FAULT_GROUPS
from atm.gui.demo.fault_form import ROUTES, SCHEDULE
from atm.gui.history.income_tab import NAMED as INCOME_KINDS
from atm.gui.history.income_tab import WAYS as INCOME_WAYS
from atm.gui.market.symbol_list import FILTERS as MARKET_FILTERS
from atm.gui.market.tape_panel import VIEWS as VIEWS_OF_TAPE
from atm.gui.notice_sentence import notice_sentence
from atm.gui.pages.account_history import TABS as HISTORY_TABS
from atm.gui.pages.accounts import TABS as ACCOUNT_TABS
from atm.gui.pages.activation_card import FORMS as ACTIVATION_FORMS
from atm.gui.pages.auto_trade import TABS
from atm.gui.pages.simulation_result import TABS as RESULT_TABS
from atm.gui.rate_limit import REQUEST_CLASSES
from atm.gui.result.compare import VIEWS
from atm.gui.result.reports import MODES
from atm.gui.result.view import GROUPINGS
from atm.gui.simulation_draft import COSTS
from atm.gui.sounds import Sound
from atm.gui.texts import LANGUAGES, Texts, placeholders, read_catalogue
from atm.gui.trade_draft import trade_parameters
from atm.gui.ui import PageName
from atm.model.account import AccountKind, TradeReason
from atm.model.activation import ActivationReason, ActivationStatus, KeyPermission, KeyWarning
from atm.model.adjustable import adjustables, of_specification
from atm.model.bars import Source
from atm.model.builtin_analyses import BUILT_IN
from atm.model.data_job import JobKind, JobStatus
from atm.model.drift import DriftTest
from atm.model.endpoint import Endpoint
from atm.model.fault import FaultKind, fields_of
from atm.model.income import IncomeCause
from atm.model.live_order import OrderState, Purpose
from atm.model.live_view import Protection
from atm.model.notice import Notice, Severity
from atm.model.notification import NotificationSettings
from atm.model.order import Side
from atm.model.order_probe import Probe, ProbeOutcome
from atm.model.parameter import Parameter, parameters_of
from atm.model.parity import DecisionCause, MoneyCause, Verdict
from atm.model.risk import LiveRules
from atm.model.simulation import SimulationPhase, SimulationStatus
from atm.model.trade_configuration import (
    LimitOrder,
    MmacdDefault,
    MmacdLongDefault,
    ReachAndFall,
    RemainingQuantity,
    RotationalGaussian2,
    SwingDefault,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
    WeightReduce,
)
from atm.simulators.figures import FIGURES, GROUPS
from atm.simulators.statistics.reports import REASONS
from atm.storage.export_minutes import FORMS
from atm.storage.market_store import DELETABLE
from tests.gui.filled import ASSETS, ROOT, spec
from tests.gui.pilot import Pilot


def moved_names() -> set[str]:
    """Names of everything that a slider moves, of every method that there is."""
    methods = (
        RemainingQuantity(long=RotationalGaussian2()),
        TradeScenario(weight_reduce=WeightReduce(0.1, 0.1), reach_and_fall=ReachAndFall(0.2, 0.1)),
        *(TargetExposure(function) for function in (SwingDefault(), MmacdDefault(), MmacdLongDefault())),
    )
    whole = spec("any")
    found = [each for group in of_specification(whole).values() for each in group]
    for method in methods:
        found += adjustables(TradeConfiguration("t", method=method))
    found += adjustables(TradeConfiguration("t", entry_order=LimitOrder(), exit_order=LimitOrder()))
    return {part.partition("[")[0] for each in found for part in each.path.split(".")[-3:]} - {
        "USDT",
        "method",
        "trade",
        "positions",
        "assets",
        "costs",
    }


FOLDER = ASSETS / "texts"
CATALOGUES = {language: read_catalogue(FOLDER / language / "LC_MESSAGES" / "atm.po") for language in LANGUAGES}
INTEGRITY = (
    "checksum",
    "duplicate",
    "flow",
    "log_record",
    "minute",
    "month",
    "order",
    "prices",
    "rates",
    "put_aside",
    "source",
    "unreadable",
    "volumes",
)


FAULT_FIELDS = (*SCHEDULE, *(each for kind in FaultKind for each in fields_of(kind).values()))
FAULT_DEEDS = (
    *("refused", "unanswered", "delayed", "executed", "corrupted", "expired", "cut", "dead", "messages"),
    *("left_out", "repeated", "moved_back", "gaps"),
)


def every(parameters: Iterable[Parameter]) -> Iterator[Parameter]:
    """These, and all inside of them."""
    for each in parameters:
        yield each
        inside = (*each.fields, *([each.member] if each.member else ()), *(f for v in each.variants for f in v.fields))
        yield from every(inside)


TRADE = list(every(trade_parameters()))
NOTIFICATIONS = [each for each in parameters_of(NotificationSettings) if each.name != "enabled"]
LIVE = list(every(parameters_of(LiveRules)))
VARIANTS = {variant.key.lower() for each in TRADE for variant in each.variants}
DIFFERENCES = ("position", "order_missing", "foreign_order", "orphan_order", "settings")
SUSPENDED = re.findall(r'"why[.](\w+)"', (ROOT / "atm/gui/accounts/suspension.py").read_text("utf-8"))
REVIEW_CHECKS = ("fills", "profit", "fees", "wallet", "funding", "equity", "transfers")

STATES = {
    "connection": ("connecting", "connected", "degraded", "disconnected", "banned"),
    "request": REQUEST_CLASSES,
    "status": ("throttled", "banned"),
    "instrument_field": INSTRUMENT_FIELDS,
    "process": ("starting", "running", "dead", "stopped"),
    "theme": ("dark", "light"),
    "direction_colors": ("green_red", "red_blue", "blue_orange"),
    "endpoint": [endpoint.value for endpoint in Endpoint],
    "page": [page.value for page in PageName],
    "account_kind": [kind.value for kind in AccountKind],
    "activation_status": [status.value for status in ActivationStatus],
    "activation_reason": [reason.value for reason in ActivationReason],
    "key_warning": [warning.value for warning in KeyWarning],
    "key_permission": [permission.value for permission in KeyPermission],
    "activation": (
        *(f"{start}{form}" for form in ACTIVATION_FORMS for start in ("", "send_")),
        *("key", "secret", "password", "again", "new_password", "path", "folder", "deactivate"),
    ),
    "simulation_status": [status.value for status in SimulationStatus],
    "sound": [sound.value for sound in Sound],
    "severity": [severity.value for severity in Severity],
    "report_title": [severity.value for severity in Severity],
    "statistic": FIGURES,
    "statistic_group": GROUPS,
    "tear_sheet": ("trend", "volatility"),
    "trade_reason": [reason.value for reason in TradeReason],
    "side": [side.value for side in Side],
    "field": (
        *("maker_fee", "taker_fee", "half_spread", "slippage", "funding_rate"),
        *("path", "export_form", "deleted", "flow_months", "bar_months"),
        "amount",
    ),
    "auto_tab": TABS,
    "running": [f"{state}_hint" for state in ANALYSIS_STATES],
    "analysis_title": [group.key for group in groups_of(())],
    "analysis": (
        "preparing",
        "running",
        "waiting",
        "failed",
        "warm_up",
        "settle",
        "columns",
        "copy",
        "rename",
        "copy_title",
        "rename_title",
    ),
    "verdict": [f"{state}{end}" for state in ("passed", "failed", "waiting", "unknown") for end in ("", "_hint")],
    "form": ("whole", "number", *sorted({form.name for known in BUILT_IN.values() for form in known.style.forms})),
    "parameter": {each.name for group in groups_of(()) for each in group.parameters}
    | moved_names()
    | {each.name for each in COSTS}
    | {each.name for each in TRADE if each.name != "code"}
    | {each.name for each in NOTIFICATIONS}
    | {each.name for each in LIVE}
    | {each.name for each in FAULT_FIELDS},
    "option": VARIANTS
    | {choice.lower() for each in (*TRADE, *COSTS, *NOTIFICATIONS, *LIVE, *FAULT_FIELDS) for choice in each.choices},
    "notify": ("channel", "delivered", "waiting", "lost", "error", "kept", "not_kept"),
    "about": VARIANTS,
    "mismatch": ("market_order", "stop_close", "span", "first_deviation", "fall", "more", "less"),
    "simulation_phase": [phase.value for phase in SimulationPhase],
    "indicator": [name.lower() for name in BUILT_IN],
    "result_tab": RESULT_TABS,
    "result_group": GROUPINGS,
    "report_step": ("hourly", "daily"),
    "report": [mode for mode in MODES if mode not in REASONS]
    + [f"equity_{which}" for which in ("open", "low", "high", "close")],
    "compare_view": VIEWS,
    "weekday": range(7),
    "export": ("csv", "parquet", "html", "written"),
    "trial": ("allocation", "costs"),
    "source": [source.name.lower() for source in Source],
    "collecting": ("flow", "bars", "off"),
    "database_filter": FILTERS,
    "database_tab": DATA_TABS,
    "database": (
        "import_dots",
        "check_all",
        "retention_dots",
        "empty_hint",
        "none_shown_hint",
        *(f"{which}{end}" for which in ("collect_shown", "stop_shown") for end in ("", "_title", "_body")),
    ),
    "job_kind": [kind.value for kind in JobKind],
    "job_status": [status.value for status in JobStatus],
    "job_action": ("pause", "resume", "cancel", "dismiss"),
    "integrity": INTEGRITY,
    "export_form": FORMS,
    "deleted": DELETABLE,
    "start": ("connected", "history", "configurations", "simulation", "account", "trading"),
    "demo": ("api_key", "secret"),
    "market": (*VIEWS_OF_TAPE, "list_favourites", "list_nothing", "list_none"),
    "market_filter": MARKET_FILTERS,
    "unsaved": ("analysis", "trade"),
    "done": ("analysis_saved", "trade_saved"),
    "fresh": ("held", "connecting", "degraded", "stale", "disconnected", "banned", "restarting", "age"),
    "fault": [kind.value for kind in FaultKind],
    "fault_about": [kind.value for kind in FaultKind],
    "fault_group": FAULT_GROUPS,
    "fault_target": ("every", *ROUTES),
    "fault_phase": ("waiting", "active", "active_for", "over", "cleared"),
    "fault_did": FAULT_DEEDS,
    "unbuilt": ("title", "neural_network"),
    "history_tab": HISTORY_TABS,
    "parity_verdict": [f"{verdict.value}{end}" for verdict in Verdict for end in ("", "_hint")],
    "decision_cause": [cause.value for cause in DecisionCause],
    "money_cause": [cause.value for cause in MoneyCause],
    "drift_test": [test.value for test in DriftTest],
    "review_check": (*REVIEW_CHECKS, *(f"{what}_hint" for what in REVIEW_CHECKS)),
    "history": ("in_time", "in_asset", "in_symbol"),
    "income": tuple(f"by_{way}" for way in INCOME_WAYS),
    "income_kind": INCOME_KINDS,
    "probe_type": tuple(probe.value for probe in Probe),
    "probe_outcome": tuple(outcome.value for outcome in ProbeOutcome),
    "transfer": tuple(f"{way}{end}" for way in WAYS for end in ("", "_dots", "_title", "_about")),
    "income_cause": tuple(cause.value for cause in IncomeCause),
    "account_tab": ACCOUNT_TABS,
    "columns": COLUMN_SETS,
    "orders": (*ORDER_SCOPES, "waiting_title", "waiting", "none_title", "none"),
    "order_purpose": [purpose.name for purpose in Purpose],
    "order_state": [state.value for state in OrderState],
    "story": ("sent", "lost", "not_placed", "cancel_asked"),
    "protection": [state.value for state in Protection],
    "difference": [f"{kind}{end}" for kind in DIFFERENCES for end in ("", "_does")],
    "kind_of": ("analysis", "trade"),
    "short": SUSPENDED,
    "why": SUSPENDED,
    "live": ("resume_account", "resume_symbol"),
}
"""Keys that the code puts together: prefix and what may follow."""

ASKED_FOR = ("connected", "disconnected", "liquidation", "stop", "fill", "disk_full", "process_restarted", "crash_loop")


def used_keys() -> set[str]:
    """Keys in the sources: literals of the window's calls, notices and replies of all processes, and the states."""
    found = {f"{prefix}.{name}" for prefix, names in STATES.items() for name in names}
    found |= {f"notice.{name}" for name in ASKED_FOR}
    found |= {f"notice.instrument_{kind.value}" for kind in ChangeKind}
    found |= {f"analysis.{name}_hint" for name in ("warm_up", "settle", "columns")}
    found |= {each.description for group in groups_of(()) for each in group.parameters}
    found |= {each.description for each in TRADE if each.description}
    for path in (ROOT / "atm").rglob("*.py"):
        source = path.read_text("utf-8")
        found |= set(re.findall(r'"((?:notice|done|job|finding|tear_sheet|comparison)\.[a-z_]+)"', source))
        if "gui" in path.parts:
            found |= {
                key
                for call in re.findall(r"\bt\(([^()]*)", source)
                for key in re.findall(r"[\"']([a-z_]+\.[a-z_]+)[\"']", call)
            }
    return found


def test_every_used_text_exists_in_every_language_and_none_is_left_over() -> None:
    wanted = used_keys()
    for language, catalogue in CATALOGUES.items():
        assert wanted - set(catalogue) == set(), f"missing in {language}"
        # whether the sentences under "said." are still written anywhere is another test's
        unused = {key for key in catalogue if key not in wanted and not key.startswith("said.")}
        sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "atm").rglob("*.py"))
        assert {key for key in unused if not re.search(f"[\"']{re.escape(key)}[\"']", sources)} == set(), (
            f"unused in {language}"
        )


def test_placeholders_agree_and_nothing_is_empty() -> None:
    assert set(CATALOGUES["en"]) == set(CATALOGUES["ko"])
    for key, english in CATALOGUES["en"].items():
        assert placeholders(english) == placeholders(CATALOGUES["ko"][key]), key
        assert english
        assert CATALOGUES["ko"][key]


def test_korean_is_korean() -> None:
    """A text without a single Hangul letter would be one that was forgotten (words of other systems excepted)."""
    latin = {key for key, text in CATALOGUES["ko"].items() if not re.search("[가-힣]", text)}
    assert latin == set()


def test_placeholders_are_filled_and_missing_ones_left() -> None:
    texts = Texts(FOLDER)
    assert texts("simulation.range_days", days=7) == "7 days"
    assert texts("simulation.range_days", nights=7) == "{days} days"


def test_an_unknown_text_is_shown_by_its_key_with_its_parameters() -> None:
    texts = Texts(FOLDER)
    assert texts("notice.of_tomorrow", symbol="X") == "notice.of_tomorrow (symbol: X)"
    assert texts("notice.of_tomorrow") == "notice.of_tomorrow"


def test_words_of_the_program_inside_a_notice_are_translated(pilot: Pilot) -> None:
    pilot.ui.texts.choose("ko")
    parameters = {"account": "a", "side": "SELL", "quantity": "2", "symbol": "X", "price": "3", "reason": "STOP_CLOSE"}
    text = notice_sentence(pilot.ui.t, Notice(0, "trade", Severity.WARNING, "notice.stop", parameters))
    assert text == "a: 손절, X 2 매도, 가격 3 (손절 (종가))"


def test_a_missing_catalogue_shows_keys_and_a_broken_line_is_named(tmp_path: Path) -> None:
    assert Texts(tmp_path)("page.market") == "page.market"
    broken = tmp_path / "atm.po"
    broken.write_text('msgid "a"\nmsgstr "b"\nmsgstr oops\n')
    with pytest.raises(ValueError, match="line 3"):
        read_catalogue(broken)


def test_texts_of_several_lines_and_escapes_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "atm.po"
    path.write_text('# note\nmsgid ""\nmsgstr ""\n"Language: en\\n"\n\nmsgid "k"\nmsgstr "one "\n"\\"two\\"\\n"\n')
    assert read_catalogue(path) == {"k": 'one "two"\n'}
