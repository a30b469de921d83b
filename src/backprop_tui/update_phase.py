"""The update phase of a whole tape: one step for each parameter, and one of them line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from .clipping import Clip, clips
from .compare import Verdict
from .formula import shape_text
from .naming import Names, Naming
from .rules.optimizer import UPDATES
from .steps import Given, Gradient, Group, Step, Trace, Twin
from .tape import Backward, Source, Tape, Update
from .updates import by_rule, compared, explained, options_of
from .updating import Updating

UNEXPLAINED = "The gradient that it used is not what the backward pass left: something changed it."


class UpdatePhase:
    """What optimizers made of the parameters after one backward pass, before the next.

    Args:
        names: what the screen calls the values of the tape.
    """

    def __init__(self, tape: Tape, backward: Backward, names: Mapping[int, str]) -> None:
        self._tape, self._names = tape, names
        passes = next(n for n, each in enumerate(tape.backwards, 1) if each is backward)
        self._numbers = [n for n, each in enumerate(tape.updates) if each.backwards == passes]
        self._clips: tuple[Clip, ...] = clips(tape, passes) if self._numbers else ()

    def steps(self, first: int, group: int) -> Iterator[tuple[Group, Step]]:
        """A heading and a step for each parameter, numbered from `first` and `group` on."""
        for place, number in enumerate(self._numbers):
            update = self._tape.updates[number]
            kind, layer = update.optimizer.__name__, update.name.rpartition(".")[0]
            rule, source = UPDATES.get(update.optimizer), self._source(update)
            heading = Group(
                index=group + place,
                phase="update",
                layer=layer,
                title=f"{kind} {self._names[update.value]}",
                op=kind,
                rule=rule.__name__ if rule is not None else None,
                source=(source.file, source.line) if source is not None else None,
                node="",
                isolated=None,
                steps=(first + place,),
                update=number,
            )
            step = replace(self._step(update), index=first + place, group=heading.index)
            yield heading, replace(step, layer=layer)

    def _step(self, update: Update) -> Step:
        name, kind = self._names[update.value], update.optimizer.__name__
        grad = f'grad["{update.name}"]' if update.name else f"dL/d{name}"
        done = [clip for clip in self._clips if update.value in clip.found]
        value, twin, note = update.after, None, ""
        if (rule := UPDATES.get(update.optimizer)) is not None:
            value = by_rule(update, rule)
            twin = Twin("torch", kind, update.after, compared(update, rule, value))
            if explained(self._tape, update, done) is Verdict.UNVERIFIED:
                note = UNEXPLAINED
        return Step(
            index=-1,
            phase="update",
            group=-1,
            layer="",
            name=name,
            label=name,
            value=value,
            formula=f"{name} = {kind}({name}, {f'clipped {grad}' if done else grad})",
            algebra=shape_text(value),
            note=note,
            reads=(name, grad),
            twin=twin,
        )

    def _source(self, update: Update) -> Source | None:
        """Where the program called the optimizer's step."""
        calls = (e for e in self._tape.events if e.kind == "step" and update.value in e.values)
        return next((e.source for e in calls if e.backwards == update.backwards), None)

    def inside(
        self, number: int, gradients: tuple[Gradient, ...], title: str, iteration: int, loss: float
    ) -> Trace:
        """One update line by line, from the clipping of its gradient on."""
        update = self._tape.updates[number]
        name = self._names[update.value]
        one = replace(self._tape, updates=(update,))
        updating = Updating(one, Names(one, Naming(leaves=self._leaves())))
        updating.run()
        state = {key: kept for key, kept in options_of(update).items() if isinstance(kept, Tensor)}
        return Trace(
            title=f"{title} › {update.optimizer.__name__} {name}",
            iteration=iteration,
            given=(
                Given(name, name, update.name, update.before, "forward"),
                *(Given(key, key, "state", kept, "forward") for key, kept in state.items()),
            ),
            groups=tuple(updating.groups),
            steps=tuple(updating.steps),
            loss=loss,
            constants={},
            gradients=tuple(each for each in gradients if each.name == update.name),
            autograd_at=0,
        )

    def _leaves(self) -> dict[str, str]:
        """What `Names` is told of the leaves: paths, or the numbers of those without, to names."""
        leaves = [value for value in self._tape.values if value.leaf]
        unnamed = [value.index for value in leaves if not value.name]
        paths = {index: f"input {number}" for number, index in enumerate(unnamed)}
        return {paths.get(v.index, v.name): self._names[v.index] for v in leaves}
