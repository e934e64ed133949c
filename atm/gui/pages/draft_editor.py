"""The life of a draft on a page: chosen, new, changed, saved, refused, thrown away, and the question before any of it is lost.

What a draft is made of and how it is drawn is the page's; this part knows only its code, how to copy it and whether two say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, Self, TypeVar

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.dialogs import draw_unsaved
from atm.gui.pages.configuration_list import Kind, uses_of
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, Failed, Request

MOST_NAMED = 5
CODE_WIDTH = 260.0


class Draft(Protocol):
    """What is typed into a form."""

    code: str

    def copy(self) -> Self: ...


D = TypeVar("D", bound=Draft)


class DraftEditor(Generic[D]):
    """See the module. kind: of the configuration, by which marks and commands are named; page: where it stands; same: whether two
    drafts would be stored alike.

    selected: code of the stored configuration that is shown; draft: of it, or of a new one while `creating`; errors: what is wrong
    in it, by the path of its field, as the page has found.
    """

    def __init__(self, kind: Kind, page: PageName, same: Callable[[D, D], bool]) -> None:
        self.kind: Kind = kind
        self.page = page
        self.save_scope, self.unsaved_mark = f"{kind}.save", f"{kind}.unsaved"
        self.selected = ""
        self.creating = False
        self.draft: D | None = None
        self.errors: dict[str, str] = {}
        self._same = same
        self._base: D | None = None
        self._saving: D | None = None
        self._refused: D | None = None
        self._awaited = ""
        self._then: Callable[[], None] | None = None
        self._ask = False

    @property
    def unsaved(self) -> bool:
        """Whether the form says something else than what is stored."""
        if self.draft is None or self.creating:
            return self.draft is not None
        return self._base is None or not self._same(self.draft, self._base)

    # --- what is edited

    def follow(self, ui: Ui, stored: Iterable[str]) -> bool:
        """Go to what another page, a save or a copy wants to be shown; whether it is a stored configuration whose draft the page is to
        keep (`load`)."""
        codes = set(stored)
        wanted = ui.take_selection(self.page)
        if wanted in codes and wanted != self.selected:
            self.choose(wanted)
        if self._awaited in codes:
            self.selected, self._awaited = self._awaited, ""
        if self.creating or self._awaited:
            return False
        if self.selected not in codes:
            self.selected, self.draft = min(codes, default=""), None
        return self.selected in codes

    def load(self, draft: D) -> None:
        """Edit what is stored, as it is now."""
        self.draft, self._base = draft, draft.copy()

    def new(self, ui: Ui, make: Callable[[], D]) -> None:
        """Begin one that is not stored yet."""

        def begin() -> None:
            ui.commands.forget(self.save_scope)
            self.creating, self.draft = True, make()

        self.leave(begin)

    def choose(self, code: str) -> None:
        """The user wants to see another configuration."""

        def go() -> None:
            self.creating, self.selected, self.draft, self._awaited = False, code, None, ""

        if self.creating or code != self.selected:
            self.leave(go)

    def expect(self, code: str) -> None:
        """A configuration that will be there shortly is to be shown."""

        def go() -> None:
            self.creating, self._awaited, self.draft = False, code, None

        self.leave(go)

    # --- saving

    def save(self, ui: Ui, request: Request, code: str) -> None:
        """Have the draft stored, which `request` says."""
        if self.draft is None:
            return
        self._saving = self.draft.copy()
        ui.commands.send(TRADE, request, self.save_scope, f"done.{self.kind}_saved", {"code": code})

    def settle(self, ui: Ui) -> None:
        """What follows a save that has succeeded or failed; once in every frame."""
        if self._saving is None or ui.commands.pending(self.save_scope):
            return
        saved, self._saving = self._saving, None
        if not ui.commands.succeeded(self.save_scope):
            self._refused, self._then = saved, None
            return
        self._base = saved
        if self.creating:
            self.creating, self._awaited = False, saved.code.strip()
        self._go_on()

    def refusal(self, ui: Ui) -> Failed | None:
        """Why the trade manager has not taken what is in the form, until that is changed."""
        return ui.commands.failure(self.save_scope) if self.draft == self._refused else None

    def discard(self, ui: Ui) -> None:
        """Throw the changes away."""
        ui.commands.forget(self.save_scope)
        self.creating, self.draft = False, None

    def check_code(self, ui: Ui, stored: Mapping[str, object], errors: dict[str, str]) -> None:
        """Keep what is wrong, and add that a new code is taken."""
        code = self.draft.code.strip() if self.draft is not None else ""
        if self.creating and code in stored:
            errors["code"] = ui.t("analysis.code_taken", code=code)
        self.errors = errors

    def why_not(self, ui: Ui, readable: bool) -> str:
        """Why what is in the form cannot be saved; "" when it can. What the trade manager refused may be tried again."""
        if ui.commands.pending(self.save_scope):
            return ui.t("form.sending")
        if not readable or "code" in self.errors:
            return ui.t("analysis.problems", count=len(self.errors))
        return ""

    # --- leaving

    def leave(self, action: Callable[[], None]) -> None:
        """Do what ends the editing of this draft, after a question when there is something to lose."""
        self._then = action
        if self.unsaved:
            self._ask = True
        else:
            self._go_on()

    def hold(self, ui: Ui) -> None:
        """Say whether something would be lost, and ask when the user wants to go to another page; once in every frame."""
        ui.unsaved = self.unsaved
        if ui.held is not None:
            page, selection = ui.held
            ui.held = None
            self.leave(lambda: ui.leave(page, selection))

    def question(self, ui: Ui, about: Callable[[], tuple[bool, Callable[[], None]]]) -> None:
        """The dialog about unsaved changes. about: whether the draft can be read, and what saves it; asked for while it is open."""
        if self._ask:
            imgui.open_popup(self.unsaved_mark)
            self._ask = False
        if self.draft is None or not imgui.is_popup_open(self.unsaved_mark):
            return
        readable, save = about()
        what = ui.t(f"unsaved.{self.kind}", code=self.draft.code)
        chosen = draw_unsaved(ui, self.unsaved_mark, what, self.why_not(ui, readable))
        if chosen == "save":
            save()
        elif chosen == "discard":
            then, self._then = self._then, None
            self.discard(ui)
            if then is not None:
                then()
        elif chosen == "stay":
            self._then = None

    def _go_on(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    # --- heading

    def draw_title(self, ui: Ui, readable: bool) -> bool:
        """Code, state and buttons in one line; whether the user saves in this frame."""
        right, top = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x, imgui.get_cursor_pos_y()
        assert self.draft is not None
        if self.creating:
            code, mark = self.draft.code, f"{self.kind}.code"
            self.draft.code = widgets.text_field(ui, mark, "", code, width=ui.px(CODE_WIDTH), hint=ui.t("field.code"))
        else:
            imgui.align_text_to_frame_padding()
            ui.text(self.draft.code, size=ui.theme.TITLE, bold=True)
        imgui.same_line()
        imgui.set_cursor_pos_y(imgui.get_cursor_pos_y() + ui.px(5))
        if self.creating:
            widgets.badge(ui, ui.t("analysis.new_badge"), ui.colors.info)
        elif self.unsaved:
            widgets.badge(ui, ui.t("analysis.changed_badge"), ui.colors.warning)
        else:
            widgets.badge(ui, ui.t("analysis.saved_badge"), ui.colors.good)
        return self._buttons(ui, readable, right, top)

    def _buttons(self, ui: Ui, readable: bool, right: float, top: float) -> bool:
        save, discard = ui.t("analysis.save"), ui.t("analysis.discard")
        padding = 2 * imgui.get_style().frame_padding.x
        room = sum(imgui.calc_text_size(text).x + padding for text in (save, discard)) + ui.px(8)
        widgets.same_line_right(right, room)
        imgui.set_cursor_pos_y(top)
        why = "" if self.unsaved else ui.t("analysis.nothing_changed")
        if widgets.button(ui, f"{self.kind}.discard", discard, why_not=why):
            self.discard(ui)
        imgui.same_line(0, ui.px(8))
        imgui.set_cursor_pos_y(top)
        return widgets.button(ui, self.save_scope, save, "primary", why_not=why or self.why_not(ui, readable))

    def draw_summary(self, ui: Ui, places: Callable[[], list[str]]) -> None:
        """One line, always there so that nothing moves while the user types: what is wrong and where (`places`), else the uses."""
        code = self.draft.code if self.draft is not None else ""
        uses = [] if self.creating else uses_of(ui.model, self.kind).get(code, [])
        text = ui.t("analysis.in_use", uses=_some(uses)) if uses else ui.t("analysis.not_in_use")
        if self.errors:
            said = ui.t("analysis.problems", count=len(self.errors))
            text = f"{icons.WARNING}  {said}   {_some(places())}"
        ui.text(text, ui.colors.bad if self.errors else ui.colors.muted, size=ui.theme.SMALL)


def _some(words: list[str]) -> str:
    """The first ones, as far as a line holds them."""
    return ", ".join(words[:MOST_NAMED]) + (" …" if len(words) > MOST_NAMED else "")
