"""One call of a torch function, by its rule and by autograd: do they agree?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_leaves, tree_map

from backprop_tui.numeric import widen
from backprop_tui.private import guardless
from backprop_tui.rules.registry import RULES, Rule

TOLERANCE = {
    torch.float64: 1e-10,
    torch.complex128: 1e-10,
    torch.float32: 1e-4,
    torch.complex64: 1e-4,
}
# Where autograd's own float64 kernel is less exact than that, and why.
LOOSER = {
    F.hardsigmoid: 1e-7,  # it holds 1/6 as a float32
    torch.cov: 1e-6,  # op_db weighs its samples in float32
    torch.Tensor.cov: 1e-6,
}

# The outputs that are vectors with an arbitrary phase.
VECTORS = {
    torch.linalg.eig: [1],
    torch.linalg.eigh: [1],
    torch.linalg.svd: [0, 2],
    torch.svd: [0, 2],
    torch.Tensor.svd: [0, 2],
}

Function = Callable[..., Any]
Call = tuple[Function, tuple[Any, ...], dict[str, Any]]


def seed() -> None:
    """Start the random numbers anew; torch.manual_seed, which tells all devices, takes 1 ms."""
    torch.default_generator.manual_seed(1)


class Calls(TorchFunctionMode):
    """Collects the torch calls that read a tensor which requires grad.

    Python functions of torch that have no rule are looked into, as the recorder does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.open: list[Function] = []

    def __torch_function__(
        self, func: Function, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, FunctionType) and func not in RULES and func not in self.open:
            self.open.append(func)
            try:
                with self:
                    return guardless(func)(*args, **kwargs)
            finally:
                self.open.pop()
        before = tree_map(snapshot, (args, kwargs))
        result = func(*args, **kwargs)
        written = args[:1] if result is None else result
        if any(t.requires_grad for t in tensors(written)):
            self.calls.append((func, *before))
        return result


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_iter(tree) if isinstance(leaf, Tensor)]


def snapshot(leaf: Any) -> Any:
    """A tensor as it is now, cut off from its history, with its own strides."""
    if not isinstance(leaf, Tensor) or leaf.layout != torch.strided:
        return leaf
    storage = leaf.detach().untyped_storage().clone()
    copy = torch.empty(0, dtype=leaf.dtype).set_(
        storage, leaf.storage_offset(), leaf.shape, leaf.stride()
    )
    if leaf.is_conj():
        copy = copy.conj()
    return copy.requires_grad_(leaf.requires_grad)


def complaint(
    rule: Rule,
    func: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    cotangents: list[Tensor] | None = None,
    looser: float = 0.0,
) -> str:
    """What the rule gets wrong in this call, or an empty string.

    Every tensor of `args` and `kwargs` that requires grad is checked. `looser` is the tolerance
    of a narrower dtype that takes part.
    """
    expected, cotangents, gradients = autograd_side(func, args, kwargs, cotangents)
    if not cotangents:
        return ""
    outputs, found = rule_side(rule, args, kwargs, [c.conj() for c in cotangents])
    for ours, theirs in zip(outputs, expected, strict=True):
        if wrong := difference(ours, theirs, looser):
            return f"forward: {wrong}"
    for tensor, gradient in gradients:
        name, ours = next((n, c) for n, t, c in found if t is tensor)
        if wrong := cotangent_difference(ours, gradient, tensor, max(looser, LOOSER.get(func, 0))):
            return f"d{name}: {wrong}"
    return ""


def rule_side(
    rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], cotangents: list[Tensor]
) -> tuple[list[Tensor], list[tuple[str, Any, Any]]]:
    """The rule's outputs, and every tensor argument with its name and cotangent."""
    plain_args, plain_kwargs = tree_map(detached, (args, kwargs))
    seed()
    with torch.no_grad():
        output, backward = rule.function(*plain_args, **rule.keywords(plain_kwargs))
        result = backward(*cotangents)
    result = result if isinstance(result, tuple) else (result,)
    return tensors(output), list(matched(rule, args, kwargs, result))


def detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf


def autograd_side(
    func: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    cotangents: list[Tensor] | None = None,
) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor | None]]]:
    """Torch's outputs, a random cotangent for each, and autograd's gradient of each input."""
    inputs = list({id(t): t for t in tensors((args, kwargs)) if t.requires_grad}.values())
    with torch.enable_grad():
        called = args
        if writes_its_first(func, kwargs):
            called = (args[0].clone(), *args[1:])
        seed()
        result = func(*called, **kwargs)
        outputs = tensors(called[0] if result is None else result)
    differentiable = [t for t in outputs if t.requires_grad]
    if not differentiable:
        return outputs, [], []
    if cotangents is None:
        cotangents = without_phase(func, [y.detach() for y in outputs], drawn(outputs))
    seeds = [c for c, t in zip(cotangents, outputs, strict=True) if t.requires_grad]
    gradients = torch.autograd.grad(differentiable, inputs, seeds, allow_unused=True)
    return outputs, cotangents, list(zip(inputs, gradients, strict=True))


def drawn(outputs: list[Tensor]) -> list[Tensor]:
    """A random cotangent for each output that is differentiable, zeros for another."""
    generator = torch.Generator().manual_seed(11)
    return [
        torch.randn(t.shape, dtype=t.dtype, generator=generator)
        if t.requires_grad
        else torch.zeros_like(t)
        for t in outputs
    ]


def without_phase(func: Function, outputs: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
    """Gradients that do not ask for the phase of eigenvectors or singular vectors.

    That phase is arbitrary, and autograd refuses to differentiate what depends on it.
    """
    vectors = VECTORS.get(func)
    if vectors is None or not outputs[vectors[0]].is_complex():
        return gradients
    in_rows = func is torch.linalg.svd
    bases = [(outputs[i].mH if i == 2 and in_rows else outputs[i]) for i in vectors]
    asked = [(gradients[i].mH if i == 2 and in_rows else gradients[i]) for i in vectors]
    count = min(basis.shape[-1] for basis in bases)
    products = [(v.conj() * g).sum(-2)[..., :count] for v, g in zip(bases, asked, strict=True)]
    phase = 1j * torch.stack(products).sum(0).imag
    changed = asked[0].clone()
    changed[..., :count] -= bases[0][..., :count] * phase.unsqueeze(-2)
    return [changed if i == vectors[0] else g for i, g in enumerate(gradients)]


def is_real(tensor: Tensor) -> bool:
    """Whether it holds real or complex numbers, not integers."""
    return tensor.is_floating_point() or tensor.is_complex()


def writes_its_first(func: Function, kwargs: dict[str, Any]) -> bool:
    name = func.__name__
    return (
        kwargs.get("inplace", False)
        or name in ("__setitem__", "__ipow__")
        or (name.endswith("_") and name[-2] != "_")
    )


def matched(
    rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], result: tuple[Any, ...]
) -> Iterator[tuple[str, Any, Any]]:
    """Every tensor argument with its name and the cotangent that the rule returned for it."""
    bound = inspect.signature(rule.function).bind(*args, **rule.keywords(kwargs))
    bound.apply_defaults()
    entries: list[tuple[str, Any]] = []
    for name, value in bound.arguments.items():
        kind = inspect.signature(rule.function).parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            entries += [(f"{name}[{i}]", each) for i, each in enumerate(value)]
        else:
            entries.append((name, value))
    padded = (*result, *(None for _ in entries))
    for (name, value), cotangent in zip(entries, padded, strict=False):
        if isinstance(value, list | tuple):
            leaves = cotangent if cotangent is not None else [None] * len(value)
            for i, (each, c) in enumerate(zip(tree_leaves(value), leaves, strict=False)):
                yield f"{name}[{i}]", each, c
        else:
            yield name, value, cotangent


def cotangent_difference(
    ours: Tensor | None, theirs: Tensor | None, argument: Tensor, looser: float
) -> str:
    if ours is None and theirs is None:
        return ""
    if ours is None:
        return "" if not theirs.any() else "no cotangent, but autograd has one"
    if ours.shape != argument.shape or ours.dtype != argument.dtype:
        return f"{ours.dtype} {tuple(ours.shape)} for {argument.dtype} {tuple(argument.shape)}"
    theirs = torch.zeros_like(argument) if theirs is None else theirs
    return difference(ours.conj(), theirs, looser)


def difference(ours: Tensor, theirs: Tensor, looser: float = 0.0) -> str:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype} {tuple(ours.shape)}, torch {theirs.dtype} {tuple(theirs.shape)}"
    tolerance = max(TOLERANCE.get(theirs.dtype, 0.02), looser)
    if not is_real(theirs):
        ours, theirs = ours.double(), theirs.double()
    ours, theirs = widen(ours), widen(theirs.detach())
    finite = theirs.isfinite()
    if not torch.equal(ours.isfinite(), finite):
        return "not finite in other places than torch's"
    if not finite.all():
        if not torch.equal(ours[~finite].nan_to_num(7.0), theirs[~finite].nan_to_num(7.0)):
            return "infinities of the other sign, or NaN for infinity"
        ours, theirs = ours[finite], theirs[finite]
    if ours.numel() == 0:
        return ""
    error, scale = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    allowed = tolerance * scale + 1e-12
    return f"off by {error:.1e} at scale {scale:.1e}" if not error <= allowed else ""


def variant_complaint(
    function: Function, samples: Any, judge: Callable[..., str] = complaint
) -> str | None:
    """The first complaint over all samples of an op_db variant; None where a call has no rule."""
    checked = False
    for sample in samples:
        seed()
        with Calls() as mode:
            function(sample.input, *sample.args, **sample.kwargs)
        for func, args, kwargs in mode.calls:
            if func not in RULES:
                return None
            checked = True
            if wrong := judge(RULES[func], func, args, kwargs):
                return f"{wrong} in {func.__name__}{described(args, kwargs)}"
    return "" if checked else None


def described(args: Any, kwargs: Any) -> str:
    return str(tree_map(lambda t: tuple(t.shape) if isinstance(t, Tensor) else t, (args, kwargs)))
