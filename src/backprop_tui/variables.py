"""What the program itself calls the values of a tape."""

from __future__ import annotations

import ast
import functools
import linecache
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .tape import Backward, Op, Tape, Value, tensors


def computing(tape: Tape, backward: Backward | None) -> list[Op]:
    """The ops of a forward pass: those that carry gradient, and what they read.

    What came before and went no further, such as the making of the parameters, is none of it.
    Where nothing was differentiated, all ops count.
    """
    if backward is None:
        return list(tape.ops)
    needed, kept = set(backward.roots), []
    for op in reversed(tape.ops[: backward.after]):
        if op.node or op.implicit or not needed.isdisjoint(set(op.results) - set(op.inputs)):
            kept.append(op)
            needed.update(op.inputs)
    return kept[::-1]


def leaf_contents(tape: Tape, backward: Backward | None) -> dict[int, Tensor]:
    """Leaf -> its content, as the first op of a pass that carries gradient reads it.

    When the tape first saw it a parameter may have been memory that nothing was written to yet.
    """
    found = {value.index: value.tensor for value in tape.values if value.leaf}
    unread = set(found)
    end = backward.after if backward is not None else len(tape.ops)
    begin = max((each.after for each in tape.backwards if each.after < end), default=0)
    for op in (*tape.ops[begin:end], *tape.ops[:begin]):
        if not unread:
            break
        if op.node and not unread.isdisjoint(op.inputs):
            read = dict(zip(op.inputs, tensors((op.args, op.kwargs)), strict=True))
            found.update((index, read[index]) for index in unread.intersection(read))
            unread.difference_update(read)
    return found


def tensor_names(tape: Tape) -> dict[str, Tensor]:
    """Every tensor of a tape by the names that expressions have for it.

    Leaves by their path or variable, what ops computed by the program's own variable and by
    number, x1, x2, …, in the order of the tape.
    """
    names = leaf_names(tape)
    backward = tape.backwards[-1] if tape.backwards else None
    found = {names[index]: content for index, content in leaf_contents(tape, backward).items()}
    called = variables(tape)
    ops = computing(tape, backward)
    for number, op in enumerate((op for op in ops if op.results), 1):
        for name in filter(None, (f"x{number}", called.get(op.index))):
            found[name] = op.outputs[0]
    return found


def variables(tape: Tape) -> Mapping[int, str]:
    """Op index -> the user's own variable, where its source line assigns one to its result.

    A name that is used again is h_2, h_3.
    """
    found: dict[int, str] = {}
    used: Counter[str] = Counter(value.variable for value in tape.values if value.variable)
    for op, after in zip(tape.ops, (*tape.ops[1:], None), strict=True):
        source = op.source
        if source is None or (after is not None and after.source == source):
            continue
        name = _assigned(linecache.getline(source.file, source.line), op.name, op.module)
        if name:
            used[name] += 1
            found[op.index] = name if used[name] == 1 else f"{name}_{used[name]}"
    return found


# Python's operators -> what torch calls the op: "add" is in "__radd__" and "add_", too.
_STEMS: Mapping[type, tuple[str, ...]] = {
    ast.Add: ("add",),
    ast.Sub: ("sub",),
    ast.Mult: ("mul",),
    ast.Div: ("div",),
    ast.FloorDiv: ("floor",),
    ast.Mod: ("remainder", "mod"),
    ast.Pow: ("pow",),
    ast.MatMult: ("matmul",),
    ast.BitAnd: ("and",),
    ast.BitOr: ("or",),
    ast.BitXor: ("xor",),
    ast.USub: ("neg",),
    ast.Invert: ("not", "invert"),
    ast.Subscript: ("getitem",),
    ast.Compare: ("eq", "ne", "lt", "le", "gt", "ge"),
}


@functools.lru_cache(maxsize=4096)
def _assigned(line: str, op: str, module: str) -> str:
    """The variable that a line of source assigns the op's result to, "" if it may be another's.

    The outermost operation on the right must be the op, or a call of the module it ran in.
    """
    try:
        statement = ast.parse(line.strip()).body[0]
    except (SyntaxError, IndexError):
        return ""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        target = statement.target
    else:
        return ""
    value = statement.value
    if isinstance(value, ast.Call):
        called = getattr(value.func, "attr", getattr(value.func, "id", ""))
        made = called == op or (bool(module) and called == module.rpartition(".")[2])
    else:
        does = statement if isinstance(statement, ast.AugAssign) else value
        sign = type(getattr(does, "op", does))
        made = any(stem in op for stem in _STEMS.get(sign, ()))
    return target.id if made and isinstance(target, ast.Name) else ""


def label(tape: Tape, value: Value) -> str:
    """What a table calls a parameter: without a name, the line that reads it first."""
    readers = (op.source for op in tape.ops if value.index in op.inputs and op.source is not None)
    read = next(readers, None)
    unnamed = f"input {value.index}" if read is None else f"{Path(read.file).name}:{read.line}"
    return value.called or unnamed


def leaf_names(tape: Tape) -> dict[int, str]:
    """Value index -> name: parameters by their path, other leaves by their variable or as a1, a2, …

    No two have one name: a second w is w_2.
    """
    names: dict[int, str] = {}
    used: Counter[str] = Counter()
    inputs = 0
    for value in tape.values:
        if not value.leaf:
            continue
        name = value.called
        if not name:
            inputs += 1
            name = f"a{inputs}"
        used[name] += 1
        names[value.index] = name if used[name] == 1 else f"{name}_{used[name]}"
    return names
