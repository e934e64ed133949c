"""Every module of the program can be imported on Windows: what only POSIX has stands behind a question for it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios"}
POSIX_NAMES = {
    "os": {
        "fchmod", "fork", "forkpty", "geteuid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice", "posix_spawn",
        "sched_getaffinity", "sched_setaffinity", "setsid", "uname", "wait3", "waitpid",
    },
    "signal": {"SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGSTOP", "SIGUSR1", "SIGUSR2", "pause", "setitimer"},
    "asyncio": {"start_unix_server", "open_unix_connection"},
    "socket": {"AF_UNIX"},
    "time": {"clock_gettime", "tzset"},
}  # fmt: skip
WINDOWS_MODULES = {"msvcrt", "winreg", "_winapi"}
QUESTIONS = ("sys.platform", "os.name", "hasattr(")


def unguarded(source: str) -> list[str]:
    """Uses of what one system alone has that stand in no branch or function which asks for the system."""
    found = []

    def visit(node: ast.AST, guarded: bool) -> None:
        if isinstance(node, ast.If | ast.IfExp | ast.FunctionDef):
            text = ast.unparse(node)
            guarded = guarded or any(question in text for question in QUESTIONS)
        if isinstance(node, ast.Import) and not guarded:
            found.extend(alias.name for alias in node.names if alias.name in POSIX_MODULES | WINDOWS_MODULES)
        if isinstance(node, ast.ImportFrom) and not guarded and node.module in POSIX_MODULES | WINDOWS_MODULES:
            found.append(node.module or "")
        if isinstance(node, ast.Attribute) and not guarded:
            module = ast.unparse(node.value)
            if node.attr in POSIX_NAMES.get(module, ()):
                found.append(f"{module}.{node.attr}")
        for child in ast.iter_child_nodes(node):
            visit(child, guarded)

    visit(ast.parse(source), guarded=False)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "atm").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_one_system_alone_has_is_used_without_asking(path: Path) -> None:
    assert unguarded(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import fcntl", ["fcntl"]),
        ("import os\ndef f():\n    os.fork()", ["os.fork"]),
        ("import sys\nif sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl", []),
        ("import os\nn = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else 1", []),
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str, expected: list[str]) -> None:
    assert unguarded(source) == expected
