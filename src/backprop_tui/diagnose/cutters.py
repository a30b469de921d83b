"""Why an op cuts the graph, and what to do instead: the words for each."""

from __future__ import annotations

from ..finding import Finding, Severity
from ..tape import Op, Source, Tape
from .places import no_grad_decorator
from .words import line_of, spoken

_KINDS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset(("detach", "detach_", ".data")),
        "It hands on the numbers and leaves their graph behind.",
        "Take {op} out of the way to the loss, or these parameters out of the optimizer.",
    ),
    (
        frozenset(("tensor", "as_tensor", "from_numpy", "asarray", "new_tensor")),
        "It copies the numbers into a new tensor, which has no history.",
        "Use the tensor itself; join several with torch.stack or torch.cat.",
    ),
    (
        frozenset(("argmax", "argmin", "argsort", "multinomial", "bernoulli", "one_hot")),
        "An index is constant wherever it does not jump, so that it has no derivative.",
        "Use what it chose by: softmax weights, the value at the index, or its log-probability.",
    ),
    (
        frozenset(("round", "sign", "sgn", "floor", "ceil", "trunc", "fix", "heaviside")),
        "A staircase is flat wherever it does not jump: its derivative is 0.",
        "Leave it out, or pass the gradient straight through: x + (x.{op}() - x).detach().",
    ),
    (
        frozenset(
            ("gt", "ge", "lt", "le", "eq", "ne", "__gt__", "__lt__", "logical_and", "isclose")
        ),
        "A comparison is constant wherever it does not jump, so that it has no derivative.",
        "Use a smooth stand-in, such as a sigmoid of the difference.",
    ),
    (
        frozenset(("long", "int", "short", "byte", "bool", "char", "to", "type")),
        "Integers have no gradient.",
        "Keep the floating dtype on the way to the loss.",
    ),
)
_OTHER = (
    "What it makes does not require a gradient.",
    "Use an op that autograd follows.",
)
_NO_GRAD = (
    "Nothing that runs under no_grad is followed by autograd.",
    "Move what is to be trained out of the no_grad block, or take the decorator off.",
)


def cutter(tape: Tape, op: Op, what: str) -> Finding:
    """The finding about an op that cut `what` off from the loss."""
    name, source = spoken(op), op.source
    if not op.grad_mode:
        why, fix = _NO_GRAD
        blocks = [e for e in tape.events if e.kind == "no_grad" and e.ops <= op.index]
        source = no_grad_decorator(op.source) or (blocks[-1].source if blocks else op.source)
        name = "no_grad"
    else:
        kinds = ((why, fix) for names, why, fix in _KINDS if name in names)
        why, fix = next(kinds, _OTHER)
    return Finding(
        "cut-graph",
        Severity.ERROR,
        f"{name} cuts {what} off from the loss: no gradient comes back",
        why,
        fix.format(op=name),
        source,
        op.name,
        op.module,
        op.index,
    )


def anti_fix(source: Source | None) -> tuple[str, str, str]:
    """Message, why and fix for a loss that was made to require a gradient."""
    return (
        f"the loss of {line_of(source)} has no graph: backward() gives a gradient to it alone",
        "requires_grad makes a tensor a leaf, where backpropagation ends; it restores no history.",
        "Take it out, and mend what cut the loss off: the error that it silenced named no line.",
    )
