"""What API keys may do and whether their account can be traded (spec: trading §9.2; exchange §7).

Permissions and the user's number are told by the spot side of the exchange, which no test network has; the modes of the futures account by
itself (`accountConfig`, weight 5).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from atm.exchange.client.failures import TIMESTAMP_OUTSIDE
from atm.exchange.client.rest import FuturesClient
from atm.model.activation import ActivationReason as Reason
from atm.model.activation import KeyPermission, KeyReport, KeyWarning
from atm.model.errors import ATMError, Banned, Refused, Throttled, Unavailable

T = TypeVar("T")

_KEY_REFUSED = frozenset((-2014, -2015))
_SIGNATURE_REFUSED = -1022


class _Restrictions(msgspec.Struct, rename="camel"):
    ip_restrict: bool = False
    enable_reading: bool = False
    enable_futures: bool = False
    enable_withdrawals: bool = False


class _Spot(msgspec.Struct):
    uid: int = 0


class _Futures(msgspec.Struct, rename="camel"):
    can_trade: bool
    dual_side_position: bool
    multi_assets_margin: bool


async def check_keys(client: FuturesClient, spot: str, uid: int = 0) -> KeyReport:
    """Ask the exchange. spot: base address of its spot side, "" where there is none; uid: whose the keys must be, 0 = anybody's. Raises
    nothing: what goes wrong is the report's reason."""
    report = KeyReport(warnings=(KeyWarning.PERMISSIONS_UNKNOWN,))
    try:
        if spot:
            report = _permissions(
                _read(await client.signed_get(f"{spot}/sapi/v1/account/apiRestrictions"), _Restrictions)
            )
        if report.reason is Reason.NONE and uid:
            report = await _with_uid(client, spot, uid, report)
        if report.reason is Reason.NONE:
            reason = await _mode(client)
            report = msgspec.structs.replace(report, reason=reason)
    except ATMError as error:
        return msgspec.structs.replace(report, reason=reason_of(error), details=str(error))
    return report


async def check_mode(client: FuturesClient) -> tuple[Reason, str]:
    """Whether an account that is active still can be traded: the reason against it, and its details."""
    try:
        return await _mode(client), ""
    except ATMError as error:
        return reason_of(error), str(error)


def reason_of(error: ATMError) -> Reason:
    """Which of the causes an error of the client is."""
    if isinstance(error, Throttled | Banned):
        return Reason.RATE_LIMIT
    if isinstance(error, Unavailable):
        return Reason.NETWORK
    if isinstance(error, Refused):
        if error.code in _KEY_REFUSED:
            return Reason.KEYS_REFUSED
        if error.code == _SIGNATURE_REFUSED:
            return Reason.SIGNATURE_REFUSED
        if error.code == TIMESTAMP_OUTSIDE:
            return Reason.CLOCK
    return Reason.UNEXPECTED


def _permissions(told: _Restrictions) -> KeyReport:
    held = (
        (KeyPermission.READING, told.enable_reading),
        (KeyPermission.FUTURES, told.enable_futures),
        (KeyPermission.WITHDRAWALS, told.enable_withdrawals),
        (KeyPermission.IP_RESTRICTED, told.ip_restrict),
    )
    unsafe = ((KeyWarning.WITHDRAWALS, told.enable_withdrawals), (KeyWarning.NO_IP_RESTRICTION, not told.ip_restrict))
    return KeyReport(
        Reason.NONE if told.enable_futures else Reason.NO_FUTURES,
        tuple(permission for permission, is_held in held if is_held),
        tuple(warning for warning, holds in unsafe if holds),
    )


async def _with_uid(client: FuturesClient, spot: str, wanted: int, report: KeyReport) -> KeyReport:
    found = _read(await client.signed_get(f"{spot}/api/v3/account"), _Spot).uid if spot else 0
    if not found:
        return msgspec.structs.replace(report, warnings=(*report.warnings, KeyWarning.UID_UNKNOWN))
    reason = Reason.NONE if found == wanted else Reason.WRONG_UID
    return msgspec.structs.replace(report, reason=reason, uid=found)


async def _mode(client: FuturesClient) -> Reason:
    told = _read(await client.account_configuration(), _Futures)
    if not told.can_trade:
        return Reason.NO_FUTURES
    if told.dual_side_position:
        return Reason.HEDGE_MODE
    return Reason.MULTI_ASSETS if told.multi_assets_margin else Reason.NONE


def _read(answer: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise Unavailable(f"the exchange's answer cannot be read: {error}") from None
