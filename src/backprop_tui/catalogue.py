"""The rule library as text: what there is, and what one rule says."""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from torch import Tensor
from torch.overrides import resolve_name
from torch.utils._pytree import tree_iter, tree_map

from . import rules
from .covered import verified
from .errors import UserError
from .rules.registry import RULES, Make, Rule
from .torch_formulas import formula_of

_WIDTH = 100


def listing() -> Iterator[str]:
    """Every rule with the first line of its docstring, by the family that it stands in."""
    yield f"{len(_all_rules())} rules for {len(RULES)} functions of torch"
    for family in rules.__all__:
        module = sys.modules[f"{rules.__name__}.{family}"]
        own = [rule for rule in _all_rules() if rule.function.__module__ == module.__name__]
        if own:
            yield f"\n{family}: {_first_line(module)}"
        for rule in own:
            yield f"  {rule.name:<28} {_first_line(rule.function)}"


def described(name: str) -> Iterator[str]:
    """All about the rules that go by a name: source, formulas, targets, place and coverage.

    Raises:
        UserError: if no rule goes by it; the message has the nearest name.
    """
    for number, rule in enumerate(found(name)):
        if number:
            yield ""
        yield from _description(rule)


def found(name: str) -> list[Rule]:
    """The rules that go by `name`: their own, or a torch function's, however much is written.

    Raises:
        UserError: if there is none.
    """
    names = _names()
    wanted = name.replace("F.", "nn.functional.", 1) if name.startswith("F.") else name
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, names, 1)
    hint = f"did you mean {near[0]}?" if near else "see backprop-tui rules"
    raise UserError(f"no rule is called {name!r}: {hint}")


def torch_name(target: Callable[..., Any]) -> str:
    """How a target is written: "torch.nn.functional.softmax"."""
    name: str | None = resolve_name(target)
    if name is not None:
        return name.removesuffix(".__get__").replace("torch.functional.", "torch.")
    place = getattr(target, "__module__", None) or "torch"
    own = getattr(target, "__qualname__", str(target))
    return f"{place}.{own}".replace("torch._VariableFunctionsClass.", "torch.")


def _description(rule: Rule) -> Iterator[str]:
    code = inspect.unwrap(rule.function)
    source, first = inspect.getsourcelines(code)
    file = Path(inspect.getfile(code))
    yield f"{rule.name}: {_first_line(rule.function)}"
    yield f"{file}:{first}"
    yield ""
    yield "".join(source).rstrip()
    for helper in _helpers(code):
        yield f"\n\n{inspect.getsource(helper).rstrip()}"
    yield ""
    yield f"derives  {', '.join(torch_name(target) for target in rule.targets)}"
    passing = ", ".join(_op_db_passing(rule)) or "no variant by these names passes"
    yield textwrap.fill(f"op_db    {passing}", _WIDTH, subsequent_indent=" " * 9)
    formulas = {node: formula_of(node) for node in _nodes(rule)}
    for node, formula in formulas.items():
        lines = (formula or "(a formula of its own)").splitlines()
        yield f"PyTorch  {node}"
        yield from (f"           {line}" for line in lines)


def _helpers(function: Callable[..., Any]) -> list[FunctionType]:
    """The functions of a rule's file that it calls, and those that they call; rules are none."""
    rules_own = {rule.function for rule in _all_rules()}
    found: dict[FunctionType, None] = {}
    pending = [function.__code__]
    while pending:
        code = pending.pop(0)
        pending += [part for part in code.co_consts if isinstance(part, CodeType)]
        for name in code.co_names:
            called = function.__globals__.get(name)
            if not isinstance(called, FunctionType) or called in rules_own or called in found:
                continue
            if called.__module__ == function.__module__:
                found[called] = None
                pending.append(called.__code__)
    return list(found)


def _op_db_passing(rule: Rule) -> Iterator[str]:
    """The verified entries of a rule's targets: softmax.with_dtype, exp (and in-place, method)."""
    own = {
        torch_name(target).removeprefix("torch.").removeprefix("Tensor.") for target in rule.targets
    }
    variants: dict[str, list[str]] = {}
    for entry in verified():
        name, _, variant = entry.removesuffix(")").partition(" (")
        if any(f"{name}.".startswith(f"{target}.") for target in own):
            variants.setdefault(name, []).extend(filter(None, [variant]))
    for name, ways in variants.items():
        yield f"{name} (and {', '.join(ways)})" if ways else name


def _nodes(rule: Rule) -> list[str]:
    """The nodes that autograd makes where PyTorch runs the rule's first sample."""
    for sample in rule.samples(Make(requires_grad=True)):
        args, kwargs = tree_map(_leaf, (sample.args, sample.kwargs))
        for target in rule.targets:
            try:
                with warnings.catch_warnings(action="ignore"):  # of what is deprecated
                    output = target(*args, **kwargs)
            except (RuntimeError, TypeError):  # in place on a leaf, or another spelling's arguments
                continue
            roots = [leaf.grad_fn for leaf in tree_iter(output) if isinstance(leaf, Tensor)]
            if any(roots):
                return _reached(roots)
    return []


def _reached(roots: list[Any]) -> list[str]:
    """The names of all nodes from `roots` to the leaves, nearest first."""
    names: dict[str, None] = {}
    pending = [node for node in roots if node is not None]
    while pending:
        node = pending.pop(0)
        if node.name() not in names and "AccumulateGrad" not in node.name():
            names[node.name()] = None
            pending += [after for after, _ in node.next_functions if after is not None]
    return list(names)


def _leaf(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)


@functools.cache
def _names() -> Mapping[str, list[Rule]]:
    """Every name that a rule goes by: softmax, F.softmax, torch.nn.functional.softmax, …"""
    names: dict[str, list[Rule]] = {}
    for rule in _all_rules():
        own = {rule.name}
        for target in rule.targets:
            parts = torch_name(target).split(".")
            own.update(".".join(parts[start:]) for start in range(len(parts)))
        for name in own:
            names.setdefault(name, []).append(rule)
    return names


def _all_rules() -> list[Rule]:
    return list({id(rule): rule for rule in RULES.values()}.values())


def _first_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
