"""The rule library as text: what there is, what one rule says, and what is missing."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import resolve_name
from torch.utils._pytree import tree_iter, tree_map

from . import rules
from .errors import UserError
from .rules.registry import RULES, Make, Rule
from .torch_formulas import formula_of

# What a recorder answers by itself: autograd's own entrance, and a switch.
NOT_AN_OP = frozenset({"torch.autograd.grad", "torch.Tensor.requires_grad_"})


# Why what is missing is missing.
REASONS = {
    "torch._standard_gamma": "its derivative has no closed form: PyTorch approximates it",
    "_batch_norm_with_update": "what a compiler writes in place of batch_norm",
    "_native_batch_norm_legit": "what a compiler writes in place of batch_norm",
    "_segment_reduce.lengths": "not written yet: a prototype in PyTorch",
    "_segment_reduce.offsets": "not written yet: a prototype in PyTorch",
    "_softmax_backward_data": "a kernel of autograd itself",
    "max_pool2d_with_indices_backward": "a kernel of autograd itself",
    "native_dropout_backward": "a kernel of autograd itself",
    "_unsafe_masked_index": "what a compiler writes in place of indexing",
    "_unsafe_masked_index_put_accumulate": "what a compiler writes in place of indexing",
    "_upsample_bilinear2d_aa": "what interpolate(antialias=True) calls, which has a rule",
    "as_strided_scatter": "finite differences contradict autograd: see the rule",
    "cov": "op_db weighs float64 samples in float32; the gradient of such weights differs",
    "nextafter": "autograd has no derivative of it",
    "sparse.mm.reduce": "a sparse tensor",
    "sparse.sampled_addmm": "a sparse tensor",
    "to_sparse": "a sparse tensor",
}


@dataclass(frozen=True)
class Use:
    """A function that real models call with gradients: by how many of them, how often."""

    name: str
    models: int
    calls: int


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


def missing() -> Iterator[str]:
    """What op_db and real models need and the library lacks, and why, the most used first.

    Raises:
        UserError: if PyTorch's op_db cannot be imported.
    """
    lacking = [use for use in uses() if not how(use.name)]
    yield f"{len(lacking)} functions of real models (models, calls)"
    for use in lacking:
        why = REASONS.get(use.name, "")
        yield f"  {use.name:<36} {use.models:>4} {use.calls:>5}  {why}".rstrip()
    entries = sorted({entry.full_name for entry in op_db_entries()} - set(verified()))
    yield f"\n{len(entries)} op_db variants that do not pass by rules alone"
    yield from (f"  {entry:<36}  {REASONS.get(entry, '')}".rstrip() for entry in entries)


def how(name: str) -> str:
    """How a function of torch is derived: by which rule, or by what it calls; "" if it is not."""
    if name in NOT_AN_OP:
        return "no op"
    function = function_named(name)
    if function is not None and function in RULES:
        return RULES[function].name
    return "looked into" if isinstance(function, FunctionType) else ""


def function_named(name: str) -> Callable[..., Any] | None:
    """The object that a dotted torch name means, or None in a torch that lacks it."""
    place: Any = torch
    for part in name.split(".")[1:]:
        place = getattr(place, part, None)
    function: Callable[..., Any] | None = place
    return function


def uses() -> list[Use]:
    """The functions that 122 public models call with gradients, the most common first."""
    rows = [line.split("\t") for line in _data("functions.tsv")[1:]]
    return [Use(name, int(models), int(calls)) for name, models, calls in rows]


def verified(dtype: str = "float64") -> list[str]:
    """The op_db variants whose samples of a dtype all pass by rules alone.

    With 64 bits that means equal to 1e-10, in float32 within the rounding verdict.
    """
    return _data(f"verified_{dtype}.txt")


def op_db_entries(dtype: str = "float64") -> list[Any]:
    """The entries of PyTorch's op_db that autograd differentiates in a dtype.

    Raises:
        UserError: if it cannot be imported, for want of the packages that it tests with.
    """
    try:
        invocations = importlib.import_module("torch.testing._internal.common_methods_invocations")
    except ImportError as error:
        raise UserError(
            f"PyTorch's op_db needs the package {error.name}: pip install backprop-tui[test]"
        ) from error
    return [
        entry
        for entry in invocations.op_db
        if getattr(torch, dtype) in entry.dtypes and entry.supports_autograd
    ]


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
    yield ""
    yield f"derives  {', '.join(torch_name(target) for target in rule.targets)}"
    names = _op_db_names(rule)
    passing = [entry for entry in verified() if entry.split(" (")[0] in names]
    yield f"op_db    {', '.join(passing) or 'no variant by these names passes'}"
    formulas = {node: formula_of(node) for node in _nodes(rule)}
    for node, formula in formulas.items():
        lines = (formula or "(a formula of its own)").splitlines()
        yield f"PyTorch  {node}"
        yield from (f"           {line}" for line in lines)


def _op_db_names(rule: Rule) -> set[str]:
    """The verified entries of a rule's targets, "softmax.with_dtype" among those of softmax."""
    own = {
        torch_name(target).removeprefix("torch.").removeprefix("Tensor.") for target in rule.targets
    }
    bare = {entry.split(" (")[0] for entry in verified()}
    return {entry for entry in bare if any(f"{entry}.".startswith(f"{name}.") for name in own)}


def _nodes(rule: Rule) -> list[str]:
    """The nodes that autograd makes where PyTorch runs the rule's first sample."""
    for sample in rule.samples(Make(requires_grad=True)):
        args, kwargs = tree_map(_leaf, (sample.args, sample.kwargs))
        for target in rule.targets:
            try:
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


def _data(name: str) -> list[str]:
    return files(rules).joinpath(name).read_text(encoding="utf-8").splitlines()
