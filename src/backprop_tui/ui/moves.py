"""The keys that go somewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from . import cursor
from .cursor import Place
from .panes.filter import FilterBar
from .panes.steps import StepsPane
from .standing import first_fault
from .travel import Travel
from .tree import tree

if TYPE_CHECKING:
    from ..steps import Step, Trace

LINE = Binding.Group("line")
OP = Binding.Group("op")
LAYER = Binding.Group("layer")
ITERATION = Binding.Group("iteration")
INSIDE = Binding.Group("into")
EDGE = Binding.Group("edge")
FOUND = Binding.Group("found")


def pair(
    key: str, action: str, words: str, id: str, group: Binding.Group, *, show: bool = True
) -> Binding:
    """A binding that shares its word in the footer with its opposite."""
    return Binding(key, action, words, show=show, id=id, group=group)


class Moves(Travel):
    """Steps, jumps, iterations, ops from within, and what is searched for."""

    HELP_CHAPTER = (1, "Moving")
    BINDINGS: ClassVar[list[BindingType]] = [
        pair("s", "line(1)", "one line on", "step.forward", LINE),
        pair("S", "line(-1)", "one line back", "step.back", LINE),
        pair("n", "run('op_of', 1)", "next op", "op.next", OP),
        pair("N", "run('op_of', -1)", "previous op", "op.previous", OP),
        pair("right_square_bracket", "run('layer_of', 1)", "next layer", "layer.next", LAYER),
        pair(
            "left_square_bracket", "run('layer_of', -1)", "previous layer", "layer.previous", LAYER
        ),
        pair("right_curly_bracket", "iteration(1)", "next iteration", "iteration.next", ITERATION),
        pair(
            "left_curly_bracket",
            "iteration(-1)",
            "previous iteration",
            "iteration.previous",
            ITERATION,
        ),
        pair("i", "into", "into the op", "op.into", INSIDE),
        pair("I", "out", "out of it", "op.out", INSIDE),
        Binding("f", "phase_end", "phase", tooltip="to the end of this phase", id="phase.end"),
        Binding(
            "x",
            "fault",
            "first fault",
            show=False,
            id="fault.first",
            tooltip="to the first op at fault",
        ),
        Binding(
            "g",
            "go_to",
            "go to",
            id="go.anywhere",
            tooltip="go to a layer, op, tensor or iteration by name",
        ),
        Binding(
            "p",
            "kin",
            "made from, read by",
            show=False,
            id="go.kin",
            tooltip="what this value was made from and what reads it; go there",
        ),
        Binding(
            "u,ctrl+o",
            "back",
            "back",
            show=False,
            id="go.back",
            tooltip="back to where the last jump began",
        ),
        pair("home", "edge(0)", "first step", "step.first", EDGE, show=False),
        pair("end", "edge(-1)", "last step", "step.last", EDGE, show=False),
        Binding(
            "slash",
            "filter",
            "find",
            show=False,
            id="filter.open",
            tooltip="show only steps of a name, op, module, verdict, or nan, inf, zero",
        ),
        pair("greater_than_sign", "hit(1)", "next found", "filter.forward", FOUND, show=False),
        pair("less_than_sign", "hit(-1)", "previous found", "filter.back", FOUND, show=False),
        Binding(
            "escape,ctrl+c",
            "interrupt",
            "stop",
            show=False,
            id="travel.interrupt",
            tooltip="stop a run or a check, end a search, step out of an op, leave the zoom",
        ),
    ]

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield FilterBar(id="filter")

    def show(self, trace: Trace, step: int) -> None:
        self.set_class(tree(trace).deep or self.inside is not None, "-deep")
        super().show(trace, step)

    def interrupt(self) -> bool:
        if not self.query_one(StepsPane).sought:
            return super().interrupt()
        self.query_one(FilterBar).clear()
        return True

    def action_interrupt(self) -> None:
        """Stop or leave whatever there is: a long run, a filter, an op, a check; the zoom."""
        if self.interrupt():
            return
        if not self.has_class("-zoomed"):
            raise SkipAction
        self.action_zoom()

    def action_line(self, direction: int) -> None:
        """One line on or back."""
        if self.trace is not None:
            step = self.cursor + direction
            self.move(step if 0 <= step < len(self.trace.steps) else None, direction)

    def action_run(self, kind: str, direction: int) -> None:
        """To the next or previous op or layer."""
        if self.trace is not None:
            of: Callable[[Step], object] = getattr(cursor, kind)
            find = cursor.after if direction > 0 else cursor.before
            self.move(find(self.trace, self.cursor, of), direction)

    def action_into(self) -> None:
        """Step into the op of this step: its rule, line by line."""
        if self.trace is None or self._target is not None:
            return
        step = self.trace.steps[self.cursor]
        group = self.trace.groups[step.group]
        if step.line is not None or not group.inner:
            self.notify("these are the lines already", timeout=2)
        elif group.rule is None:
            self.notify(f"{group.op} has no rule to step into", timeout=3)
        else:
            self.enter(self.trace, self.cursor)

    def action_out(self) -> None:
        """Back out of the op that was stepped into."""
        if self.inside is not None:
            self.go(Place(self.place.iteration, self.inside))

    def action_phase_end(self) -> None:
        """To the end of this phase: forward, loss, backward, update."""
        if self.trace is not None:
            self.move(cursor.phase_end(self.trace, self.cursor), 1)

    def action_iteration(self, direction: int) -> None:
        """The same step of the next or previous iteration."""
        here = self.place
        step = self.cursor if here.inside is None else here.inside
        self.go(Place(here.iteration + direction, step), jump=False)

    def action_edge(self, step: int) -> None:
        """The first or last step of this iteration."""
        self.go(replace(self.place, step=step))

    def action_back(self) -> None:
        """Back to where the last jump began."""
        if self._past:
            self.go(self._past.pop(), jump=False)
        else:
            self.notify("no jump to take back", timeout=2)

    def action_fault(self) -> None:
        """To the first op at fault in this iteration."""
        if self.trace is not None:
            self._find_fault(self.trace)

    @work(thread=True, group="fault", exclusive=True, description="first fault")
    def _find_fault(self, trace: Trace) -> None:
        """Look for it, which takes a while where most values have not been looked at yet."""
        fault = first_fault(trace)
        self.app.call_from_thread(self._fault_found, trace, fault)

    def _fault_found(self, trace: Trace, fault: tuple[int, str] | None) -> None:
        if trace is not self.trace:
            return
        if fault is None:
            so_far = " as far as it is checked" if trace.pending else ""
            self.notify(f"no fault in iteration {trace.iteration}{so_far}", timeout=3)
            return
        step, what = fault
        self.go(replace(self.place, step=step))
        self.notify(what, severity="warning", timeout=4)

    @on(StepsPane.Chosen)
    def _step_chosen(self, message: StepsPane.Chosen) -> None:
        self.go(replace(self.place, step=message.step))

    async def action_go_to(self) -> None:
        """Ask for a name, go there."""
        from .dialogs.goto import GoTo

        if self.trace is not None and self.session is not None:
            dialog = GoTo(self.trace, self.place, self.session.iterations)
            await self.app.push_screen(dialog, self._gone_to)

    async def action_kin(self) -> None:
        """Show what the value in the inspector was made from and what reads it, go there."""
        from .dialogs.kin import Kin

        if self.trace is not None and self.looked_at:
            dialog = Kin(self.trace, self.looked_at, self.place)
            await self.app.push_screen(dialog, self._gone_to)

    def _gone_to(self, target: Place | str | None) -> None:
        """Go to a place, or show a value by its row's key."""
        if isinstance(target, Place):
            self.go(target)
        elif target is not None:
            assert self.trace is not None
            given = next(g for g in self.trace.given if f"given:{g.name}" == target)
            self.looked_at = target
            self.inspect(given.label, given.value)

    # What is searched for.

    def action_filter(self) -> None:
        """Show only the steps that a few words find."""
        if self.trace is not None:
            self.query_one(FilterBar).open()

    def action_hit(self, direction: int) -> None:
        """To the next or previous step that was found."""
        pane = self.query_one(StepsPane)
        step = pane.hit(direction)
        if step is not None:
            self.go(replace(self.place, step=step))
        else:
            self.notify("no more of it" if pane.sought else "/ looks for something", timeout=2)

    @on(FilterBar.Changed)
    def _filter_changed(self, message: FilterBar.Changed) -> None:
        found = self.query_one(StepsPane).filter(message.query.strip())
        self.query_one(FilterBar).tell(f"{found:,} found" if message.query.strip() else "")

    @on(FilterBar.Hit)
    def _filter_hit(self, message: FilterBar.Hit) -> None:
        self.query_one(StepsPane).browse(message.direction)

    @on(FilterBar.Closed)
    def _filter_closed(self, message: FilterBar.Closed) -> None:
        self.query_one(FilterBar).close()
        if message.go:
            self.query_one(StepsPane).choose()
        self.action_focus_pane("steps")
