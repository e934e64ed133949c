"""What an exported incident holds beside the records: settings, versions, what the doctor says, the ends of the logs. All redacted."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from pathlib import Path

import msgspec

import atm
from atm.app.doctor import PACKAGES, examine
from atm.managers.black_box import redactor_for
from atm.model.errors import ATMError
from atm.model.incident import INCIDENT_SUFFIX, Wanted
from atm.model.program import ProgramContext
from atm.storage.home import black_box, incidents, logs
from atm.trading.black_box.incident import Manifest, export
from atm.trading.black_box.redaction import Redactor

LOG_TAIL = 400_000
"""Bytes of the end of each log."""
SETTINGS = (
    "endpoint", "analyzers", "simulators", "symbols", "language", "theme", "headless", "analysis_cache_bytes",
    "record_session", "black_box_bytes", "black_box_days",
)  # fmt: skip
"""Of what the program is told, what may be shown; no address, no path, no database."""


def export_incident(context: ProgramContext, wanted: Wanted, path: Path | None = None) -> tuple[Path, Manifest]:
    """Write an incident; where no path is given, to the folder of incidents. Raises ATMError."""
    made_ms = int(time.time() * 1000)
    where = path or incidents(context.home) / file_name(wanted, made_ms)
    redactor = redactor_for(context)
    beside = {
        "configuration.json": _json({name: getattr(context, name) for name in SETTINGS}),
        "versions.json": _json(_versions()),
        "doctor.txt": redactor.text(_doctor(context)).encode(),
        **_logs(context, redactor),
    }
    return where, export(black_box(context.home), where, wanted, beside, atm.__version__, made_ms)


def file_name(wanted: Wanted, made_ms: int) -> str:
    """Of an incident whose name nobody has chosen."""
    about = "-".join(sorted(wanted.accounts)) or "all"
    return f"{about[:80]}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(made_ms / 1000))}{INCIDENT_SUFFIX}"


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _versions() -> dict[str, str]:
    found = {"program": atm.__version__, "python": platform.python_version(), "system": platform.platform()}
    for name in (*PACKAGES, "msgspec", "llvmlite"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _doctor(context: ProgramContext) -> str:
    try:
        findings = examine(context, users_files=False)
    except (ATMError, OSError) as error:
        return f"the doctor could not finish: {error}\n"
    return "".join(f"{'ok ' if each.ok else 'BAD'}  {each.name}: {each.text}\n" for each in findings)


def _logs(context: ProgramContext, redactor: Redactor) -> dict[str, bytes]:
    found = {}
    for path in sorted(logs(context.home).glob("*.log")):
        with path.open("rb") as file:
            file.seek(0, 2)
            length = file.tell()
            file.seek(max(0, length - LOG_TAIL))
            tail = file.read(LOG_TAIL)
        if length > LOG_TAIL:
            tail = tail.partition(b"\n")[2]
        found[f"logs/{path.name}"] = redactor.text(tail.decode(errors="replace")).encode()
    return found
