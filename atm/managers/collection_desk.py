"""What is collected: tells the Binance API manager which symbols to stream, keeps the list, and deletes what is too old."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from atm.ipc.assistant import Deferred, IPCAssistant, error_of
from atm.ipc.messages import (
    BINANCE_API,
    CollectionUpdated,
    CollectSymbols,
    Done,
    Failed,
    ProcessState,
    Reply,
    SetCollection,
    SetRetention,
)
from atm.model.errors import ATMError, Invalid
from atm.storage import collection_file
from atm.storage.collection_file import CollectionState, OpenDownload

log = logging.getLogger(__name__)

COLLECT_TIMEOUT_S = 10.0


class CollectionDesk:
    """root: of the market store; symbols: those that the program is configured to stream, which the Binance API manager does
    without being told. retained: called when the retention has changed. Everything runs on the dispatch thread."""

    def __init__(
        self, assistant: IPCAssistant, root: Path, symbols: Iterable[str], retained: Callable[[], None] = lambda: None
    ) -> None:
        self._assistant = assistant
        self._root = root
        self._configured = tuple(dict.fromkeys(symbols))
        self.retained = retained
        self._collector_pid = 0
        self.state: CollectionState = collection_file.load(root, self._configured)

    def start(self) -> None:
        """Answer, tell what is collected, and have it streamed."""
        self._assistant.answer(SetCollection, self._on_set)
        self._assistant.answer(SetRetention, self._on_retention)
        self._assistant.subscribe(ProcessState, self._on_process, keys=[BINANCE_API])
        self._publish()
        self._tell_collector()

    def keep_downloads(self, downloads: tuple[OpenDownload, ...]) -> None:
        """Remember what is to go on after a restart."""
        if downloads == self.state.downloads:
            return
        self.state = msgspec.structs.replace(self.state, downloads=downloads)
        try:
            collection_file.store(self._root, self.state)
        except ATMError as error:  # the job goes on; only a restart would forget it
            log.warning("%s", error)

    def _on_set(self, request: SetCollection) -> Reply | Deferred:
        for each in request.symbols:
            if not each.symbol:
                raise Invalid("symbols", each.symbol, "the exchange's name of a contract, such as FILUSDT")
        wanted = self.state.changed(request.symbols)
        if _asked(wanted) == _asked(self.state):
            self._adopt(wanted)
            return Done()
        answer = Deferred()

        def answered(reply: Reply) -> None:
            if isinstance(reply, Failed):
                answer.fail(error_of(reply))
                return
            try:
                self._adopt(self.state.changed(request.symbols))
            except ATMError as error:
                answer.fail(error)
            else:
                answer.reply(Done())

        self._assistant.request_async(BINANCE_API, _asked(wanted), answered, timeout=COLLECT_TIMEOUT_S)
        return answer

    def _on_retention(self, request: SetRetention) -> Reply:
        self._adopt(msgspec.structs.replace(self.state, retention=request.retention))
        self.retained()
        return Done()

    def _adopt(self, state: CollectionState) -> None:
        collection_file.store(self._root, state)
        self.state = state
        self._publish()

    def _publish(self) -> None:
        self._assistant.publish(CollectionUpdated(self.state.symbols, self.state.retention))

    def _on_process(self, event: ProcessState) -> None:
        """A Binance API manager that has come anew streams the configured symbols until it is told."""
        if event.state == "running" and event.pid != self._collector_pid:
            self._collector_pid = event.pid
            self._tell_collector()

    def _tell_collector(self) -> None:
        if set(self.state.collected()) == set(self._configured) and not self.state.without_flow():
            return

        def answered(reply: Reply) -> None:
            if isinstance(reply, Failed):
                log.warning("the list of what is collected was not taken: %s", reply.message)

        self._assistant.request_async(BINANCE_API, _asked(self.state), answered, timeout=COLLECT_TIMEOUT_S)


def _asked(state: CollectionState) -> CollectSymbols:
    """What is to be streamed for a collection."""
    return CollectSymbols(state.collected(), without_flow=state.without_flow())
