"""Which part of the window a frame changes, so that only that part is drawn, or nothing.

A software renderer takes 60 ms of processor time for a full frame of 1600 × 900 and 1 ms for the status bar; most frames of
an idle window change the clock alone. Each draw list (one an ImGui window or child) is compared with the one of the frame
before by the bytes of its vertices and its clip rectangles.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from imgui_bundle import ImVec4, imgui

MOST_PARTS = 3
"""More separate parts than this are drawn as one: every part walks all draw commands once."""
WORTHWHILE = 0.6
"""Share of the window above which it is drawn as a whole."""


class Area(NamedTuple):
    """A rectangle in pixels; right and bottom are outside."""

    left: float
    top: float
    right: float
    bottom: float

    def with_(self, other: Area) -> Area:
        """The smallest rectangle around both."""
        return Area(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def meets(self, other: Area) -> bool:
        """Whether they share a pixel."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    @property
    def size(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


class DrawnList(NamedTuple):
    """A draw list as it was drawn: its owner's name, a checksum of all that it draws, and where."""

    name: str
    checksum: int
    area: Area


def changed_areas(before: list[DrawnList], now: list[DrawnList], window: Area) -> list[Area]:
    """The parts of the window in which two frames differ: none, up to `MOST_PARTS` that do not meet, or the window.

    Lists are drawn one above the other, so another order or another set of lists is a change of everything that they cover.
    """
    if [each.name for each in before] != [each.name for each in now]:
        known, shown = set(before), set(now)
        if [each for each in before if each in shown] != [each for each in now if each in known]:
            return [window]
        different: Iterable[Area] = (each.area for each in known ^ shown)
    else:
        different = (area for old, new in zip(before, now, strict=True) if old != new for area in (old.area, new.area))
    parts = _apart([area for area in different if area.size])
    if len(parts) > MOST_PARTS:
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.with_(part)
        parts = [whole]
    return [window] if sum(part.size for part in parts) > WORTHWHILE * window.size else parts


def _apart(areas: list[Area]) -> list[Area]:
    """The areas, those that meet replaced by the rectangle around them."""
    parts: list[Area] = []
    for area in areas:
        merged = area
        while met := [part for part in parts if part.meets(merged)]:
            for part in met:
                parts.remove(part)
                merged = merged.with_(part)
        parts.append(merged)
    return parts


class Damage:
    """Draws what has changed since the frame before. partial: whether the picture of the frame before is still there to be
    drawn upon; if not, a frame is drawn whole or, when nothing has changed, not at all."""

    def __init__(self, partial: bool) -> None:
        self._partial = partial
        self._before: list[DrawnList] = []
        self._window = Area(0, 0, 0, 0)

    def forget(self) -> None:
        """Draw the next frame whole (the window's content was lost or has another size)."""
        self._before = []

    def draw(self, data: Any) -> bool:
        """Draw a frame (ImDrawData after imgui.render()). Returns whether there is something to flip."""
        window = Area(0, 0, data.display_size.x, data.display_size.y)
        known = {each.name: each for each in self._before}
        now = [_drawn(each, known.get(each._owner_name or "")) for each in data.cmd_lists]
        stale = window != self._window or not self._before or _textures_changed(data)
        areas = [window] if stale else changed_areas(self._before, now, window)
        self._before, self._window = now, window
        if not areas:
            return False
        if areas == [window] or not self._partial:
            imgui.backends.opengl3_render_draw_data(data)
            return True
        for area in areas:
            _render_within(data, area)
        return True


def _textures_changed(data: Any) -> bool:
    """Glyphs that are new to the atlas may have moved those that are drawn already."""
    return any(texture.status != imgui.ImTextureStatus.ok for texture in data.textures)


def _drawn(draw_list: Any, before: DrawnList | None) -> DrawnList:
    """`before`: the list of the same owner in the frame before, whose area is taken over when nothing has changed."""
    vertices = _bytes(draw_list.vtx_buffer, imgui.VERTEX_SIZE)
    checksum = zlib.crc32(vertices, zlib.crc32(_bytes(draw_list.idx_buffer, imgui.INDEX_SIZE)))
    clips = []
    for command in draw_list.cmd_buffer:
        clip = command.clip_rect
        clips.append((clip.x, clip.y, clip.z, clip.w, command.elem_count))
    checksum = hash((checksum, *clips))
    name = draw_list._owner_name or ""
    if before is not None and before.checksum == checksum:
        return before
    return DrawnList(name, checksum, _area(vertices))


def _area(vertices: bytes) -> Area:
    """The pixels that vertices touch. A window's own background is clipped by the whole screen, so clip rectangles would
    say too much."""
    if not vertices:
        return Area(0, 0, 0, 0)
    position = np.frombuffer(vertices, np.float32).reshape(-1, imgui.VERTEX_SIZE // 4)[:, :2]
    left, top = np.floor(position.min(axis=0))
    right, bottom = np.ceil(position.max(axis=0))
    return Area(float(left), float(top), float(right), float(bottom))


def _bytes(buffer: Any, item_size: int) -> bytes:
    return ctypes.string_at(buffer.data_address(), buffer.size() * item_size) if buffer.size() else b""


def _render_within(data: Any, area: Area) -> None:
    """Draw with every clip rectangle cut to an area; the rectangles are put back afterwards."""
    # by index: iteration over this vector gives copies of its commands
    commands = [each.cmd_buffer[at] for each in data.cmd_lists for at in range(len(each.cmd_buffer))]
    whole = [ImVec4(clip.x, clip.y, clip.z, clip.w) for clip in (command.clip_rect for command in commands)]
    for command, clip in zip(commands, whole, strict=True):
        command.clip_rect = ImVec4(
            max(clip.x, area.left), max(clip.y, area.top), min(clip.z, area.right), min(clip.w, area.bottom)
        )
    imgui.backends.opengl3_render_draw_data(data)
    for command, clip in zip(commands, whole, strict=True):
        command.clip_rect = clip
