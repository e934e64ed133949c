"""The whole program as it is started: seconds to the window, memory and processor time while it idles on the demo market."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import psutil

from atm.app.bench import BenchRow
from tests.display import some_display
from tests.program.running import RunningProgram, wait_until

SETTLE_S = 30.0
IDLE_S = 60.0
SOFTWARE_RENDERER = "llvmpipe"
_EMPTY_WINDOW = """
import pygame
from imgui_bundle import imgui
pygame.display.init()
pygame.display.set_mode((1600, 900), pygame.OPENGL | pygame.DOUBLEBUF)
imgui.create_context()
imgui.get_io().set_ini_filename("")
imgui.backends.opengl3_init("#version 330")
imgui.backends.opengl3_new_frame(); imgui.get_io().display_size = (1600, 900); imgui.new_frame(); imgui.render()
imgui.backends.opengl3_render_draw_data(imgui.get_draw_data()); pygame.display.flip()
"""


def _tree(program: RunningProgram) -> list[psutil.Process]:
    main = psutil.Process(program.process.pid)
    return [main, *main.children(recursive=True)]


def _megabytes(tree: list[psutil.Process]) -> float:
    return sum(process.memory_full_info().pss for process in tree) / 1e6


def _seconds(tree: list[psutil.Process]) -> tuple[float, float]:
    """Processor time of the tree, and that of the threads in which Mesa draws without a graphics card."""
    total = sum(sum(process.cpu_times()[:2]) for process in tree)
    drawing = 0.0
    for process in tree:
        for thread in process.threads():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{process.pid}/task/{thread.id}/comm").read_text()
                drawing += (thread.user_time + thread.system_time) if name.startswith(SOFTWARE_RENDERER) else 0.0
    return total, drawing


def _logged(home: Path, text: str, after: float) -> float | None:
    """Unix seconds of the first line of the window's log with `text` after a moment."""
    path = home / "logs" / "gui.log"
    for line in path.read_text().splitlines() if path.exists() else ():
        match = re.match(r"(\S+ \S+?),(\d+) ", line)
        if match and text in line:
            moment = datetime.fromisoformat(match[1]).timestamp() + int(match[2]) / 1000
            if moment > after:
                return moment
    return None


def _start(home: Path, *arguments: str) -> tuple[RunningProgram, float]:
    began = time.time()
    return RunningProgram(home, *arguments), began


def _bare_process() -> float:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.5)
        return float(psutil.Process(process.pid).memory_full_info().pss / 1e6)
    finally:
        process.kill()
        process.wait()


def _row(name: str, value: float, unit: str, reference: str, floor: float, budget: float) -> BenchRow:
    ratio = value / floor if floor else float("inf")
    return BenchRow(name, value, unit, reference, floor, ratio, budget, value <= budget)


def _idle(program: RunningProgram, what: str, memory_budget: float) -> list[BenchRow]:
    time.sleep(SETTLE_S)
    tree = _tree(program)
    before, drawn_before = _seconds(tree)
    time.sleep(IDLE_S)
    after, drawn_after = _seconds(tree)
    used, drawn = (100 * spent / IDLE_S for spent in (after - before, drawn_after - drawn_before))
    bare = _bare_process()
    return [
        _row(
            f"memory (PSS) {what}",
            _megabytes(tree),
            "MB",
            f"{len(tree)} bare Python processes",
            bare * len(tree),
            memory_budget,
        ),
        _row(f"processor idle at 1x {what}", used, "% core", "of it drawing without a graphics card", drawn, 3.0),
    ]


def rows() -> list[BenchRow]:
    """Rows with a window only where there is a display or Xvfb."""
    home = Path(tempfile.mkdtemp())
    with some_display() as display:
        found = []
        program, _ = _start(home, "--headless", "--speed", "1")
        try:
            program.wait_for_processes("analyzer-0", "demo-exchange")
            found += _idle(program, "without window", 400.0)
            program.end()
        finally:
            program.clean_up()
        if display is None:
            return found
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", _EMPTY_WINDOW], check=False, capture_output=True)
        empty = time.perf_counter() - begun
        program, began = _start(home, "--speed", "1")
        try:
            wait_until("market data in the window", lambda: _logged(home, "first market data", began) is not None)
            for text, budget in (("first frame shown", 2.5), ("first market data", 6.0)):
                moment = _logged(home, text, began) or float("nan")
                found.append(_row(f"start to {text}", moment - began, "s", "an empty window", empty, budget))
            found += _idle(program, "with window", 600.0)
            program.end()
        finally:
            program.clean_up()
        return found
