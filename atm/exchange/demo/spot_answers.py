"""The two answers of the exchange's spot side that are needed to judge API keys: their permissions, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atm.exchange.demo.account import Account, KeyPair


def _restrictions(pair: KeyPair, _: Account) -> dict[str, Any]:
    return {
        "ipRestrict": pair.ip_restricted,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": pair.withdrawals,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": pair.futures,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": False,
        "enablePortfolioMarginTrading": False,
    }


def _spot_account(_: KeyPair, account: Account) -> dict[str, Any]:
    return {"canTrade": False, "canWithdraw": True, "canDeposit": True, "accountType": "SPOT", "balances": [],
            "permissions": ["SPOT"], "uid": account.uid}  # fmt: skip


SPOT_ROUTES: dict[tuple[str, str], Callable[[KeyPair, Account], dict[str, Any]]] = {
    ("GET", "/sapi/v1/account/apiRestrictions"): _restrictions,
    ("GET", "/api/v3/account"): _spot_account,
}
"""By method and whole path."""
