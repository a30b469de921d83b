"""Taking things out: evaluate, watch, copy, write, and the REPL."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ..errors import UserError
from .checking import Checking
from .dialogs.evaluate import EvaluateBar
from .evaluation import NOTHING, Outcome, evaluate, mentioned
from .inspector import Inspector
from .panes.watches import Watch, WatchPane
from .render import precise, shape_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..steps import Trace
    from ..tape import Backward, Op


class Desk(Checking):
    """The names of the screen, and what one can do with them."""

    HELP_CHAPTER = (2, "Looking and taking out")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "focus_pane('inspector')", "inspect", show=False, id="inspect.current"),
        Binding(
            "y",
            "copy",
            "copy",
            tooltip="copy the tensor as a literal, the same bits",
            id="copy.literal",
        ),
        Binding(
            "Y", "copy_as", "copy as…", show=False, tooltip="copy in another form", id="copy.as"
        ),
        Binding("w", "write", "write to a file", show=False, id="write.file"),
        Binding(
            "t",
            "capsule",
            "capsule",
            show=False,
            tooltip="write this op into a pytest file of its own, for a bug report",
            id="capsule.write",
        ),
        Binding(
            "r", "repl", "REPL", tooltip="a REPL with every tensor by its name", id="repl.open"
        ),
        Binding(
            "colon",
            "evaluate",
            "eval",
            tooltip="evaluate an expression",
            id="evaluate.open",
        ),
        Binding("D", "dimensions", "dimension table", show=False, id="dimensions.open"),
        Binding(
            "G",
            "ledger",
            "ledger of .grad",
            show=False,
            id="ledger.open",
            tooltip="what each .grad is made of: what was left over, each use, what the step used",
        ),
        Binding("W", "pin", "watch the last expression", show=False, id="watches.pin"),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self._bound: dict[str, Any] = {}
        self._watched: list[str] = []
        self._last = ""
        self._evaluating: threading.Thread | None = None

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield EvaluateBar(id="evaluate")

    def names(self, wanted: Iterable[str] | None = None) -> dict[str, Any]:
        """Every name that holds at the cursor, or what is `wanted`, and what the user bound."""
        import torch

        names = self.trace.namespace(self.cursor, wanted) if self.trace else {}
        return {"torch": torch, **names, **self._bound}

    def show(self, trace: Trace, step: int) -> None:
        super().show(trace, step)
        self._show_watches()

    # Evaluate.

    def action_evaluate(self) -> None:
        """Open the line for an expression."""
        if self.trace is not None:
            self.query_one(EvaluateBar).open(self.names)

    @on(EvaluateBar.Closed)
    def _evaluate_closed(self) -> None:
        if self._evaluating is not None:
            # The only way to stop a running expression: raise in its thread.
            ident = ctypes.c_ulong(self._evaluating.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(KeyboardInterrupt))
            return
        self.query_one(EvaluateBar).close()
        self.action_focus_pane("steps")

    @on(EvaluateBar.Submitted)
    def _evaluate_submitted(self, message: EvaluateBar.Submitted) -> None:
        if self._evaluating is None:
            self._last = message.source
            self._evaluate(message.source, self.names())

    @work(thread=True, group="evaluate", description="evaluate")
    def _evaluate(self, source: str, names: Mapping[str, Any]) -> None:
        self._evaluating = threading.current_thread()
        outcome = evaluate(source, names)
        self._evaluating = None
        self.app.call_from_thread(self._evaluated, source, outcome)

    def _evaluated(self, source: str, outcome: Outcome) -> None:
        """Keep what was bound; a tensor goes to the inspector, anything else is shown as words."""
        import torch

        self._bound |= outcome.bound
        if outcome.value is not NOTHING and outcome.value is not None:
            self._bound["_"] = outcome.value
        shown = outcome.value
        if shown is NOTHING and len(outcome.bound) == 1:
            shown = next(iter(outcome.bound.values()))
        if isinstance(shown, torch.Tensor) and not outcome.printed:
            self.inspect(source, shown.detach())
        else:
            text = outcome.text() or f"{', '.join(outcome.bound) or 'nothing'} ✓"
            self.show_text(f": {source}", text)
        self._show_tab("inspector")
        self._show_watches()
        if not outcome.error:
            self._evaluate_closed()

    def action_pin(self) -> None:
        """Evaluate the last expression again at every step."""
        if not self._last:
            self.notify("nothing evaluated yet: : evaluates", timeout=3)
        elif self._last not in self._watched:
            self._watched.append(self._last)
            self._show_watches()

    def _show_watches(self) -> None:
        watches = [watched(source, self.names(mentioned(source))) for source in self._watched]
        self.query_one(WatchPane).show(watches)

    @on(WatchPane.Removed)
    def _watch_removed(self, message: WatchPane.Removed) -> None:
        del self._watched[message.index]
        self._show_watches()
        if not self._watched:
            self.action_focus_pane("steps")

    def action_dimensions(self) -> None:
        """The whole step in shapes."""
        from .dialogs.table import TableDialog

        if self.trace is None:
            return
        if self.trace.dimensions:
            signs = "· matrix product   ∘ elementwise   ᵀ transposed   Σrows sum over the batch"
            self.app.push_screen(TableDialog("dimensions", self.trace.dimensions, signs))
        else:
            self.notify("there is no dimension table but in the lesson", timeout=3)

    def action_ledger(self) -> None:
        """What each `.grad` is made of."""
        from .dialogs.table import TableDialog

        if self.trace is None or self.session is None:
            return
        if rows := self.session.ledger(self.outside()[0]):
            signs = "‖ ‖ norm   + what one use of the parameter added"
            self.app.push_screen(TableDialog("ledger of .grad", rows, signs))
        else:
            self.notify("no .grad is accounted for here", timeout=3)

    # Copy, write, REPL.

    @property
    def _inspected(self) -> tuple[str, Tensor] | None:
        """What the inspector shows, by name: a slice or a difference, if that is in view."""
        return self.query_one(Inspector).selection

    def action_copy(self) -> None:
        """Copy the inspected tensor as a literal that evaluates to the same bits."""
        self._copy("")

    async def action_copy_as(self) -> None:
        """Ask in which form to copy."""
        from ..export import FORMS
        from .dialogs.forms import ChooseForm

        if self._inspected is not None:
            labels = {key: form.label for key, form in FORMS.items()}
            dialog = ChooseForm(self._inspected[0], labels)
            await self.app.push_screen(dialog, lambda form: self._copy(form) if form else None)

    def _copy(self, form: str) -> None:
        from .. import export
        from .clipboard import copy

        if self._inspected is None:
            return
        name, value = self._inspected
        render = export.FORMS[form].render if form else export.literal
        try:
            self.notify(copy(self.app, render(name, value), name), timeout=4)
        except UserError as error:
            self.notify(str(error), severity="error")

    async def action_write(self) -> None:
        """Write the inspected tensor, or all of them, to a file."""
        from ..export import identifier
        from .dialogs.forms import AskPath

        if self._inspected is not None:
            await self.app.push_screen(AskPath(identifier(self._inspected[0])), self._write)

    def _write(self, path: str | None) -> None:
        import torch

        from .. import export

        if not path or self._inspected is None:
            return
        name, value = self._inspected
        tensors = {export.identifier(name): value}
        if not path.endswith(".npy"):
            tensors = {k: v for k, v in self.names().items() if isinstance(v, torch.Tensor)}
        try:
            written = export.write(path, tensors)
        except UserError as error:
            self.notify(str(error), severity="error", timeout=8)
        else:
            self.notify(f"{len(tensors)} tensors written to {written}", timeout=5)

    def action_capsule(self) -> None:
        """Write the op under the cursor into the current folder, as a file that judges it."""
        if self.trace is None or self.session is None or self._target is not None:
            return
        trace, at = self.outside()
        group = trace.groups[trace.steps[at].group]
        call = group.call
        called = None if call is None else self.session.called(trace.iteration, call)
        if called is None:
            self.notify(f"{group.op} is no op with a gradient", timeout=3)
        else:
            self._write_capsule(*called)

    @work(thread=True, group="capsule", description="capsule")
    def _write_capsule(self, backward: Backward, op: Op) -> None:
        from ..capsule import write

        try:
            said, failed = f"capsule of {op.name} written to {write('.', backward, op)}", False
        except UserError as error:
            said, failed = str(error), True
        severity = "error" if failed else "information"
        self.app.call_from_thread(self.notify, said, severity=severity, timeout=8)

    def action_repl(self) -> None:
        """Leave to a REPL with every name bound, and come back to this step."""
        from ..repl import run_repl
        from .terminal import outside

        if self.trace is None:
            return
        step = self.trace.steps[self.cursor]
        note = f"{self.debugged}, iteration {self.trace.iteration}, after {step.formula}"
        try:
            with outside(self.app):
                run_repl(self.names(), note)
        except UserError as error:
            self.notify(str(error), severity="error", timeout=8)
        self.app.refresh(layout=True)


def watched(source: str, names: Mapping[str, Any]) -> Watch:
    """A watch's line: a number, a small tensor's numbers, or what is wrong."""
    import torch

    outcome = evaluate(source, names)
    if outcome.error:
        kind, _, what = outcome.error.splitlines()[-1].partition(": ")
        unbound = kind == "NameError"
        return Watch(source, "not yet" if unbound else what or kind, failed=not unbound)
    value = outcome.value
    if isinstance(value, torch.Tensor):
        if value.numel() == 1 and not value.is_complex():
            return Watch(source, f"= {precise(float(value))}")
        return Watch(source, shape_of(value))
    return Watch(source, f"= {value!r}")
