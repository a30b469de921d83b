"""The ops of one tape while it is written, with the values that they read and make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import calls
from .frames import source
from .graph import Graph
from .identity import Identities, Key, key_of, node_name
from .modules import Modules
from .private import (
    autocasting,
    next_sequence_number,
    snapshot,
    snapshot_unseen,
    unshare,
)
from .rules.implicit import look_again, write_through
from .tape import Ambient, Op, Scope, Source, map_items, tensors
from .windows import window_of


class Where(NamedTuple):
    """Where in the program a call stands."""

    module: str
    module_type: str
    scope: tuple[Scope, ...]
    source: Source | None


@dataclass(slots=True, eq=False)
class _Written:
    """What an op works on in place: `target`, with its base where autograd follows the write."""

    target: Tensor
    base: Tensor | None = None
    before: int = -1
    base_was: Tensor | None = None


@dataclass(slots=True, eq=False)
class Pending:
    """A call that is about to be made, with everything that it is going to read kept."""

    known: calls.Called
    first: int
    inputs: tuple[int, ...]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    ambient: Ambient
    written: _Written | None
    stale: Mapping[int, Tensor]  # by position: views that autograd may have to look at again


class Ops:
    """Puts calls on a tape, in order.

    Args:
        names: what parameters, buffers and other leaves are called.
        whole: whether the program is recorded as a whole, not some of its modules.
    """

    def __init__(self, names: Modules, whole: bool) -> None:
        self._identities = Identities(names, whole)
        self._graph = Graph()
        self.ops = self._graph.ops

    def before(
        self,
        known: calls.Called,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Pending:
        """Keep what a call is going to read."""
        first = next_sequence_number()
        if known.settles:
            args, kwargs = calls.settled(args, kwargs)
        target = calls.written(known.function, args, kwargs) if known.may_write else None
        written = None if target is None else self._written(target)
        stale: dict[int, Tensor] = {}
        inputs: list[int] = []
        keep = self._keeper(inputs, stale if target is None else None)
        kept = tuple(map_items(keep, args))
        names = dict(zip(kwargs, map_items(keep, kwargs.values()), strict=True)) if kwargs else {}
        if known.resizes or "out" in kwargs:
            for tensor in tensors((args, kwargs)):
                unshare(tensor)
        affected = known.random or autocasting()
        ambient = calls.ambient(known.random, args) if affected else calls.NOTHING
        return Pending(known, first, tuple(inputs), kept, names, ambient, written, stale)

    def after(self, call: Pending, output: Any, where: Callable[[], Where]) -> None:
        """Put a call that was made on the tape, if it is one that carries tensors."""
        last = next_sequence_number()
        self._graph.span(call.first, last)
        written = call.written
        if written is not None:
            results: tuple[Tensor, ...] = (written.target,)
        else:
            results = (output,) if isinstance(output, Tensor) else tuple(tensors(output))
        differentiable = any(tensor.requires_grad for tensor in results)
        if not results or (differentiable and not call.inputs):
            return  # a leaf that was made is on the tape from where it is read
        if call.stale:
            self._look_at_stale(call, differentiable)
        base = written.base if written is not None else None
        through_view = base is not None and base.requires_grad
        made = self._identities.virtual if through_view else self._made
        values = self._identities.values
        known = len(values)
        indices = [made(result) for result in results]
        outputs = [
            values[index].tensor if index >= known else self._identities.content(index, result)
            for index, result in zip(indices, results, strict=True)
        ]
        # A view that was written to gets its node when the program next reads it: not from us.
        anew = (base,) if base is not None and through_view else results
        place = where()
        op = Op(
            index=len(self.ops),
            name=call.known.name,
            function=call.known.function,
            args=call.args,
            kwargs=call.kwargs,
            inputs=call.inputs,
            outputs=tuple(outputs),
            results=tuple(indices),
            node=node_name(anew),
            sequence=call.first,
            nodes=last - call.first,
            module=place.module,
            module_type=place.module_type,
            source=place.source,
            grad_mode=torch.is_grad_enabled(),
            ambient=call.ambient,
            scope=place.scope,
        )
        self._graph.add(op)
        if written is not None and through_view:
            self._scatter(op, written)

    def _look_at_stale(self, call: Pending, differentiable: bool) -> None:
        """Say which values the views were that the call read stale."""
        known = self.read if differentiable else self._identities.outside
        late = {position: known(view) for position, view in call.stale.items()}
        call.inputs = tuple(late.get(position, v) for position, v in enumerate(call.inputs))

    def _written(self, target: Tensor) -> _Written:
        base = calls.base_of(target)
        if base is None:
            return _Written(target)
        return _Written(target, base, self._base(base, target), snapshot(base))

    def _base(self, base: Tensor, view: Tensor) -> int:
        """The value that the base of a view is.

        An op may answer with a view of what only it has seen (a linear layer of three dimensions
        views the product of two matrices). That base has then what the op's output shows.
        """
        known = self._identities.at(key_of(base))
        output = self._identities.viewing(view, base) if known is None else None
        if output is None:
            return self.read(base)
        result = self._identities.add(base, key_of(base), leaf=False)
        self._identities.hidden[result] = output
        memory, shown = snapshot(base), self._identities.values[output].tensor
        args = (memory, shown, base.stride(), window_of(shown, base))
        inputs = (self._identities.add(memory, key_of(memory), leaf=True), output)
        self._implicit(write_through, args, inputs, base, result)
        return result

    def _keeper(
        self, inputs: list[int], stale: dict[int, Tensor] | None
    ) -> Callable[[Tensor], Tensor]:
        """What keeps an argument of a call; the value that it is goes to `inputs`.

        No two of the tensors are one object, so that each stands for its own argument. What is
        found to be `stale` is known once the call was made: only then has the program asked.
        """
        identities = self._identities

        def keep(tensor: Tensor) -> Tensor:
            if stale is not None and tensor._is_view() and identities.stale(tensor):
                stale[len(inputs)] = tensor
                inputs.append(-1)
                return snapshot_unseen(tensor)
            key = key_of(tensor)
            known = identities.at(key)
            index = self._new(tensor, key) if known is None else known
            again = index in inputs
            inputs.append(index)
            if again:
                return snapshot_unseen(tensor)
            if known is None:
                return identities.values[index].tensor
            return identities.content(index, tensor)

        return keep

    def read(self, tensor: Tensor) -> int:
        """The value that `tensor` is: known, a view regenerated, or new from outside."""
        key = key_of(tensor)
        known = self._identities.at(key)
        return self._new(tensor, key) if known is None else known

    def _new(self, tensor: Tensor, key: Key) -> int:
        if key[0] is not None and key[0] is not False and tensor._is_view():
            base = tensor._base
            if base is not None and base.requires_grad:
                return self._look_again(tensor, base)
        return self._identities.add(tensor, key, leaf=True)

    def seen(self, tensor: Tensor) -> int:
        """The value that a tensor is which the program asks something of, but not its node."""
        known = self._identities.outside if self._identities.stale(tensor) else self.read
        return known(tensor)

    def _made(self, tensor: Tensor) -> int:
        """The value of an op's output: new, unless the op handed back a tensor as it was."""
        key = key_of(tensor)
        known = self._identities.at(key)
        if known is not None and key[0] is not False:
            return known
        return self._identities.add(tensor, key, leaf=False)

    def _look_again(self, view: Tensor, base: Tensor) -> int:
        """A view whose base was written to: autograd makes it anew from the base."""
        source = self.read(base)
        result = self._identities.add(view, key_of(view), leaf=False)
        args = (snapshot(base), base.stride(), window_of(view, base))
        self._implicit(look_again, args, (source,), view, result)
        return result

    def _scatter(self, op: Op, written: _Written) -> None:
        """A write into a view makes a new version of the base."""
        base, was = written.base, written.base_was
        assert base is not None and was is not None
        args = (was, op.outputs[0], was.stride(), window_of(written.target, base))
        inputs = (written.before, op.results[0])
        self._implicit(write_through, args, inputs, base, self._made(base))

    def _implicit(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        inputs: tuple[int, ...],
        made: Tensor,
        result: int,
    ) -> None:
        last = self.ops[-1] if self.ops else None
        op = Op(
            index=len(self.ops),
            name=getattr(function, "__name__", ""),
            function=function,
            args=args,
            kwargs={},
            inputs=inputs,
            outputs=(snapshot(made),),
            results=(result,),
            node="",
            sequence=next_sequence_number(),
            nodes=0,
            module=last.module if last is not None else "",
            module_type="",
            source=source(),
            grad_mode=torch.is_grad_enabled(),
            ambient=Ambient(),
            scope=last.scope if last is not None else (),
            implicit=True,
        )
        self._graph.add(op)
