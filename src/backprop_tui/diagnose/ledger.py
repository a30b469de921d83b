"""The ledger of `.grad`: what was left over, what a step's passes added, and what was used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..compare import same_bits
from ..tape import Backward, Op, Tape, Update
from ..variables import label


@dataclass(frozen=True, eq=False)
class Added:
    """What one use of a parameter gave to its gradient in one backward pass.

    Attributes:
        backward: the number of the pass on the tape.
        op: the op that read the parameter, None where autograd's part cannot be told by op.
    """

    backward: int
    op: Op | None
    gradient: Tensor


@dataclass(frozen=True, eq=False)
class Account:
    """One leaf's gradient, from what was there to what the optimizer used.

    Attributes:
        value: the leaf, as an index in `Tape.values`.
        leftover: its `.grad` before the passes, None for none.
        added: by pass and by use, in the order of the tape.
        total: what the passes gave together, `leftover` with it.
        used: what the optimizer stepped with, None where none did.
    """

    value: int
    leftover: Tensor | None
    added: tuple[Added, ...]
    total: Tensor
    used: Tensor | None = None

    @property
    def scale(self) -> float | None:
        """By how much clipping or the like scaled what was used; None for another change."""
        if self.used is None or same_bits(self.used, self.total):
            return 1.0
        used, total = self.used.flatten().double(), self.total.flatten().double()
        factor = float(used @ total / (total @ total).clamp(min=1e-300))
        apart = float((used - factor * total).norm())
        return factor if apart <= 1e-5 * float(used.norm()) else None


def ledger(tape: Tape) -> tuple[Account, ...]:
    """The account of every leaf that a backward pass gave a gradient, in the tape's order."""
    last = {update.value: update for update in tape.updates}
    leaves = {v for b in tape.backwards for v in b.cotangents if tape.values[v].leaf}
    accounts = (_account(tape, value, last.get(value)) for value in sorted(leaves))
    return tuple(account for account in accounts if account is not None)


def described(tape: Tape) -> Iterator[tuple[str, str]]:
    """The ledger in lines: what was there or was added, and its norm; last what was used."""
    for account in ledger(tape):
        value = tape.values[account.value]
        name = label(tape, value)
        yield f"{name}.grad", f"‖{float(account.total.norm()):.4g}‖"
        if account.leftover is not None:
            yield "  left over from before", f"‖{float(account.leftover.norm()):.4g}‖"
        passes = len({each.backward for each in account.added})
        for each in account.added:
            said = "  + all its uses" if each.op is None else f"  + {each.op.name}"
            if each.op is not None and each.op.source is not None:
                said += f"  {Path(each.op.source.file).name}:{each.op.source.line}"
            if passes > 1:
                said += f"  in pass {each.backward + 1}"
            yield said, f"‖{float(each.gradient.norm()):.4g}‖"
        if account.used is not None:
            yield "  used by the step", _use(account)


def _use(account: Account) -> str:
    assert account.used is not None
    norm = f"‖{float(account.used.norm()):.4g}‖"
    if account.scale is None:
        return f"{norm}  changed since"
    return norm if account.scale == 1 else f"{norm}  {account.scale:.4g} of it"


def _account(tape: Tape, value: int, update: Update | None) -> Account | None:
    passes = list(enumerate(tape.backwards[: update.backwards if update else None]))
    mine = [(number, each) for number, each in passes if value in each.cotangents]
    # An earlier pass counts only where its gradient was still there at the next one.
    since = max(
        (i for i, (_, each) in enumerate(mine) if left_over(each, value) is None), default=0
    )
    mine = mine[since:]
    if not mine:
        return None
    leftover = total = left_over(mine[0][1], value)
    for _, each in mine:
        grad = each.cotangents[value]
        total = grad if total is None else total + grad
    assert total is not None
    added = tuple(use for number, each in mine for use in _uses(tape, number, each, value))
    return Account(value, leftover, added, total, update.grad if update else None)


def left_over(backward: Backward, value: int) -> Tensor | None:
    """The gradient that was there before a pass, None for zeros as well."""
    grad = backward.leftover.get(value)
    return grad if grad is not None and bool(grad.any()) else None


def _uses(tape: Tape, number: int, backward: Backward, value: int) -> Iterator[Added]:
    parts = [(op, part) for (op, v), part in backward.contributions.items() if v == value]
    if parts:
        for index, part in sorted(parts, key=lambda each: each[0]):
            yield Added(number, tape.ops[index], part)
        return
    readers = [op for op in tape.ops[: backward.after] if value in op.inputs]
    op = readers[0] if len(readers) == 1 else None
    yield Added(number, op, backward.cotangents[value])
