"""Keys of pygame as ImGui names them."""

from __future__ import annotations

import string

import pygame
from imgui_bundle import imgui

MODIFIERS: dict[imgui.Key, int] = {
    imgui.Key.mod_ctrl: pygame.KMOD_CTRL,
    imgui.Key.mod_shift: pygame.KMOD_SHIFT,
    imgui.Key.mod_alt: pygame.KMOD_ALT,
    imgui.Key.mod_super: pygame.KMOD_META,
}

KEYS: dict[int, imgui.Key] = {
    pygame.K_LEFT: imgui.Key.left_arrow,
    pygame.K_RIGHT: imgui.Key.right_arrow,
    pygame.K_UP: imgui.Key.up_arrow,
    pygame.K_DOWN: imgui.Key.down_arrow,
    pygame.K_PAGEUP: imgui.Key.page_up,
    pygame.K_PAGEDOWN: imgui.Key.page_down,
    pygame.K_HOME: imgui.Key.home,
    pygame.K_END: imgui.Key.end,
    pygame.K_INSERT: imgui.Key.insert,
    pygame.K_DELETE: imgui.Key.delete,
    pygame.K_BACKSPACE: imgui.Key.backspace,
    pygame.K_RETURN: imgui.Key.enter,
    pygame.K_KP_ENTER: imgui.Key.keypad_enter,
    pygame.K_ESCAPE: imgui.Key.escape,
    pygame.K_TAB: imgui.Key.tab,
    pygame.K_SPACE: imgui.Key.space,
    pygame.K_MINUS: imgui.Key.minus,
    pygame.K_EQUALS: imgui.Key.equal,
    pygame.K_LCTRL: imgui.Key.left_ctrl,
    pygame.K_RCTRL: imgui.Key.right_ctrl,
    pygame.K_LSHIFT: imgui.Key.left_shift,
    pygame.K_RSHIFT: imgui.Key.right_shift,
    pygame.K_LALT: imgui.Key.left_alt,
    pygame.K_RALT: imgui.Key.right_alt,
    pygame.K_F11: imgui.Key.f11,
    **{getattr(pygame, f"K_{letter}"): getattr(imgui.Key, letter) for letter in string.ascii_lowercase},
    **{getattr(pygame, f"K_{digit}"): getattr(imgui.Key, f"_{digit}") for digit in string.digits},
}
