"""The desk of the Binance API manager for recordings of a session."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from atm.exchange.client.recorder import SessionRecorder
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import RecordSession, SessionRecording
from atm.model.errors import ATMError, Invalid

logger = logging.getLogger(__name__)

ACTIONS = ("start", "stop", "state")


class RecordingDesk:
    """Answers `RecordSession`. attach(recorder): have everything that comes told to it; None: no longer."""

    def __init__(self, assistant: IPCAssistant, folder: Path, attach: Callable[[SessionRecorder | None], None]) -> None:
        self._folder, self._attach = folder, attach
        self._recorder: SessionRecorder | None = None
        assistant.answer(RecordSession, self._on_record)

    def start_quietly(self) -> None:
        """Begin because the configuration says so; what prevents it is logged."""
        try:
            self._start()
        except ATMError as error:
            logger.error("the session is not recorded: %s", error)

    def close(self) -> None:
        """End the recording, if one runs, and wait until it is written."""
        if (recorder := self._detached()) is not None:
            recorder.close()

    def _detached(self) -> SessionRecorder | None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._attach(None)
        return recorder

    def _end(self) -> SessionRecording | Deferred:
        """End the recording; what waits is written beside this loop, however long the disk takes."""
        recorder = self._detached()
        if recorder is None:
            return SessionRecording(False)
        answer = Deferred()

        def write() -> None:
            recorder.close()
            answer.reply(_told(recorder, False))

        threading.Thread(target=write, name="recording-ends", daemon=True).start()
        return answer

    def _on_record(self, request: RecordSession) -> SessionRecording | Deferred:
        if request.action not in ACTIONS:
            raise Invalid("action", request.action, ", ".join(ACTIONS))
        if request.action == "stop":
            return self._end()
        if request.action == "start":
            self._start()
        return _told(self._recorder, True) if self._recorder is not None else SessionRecording(False)

    def _start(self) -> None:
        if self._recorder is not None and self._recorder.state.error:
            self._end()
        if self._recorder is None:
            self._recorder = SessionRecorder(self._folder)
            self._attach(self._recorder)


def _told(recorder: SessionRecorder, is_running: bool) -> SessionRecording:
    state = recorder.state
    return SessionRecording(
        is_running and not state.error, state.path, state.bytes, state.messages, state.lost, state.since_ms, state.error
    )
