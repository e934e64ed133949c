"""All pages of the window by name."""

from __future__ import annotations

from atm.gui.pages.account_history import AccountHistoryPage
from atm.gui.pages.accounts import AccountsPage
from atm.gui.pages.auto_trade import AutoTradePage
from atm.gui.pages.currency_analysis import CurrencyAnalysisPage
from atm.gui.pages.dashboard import DashboardPage
from atm.gui.pages.database import DatabasePage
from atm.gui.pages.demo_exchange import DemoExchangePage
from atm.gui.pages.market import MarketPage
from atm.gui.pages.settings import SettingsPage
from atm.gui.pages.simulation import SimulationPage
from atm.gui.pages.simulation_result import SimulationResultPage
from atm.gui.pages.unbuilt import UnbuiltPage
from atm.gui.shell import Page
from atm.gui.ui import PageName


def all_pages() -> dict[PageName, Page]:
    """Fresh pages."""
    return {
        PageName.DASHBOARD: DashboardPage(),
        PageName.MARKET: MarketPage(),
        PageName.ANALYSIS: CurrencyAnalysisPage(),
        PageName.AUTO_TRADE: AutoTradePage(),
        PageName.ACCOUNTS: AccountsPage(),
        PageName.HISTORY: AccountHistoryPage(),
        PageName.SIMULATION: SimulationPage(),
        PageName.RESULT: SimulationResultPage(),
        PageName.DATABASE: DatabasePage(),
        PageName.NETWORK: UnbuiltPage(PageName.NETWORK, (PageName.SIMULATION,)),
        PageName.DEMO: DemoExchangePage(),
        PageName.SETTINGS: SettingsPage(),
    }
