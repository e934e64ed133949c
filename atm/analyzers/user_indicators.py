"""Users' indicators and trade-control methods: Python files in `strategies/`, loaded, examined and reloaded when asked.

A file has a function `register(registry)`, which registers what it has as the built-in indicators are. A file that cannot be
read or breaks a promise is refused with one sentence, and what it gave before stays. Verdicts are kept by the hash of the
file, so an examined file costs nothing when the program starts again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numba

from atm.analyzers import checker
from atm.analyzers.builtin import built_in
from atm.analyzers.checker import Verdict, check
from atm.analyzers.contract import Indicator, Registry
from atm.model.errors import ATMError
from atm.model.trade_method import TradeMethod
from atm.storage.file_lock import write_whole

log = logging.getLogger(__name__)

MOST_VERDICTS = 500

METHOD_CHECKER = "method_checker.py"
"""What examines methods, on a higher floor."""
Found = tuple[Indicator[Any] | TradeMethod[Any], ...]
"""What a file has registered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file. names: indicators and methods in use from it, from an older version when `sentence` says what is
    wrong."""

    path: Path
    names: tuple[str, ...]
    passed: bool
    sentence: str = ""


@dataclass(slots=True)
class _File:
    """stamp: (mtime, size) when it was last looked at; found: in the newest version that was good."""

    stamp: tuple[int, int]
    report: Report
    found: Found = ()


class Unusable(Exception):
    """What is missing in a file."""


def load(path: Path, source: bytes, registry: Registry) -> Found:
    """Run a file and let it register: what is new in `registry`. Raises what the file raises, or `Unusable`."""
    version = hashlib.sha256(source).hexdigest()[:16]
    module = types.ModuleType(f"atm_user_{path.stem}_{version}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where msgspec and numba look names of the file up
    exec(compile(source, str(path), "exec"), module.__dict__)
    register = getattr(module, "register", None)
    if not callable(register):
        raise Unusable("it has no function register(registry)")
    before, methods_before = {indicator.name for indicator in registry}, set(registry.methods)
    register(registry)
    indicators = [indicator for indicator in registry if indicator.name not in before]
    methods = [method for name, method in registry.methods.items() if name not in methods_before]
    if not indicators and not methods:
        raise Unusable("its function register(registry) registers nothing")
    versioned = [dataclasses.replace(each, version=version) for each in indicators]
    return (*versioned, *(dataclasses.replace(each, version=version) for each in methods))


def examine_here(path: Path, check_method: Callable[[TradeMethod[Any]], Verdict] | None = None) -> Verdict:
    """Load a file and examine its indicators, in this process: a kernel that never returns never lets go of it.

    check_method: examines its methods, which a higher floor does.
    """
    verdicts = []
    try:
        for each in load(path, path.read_bytes(), built_in()):
            if isinstance(each, Indicator):
                verdicts.append(check(each))
            elif check_method is not None:
                verdicts.append(check_method(each))
    except Exception as error:
        # whatever a user's file does must not stop the program; the log has the trace
        log.info("%s could not be loaded", path, exc_info=True)
        return Verdict(False, sentence_of(error))
    return next((each for each in verdicts if not each.passed), Verdict(True))


def sentence_of(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    if isinstance(error, Unusable | ATMError):
        return str(error)
    return f"{type(error).__name__}: {error}"


class UserIndicators:
    """See the module. folders: searched in this order, files by name; names that begin with "_" are left alone.

    verdicts: the file that keeps them; examine: how a new file is examined.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        verdicts: Path | None = None,
        examine: Callable[[Path], Verdict] = examine_here,
    ) -> None:
        self._folders = tuple(folders)
        self._examine = examine
        self._verdicts = _Verdicts(verdicts)
        self._files: dict[Path, _File] = {}

    @property
    def reports(self) -> tuple[Report, ...]:
        """Of every file, as of the last `refresh`."""
        return tuple(file.report for file in self._files.values())

    def examine_new(self) -> None:
        """Examine what `refresh` would look at, so that it takes no time then. May run on another thread."""
        for path, stamp in self._present().items():
            known = self._files.get(path)
            if known is None or known.stamp != stamp:
                self._verdict(path, path.read_bytes())

    def refresh(self) -> tuple[Report, ...]:
        """Look at all files and load what is new or has changed; reports of those that were looked at."""
        present = self._present()
        for path in self._files.keys() - present.keys():
            del self._files[path]
        looked_at = []
        for path, stamp in present.items():
            known = self._files.get(path)
            if known is None or known.stamp != stamp:
                self._files[path] = self._look_at(path, stamp, known)
                looked_at.append(self._files[path].report)
        # files keep the order of the folders, on which the order of evaluation depends
        self._files = {path: self._files[path] for path in present}
        return tuple(looked_at)

    def _present(self) -> dict[Path, tuple[int, int]]:
        """The files there are, in order, with modification time and size."""
        found = {}
        for path in (path for folder in self._folders for path in sorted(folder.glob("*.py")) if path.name[0] != "_"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # it has just been removed
            found[path] = status.st_mtime_ns, status.st_size
        return found

    def registry(self) -> Registry:
        """The built-in indicators and the users'."""
        registry = built_in()
        for file in self._files.values():
            for each in file.found:
                registry.register(each)
        return registry

    def outdated(self) -> dict[str, str]:
        """Names of indicators and methods in use of which there is a newer version that was refused, and the sentences."""
        reports = [file.report for file in self._files.values() if not file.report.passed]
        return {name: report.sentence for report in reports for name in report.names}

    def _look_at(self, path: Path, stamp: tuple[int, int], known: _File | None) -> _File:
        old = known.found if known is not None else ()
        found: Found = ()
        try:
            source = path.read_bytes()
            verdict = self._verdict(path, source)
            if verdict.passed:
                found = load(path, source, self._others(path))
        except (Unusable, ATMError, OSError) as error:
            verdict = Verdict(False, sentence_of(error))
        if not verdict.passed:
            sentence = f"{path.name}: {verdict.sentence}"
            log.warning("%s", sentence)
            return _File(stamp, Report(path, tuple(each.name for each in old), False, sentence), old)
        return _File(stamp, Report(path, tuple(each.name for each in found), True), found)

    def _others(self, path: Path) -> Registry:
        registry = built_in()
        for other, file in self._files.items():
            for each in file.found if other != path else ():
                registry.register(each)
        return registry

    def _verdict(self, path: Path, source: bytes) -> Verdict:
        key = hashlib.sha256(source + _examiner()).hexdigest()
        verdict = self._verdicts.get(key)
        if verdict is None:
            log.info("examining %s", path)
            verdict = self._examine(path)
            self._verdicts.put(key, verdict)
        return verdict


class _Verdicts:
    """Verdicts in a file, at most `MOST_VERDICTS`; one that cannot be read counts as empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Verdict] = {}
        if path is not None and path.exists():
            try:
                self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, Verdict])
            except (OSError, ValueError) as error:
                log.warning("the verdicts in %s cannot be read, files are examined again: %s", path, error)

    def get(self, key: str) -> Verdict | None:
        return self._known.get(key)

    def put(self, key: str, verdict: Verdict) -> None:
        self._known[key] = verdict
        for old in list(self._known)[:-MOST_VERDICTS]:
            del self._known[old]
        if self._path is None:
            return
        try:
            write_whole(self._path, msgspec.json.encode(self._known))
        except OSError as error:
            log.warning("the verdicts could not be stored in %s: %s", self._path, error)


def _examiner() -> bytes:
    """What a verdict depends on beside the file."""
    here = Path(checker.__file__)
    methods = here.parent.parent / "trading" / METHOD_CHECKER
    return here.read_bytes() + methods.read_bytes() + str(numba.__version__).encode()
