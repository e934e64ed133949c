"""Activation of an actual account on its page, by mouse and keys."""

from __future__ import annotations

import msgspec

from atm.gui.ui import PageName
from atm.ipc.activation_messages import KEYS, NEW_PASSWORD, PASSWORD, activation_purpose
from atm.ipc.messages import (
    BINANCE_API,
    ActivateAccount,
    ActivateByFile,
    ActivationFileWritten,
    ActivationKey,
    ActivationState,
    DeactivateAccount,
    Done,
    MakeActivationFile,
    PutAccount,
    RotateActivationFile,
)
from atm.ipc.sealed import SealReader
from atm.model.account import AccountKind
from atm.model.activation import ActivationReason, ActivationStatus, KeyPermission, KeyWarning
from atm.model.endpoint import Endpoint
from tests.gui import filled
from tests.gui.pilot import Pilot

KEY, SECRET = "k" * 64, "s" * 64


def purpose(what: str) -> str:
    return activation_purpose(what, "real", Endpoint.DEMO)


def actual_account(pilot: Pilot, *, with_manager: bool = True) -> SealReader:
    """The page of an actual account."""
    reader, told = SealReader(), filled.account("real")
    replace = msgspec.structs.replace
    setup = replace(told.setup, kind=AccountKind.ACTUAL, uid=77)
    pilot.ui.model.apply(replace(told, setup=setup, snapshot=replace(told.snapshot, kind=AccountKind.ACTUAL)))
    if with_manager:
        pilot.ui.model.apply(ActivationKey(reader.public))
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.pick.real")
    pilot.click("accounts.tab.activation")
    return reader


def test_keys_leave_the_window_sealed_and_do_not_stay_in_it(pilot: Pilot) -> None:
    reader = actual_account(pilot)
    pilot.type("activation.key", KEY)
    pilot.type("activation.secret", SECRET)
    pilot.click("activation.send")
    command = pilot.sent[-1]
    assert command.to == BINANCE_API and isinstance(command.request, ActivateAccount)
    assert command.request.uid == 77
    assert reader.open(command.request.keys, purpose(KEYS)) == f"{KEY}\n{SECRET}"
    assert SECRET not in repr(command) and KEY not in repr(command)
    pilot.answer(Done())
    pilot.sent.clear()
    pilot.click("activation.send")
    assert not pilot.sent, "nothing is left to be sent twice"


def test_nothing_is_sent_without_a_manager_that_could_read_it(pilot: Pilot) -> None:
    actual_account(pilot, with_manager=False)
    pilot.type("activation.key", KEY)
    pilot.type("activation.secret", SECRET)
    pilot.click("activation.send")
    assert not pilot.sent


def test_a_file_activates_with_its_password_which_may_be_held(pilot: Pilot) -> None:
    reader = actual_account(pilot)
    pilot.click("activation.form.by_file")
    pilot.type("activation.password", "short")
    pilot.click("activation.send")
    assert not pilot.sent
    pilot.type("activation.password", "long enough")
    pilot.click("activation.hold")
    pilot.click("activation.send")
    request = pilot.sent[-1].request
    assert isinstance(request, ActivateByFile) and request.hold and request.path == ""
    assert reader.open(request.password, purpose(PASSWORD)) == "long enough"


def test_a_file_of_the_active_keys_is_made_and_its_password_changed(pilot: Pilot) -> None:
    reader = actual_account(pilot)
    pilot.ui.model.apply(ActivationState("real", ActivationStatus.ACTIVE, public=reader.public))
    pilot.frames(2)
    pilot.click("activation.form.make")
    assert not pilot.sees("activation.key"), "the keys are with the manager"
    pilot.type("activation.password", "long enough")
    pilot.type("activation.again", "long enouhg")
    pilot.type("activation.folder", "/media/stick")
    pilot.click("activation.send")
    assert not pilot.sent
    pilot.type("activation.again", "long enough")
    pilot.click("activation.send")
    request = pilot.sent[-1].request
    assert isinstance(request, MakeActivationFile) and (request.keys, request.folder) == (b"", "/media/stick")
    pilot.answer(ActivationFileWritten("/media/stick/x"))
    pilot.click("activation.form.rotate")
    pilot.type("activation.password", "long enough")
    pilot.type("activation.new_password", "longer still")
    pilot.click("activation.send")
    request = pilot.sent[-1].request
    assert isinstance(request, RotateActivationFile)
    assert reader.open(request.new_password, purpose(NEW_PASSWORD)) == "longer still"


def test_deactivation_asks_first(pilot: Pilot) -> None:
    reader = actual_account(pilot)
    warned = ActivationState(
        "real",
        ActivationStatus.BLOCKED,
        ActivationReason.HEDGE_MODE,
        (KeyPermission.FUTURES,),
        tuple(KeyWarning),
        public=reader.public,
    )
    pilot.ui.model.apply(warned)
    pilot.frames(2)
    pilot.click("activation.deactivate")
    assert not pilot.sent
    pilot.click("activation.confirm.confirm")
    assert pilot.sent[-1].request == DeactivateAccount("real")


def test_a_successor_of_the_manager_knows_of_no_activation(pilot: Pilot) -> None:
    model = pilot.ui.model
    first, second = SealReader().public, SealReader().public
    model.apply(ActivationState("real", ActivationStatus.ACTIVE, public=first))
    model.apply(ActivationKey(first))
    assert model.activation("real").status is ActivationStatus.ACTIVE, "a late window hears of both in any order"
    model.apply(ActivationKey(second))
    assert model.activation("real").status is ActivationStatus.INACTIVE


def test_an_actual_account_is_created_with_its_user_number(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.new")
    pilot.click("accounts.kind.ACTUAL")
    pilot.type("accounts.name", "real")
    pilot.type("accounts.uid", "no number")
    pilot.click("accounts.create")
    failed = pilot.ui.commands.failure("accounts.create")
    assert failed is not None and failed.field == "uid"
    pilot.type("accounts.uid", "123456789")
    pilot.click("accounts.create")
    request = pilot.sent[-1].request
    assert isinstance(request, PutAccount)
    assert (request.setup.kind, request.setup.uid) == (AccountKind.ACTUAL, 123_456_789)
    assert not pilot.sees("accounts.balance")
