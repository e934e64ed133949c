"""Draws docs/pictures/impulsive.png: what the action mode IMPULSIVE does, on bars of the shipped sample.

Three panels over the same bars: the close with the actions (filled = may enter, hollow = may only close), the filtered
classical signal F on the background of its cycle, and the impulse with its threshold.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import numpy as np
import pygame

from atm.analyzers import AnalysisPipeline, AnalysisTable
from atm.model.analysis_configuration import (
    ActionMode,
    AnalysisConfiguration,
    ClassicalSignal,
    MultiMACD,
    OscillatorLine,
)
from atm.model.interval import parse_time
from atm.storage.market_store import MarketStore

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "pictures" / "impulsive.png"
SIZE, LEFT, RIGHT = (1200, 840), 70, 20
PANELS = ((40, 380), (420, 600), (640, 800))
INK, GRID, LINE = (40, 44, 52), (225, 228, 232), (60, 90, 150)
BUY, SELL = (20, 140, 90), (200, 60, 60)
HIGH, LOW = (226, 243, 233), (250, 230, 230)
SHOWN = 220


def analysis() -> AnalysisTable:
    """A hundred days of FILUSDT in 15m bars under IMPULSIVE, contrarian."""
    configuration = AnalysisConfiguration.of_one(
        "picture",
        mmacd_short=MultiMACD(windows=(3, 6, 12), signal=3, multiplier=8, normaliser=12),
        dmi_adx=(OscillatorLine(20),),
        pip=ClassicalSignal(alpha=1.0, action_mode=ActionMode.IMPULSIVE, enter_threshold=0.2, impulse_threshold=1.0),
    )
    store = MarketStore(ROOT / "no-own-layer", sample=ROOT / "assets" / "sample")
    bars = store.read("FILUSDT", parse_time("2023-08-01"), parse_time("2023-10-20"))
    table = AnalysisPipeline(configuration).run(bars)
    return table.slice(len(table) - SHOWN, len(table))


class Panel:
    """One panel: maps (bar, value) to pixels."""

    def __init__(self, surface: pygame.Surface, rows: tuple[int, int], low: float, high: float) -> None:
        self.surface, self.rows, self.low, self.high = surface, rows, low, high

    def at(self, bar: float, value: float) -> tuple[int, int]:
        top, bottom = self.rows
        x = LEFT + (bar + 0.5) * (SIZE[0] - LEFT - RIGHT) / SHOWN
        return round(x), round(bottom - (value - self.low) / (self.high - self.low) * (bottom - top))

    def frame(self, font: pygame.font.Font, title: str, ticks: list[float]) -> None:
        top, bottom = self.rows
        for tick in ticks:
            _, y = self.at(0, tick)
            pygame.draw.line(self.surface, GRID, (LEFT, y), (SIZE[0] - RIGHT, y))
            self.surface.blit(font.render(f"{tick:g}", True, INK), (8, y - 8))
        pygame.draw.rect(self.surface, INK, (LEFT, top, SIZE[0] - LEFT - RIGHT, bottom - top), 1)
        self.surface.blit(font.render(title, True, INK), (LEFT, top - 22))

    def line(self, values: np.ndarray, colour: tuple[int, int, int]) -> None:
        points = [self.at(bar, value) for bar, value in enumerate(values)]
        pygame.draw.aalines(self.surface, colour, False, points)

    def shade(self, cycle: np.ndarray) -> None:
        top, bottom = self.rows
        for bar, side in enumerate(cycle):
            if side == side:
                left, right = self.at(bar - 0.5, self.low)[0], self.at(bar + 0.5, self.low)[0]
                pygame.draw.rect(self.surface, HIGH if side > 0 else LOW, (left, top, right - left + 1, bottom - top))


def marker(panel: Panel, bar: int, price: float, side: float, allowed: bool) -> None:
    """A triangle under the price for a buy, above it for a sale."""
    x, y = panel.at(bar, price)
    tip = y + 10 if side > 0 else y - 10
    points = [(x, tip), (x - 7, tip + 13 * int(side)), (x + 7, tip + 13 * int(side))]
    pygame.draw.polygon(panel.surface, BUY if side > 0 else SELL, points, 0 if allowed else 2)


def main() -> None:
    pygame.init()
    table, surface, font = analysis(), pygame.Surface(SIZE), pygame.font.Font(None, 22)
    surface.fill((255, 255, 255))
    column = {
        name: table.column(f"PIP.0.{name}") for name in ("filtered", "cycle", "impulse", "action", "entry_allowed")
    }
    close = table.column("KLINE.0.close")
    margin = 0.08 * (close.max() - close.min())
    price = Panel(surface, PANELS[0], close.min() - margin, close.max() + margin)
    strength = Panel(surface, PANELS[1], -1.0, 1.0)
    limit = float(np.ceil(max(abs(column["impulse"]).max(), 2.0)))
    impulse = Panel(surface, PANELS[2], -limit, limit)
    for panel in (price, strength):
        panel.shade(column["cycle"])
    price.frame(
        font, "close; buy below, sell above the line; filled: may enter, hollow: may only close",
        [float(x) for x in np.round(np.linspace(close.min(), close.max(), 5), 2)],
    )  # fmt: skip
    strength.frame(font, "F, the filtered classical signal; green: cycle high, red: cycle low", [-1, -0.2, 0, 0.2, 1])
    impulse.frame(font, "impulse: the change of F in mean magnitudes; it turns beyond ±1", [-limit, -1, 0, 1, limit])
    price.line(close, LINE)
    strength.line(column["filtered"], LINE)
    impulse.line(column["impulse"], LINE)
    for bar in np.flatnonzero(column["action"]):
        marker(price, int(bar), close[bar], column["action"][bar], column["entry_allowed"][bar] > 0)
    TARGET.parent.mkdir(exist_ok=True)
    pygame.image.save(surface, TARGET)


if __name__ == "__main__":
    main()
