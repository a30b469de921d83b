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

from backprop_tui.private import guardless
from backprop_tui.rules.registry import RULES, Rule

TOLERANCE = {
    torch.float64: 1e-10,
    torch.complex128: 1e-10,
    torch.float32: 1e-4,
    torch.complex64: 1e-4,
}
# Where autograd's own float64 kernel is less exact than that, and why.
LOOSER = {F.hardsigmoid: 1e-7}  # it holds 1/6 as a float32
SEED = 1

Function = Callable[..., Any]
Call = tuple[Function, tuple[Any, ...], dict[str, Any]]


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


def complaint(rule: Rule, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What the rule gets wrong in this call, or an empty string.

    Every tensor of `args` and `kwargs` that requires grad is checked.
    """
    expected, cotangents, gradients = autograd_side(func, args, kwargs)
    if not cotangents:
        return ""
    plain_args, plain_kwargs = tree_map(detached, (args, kwargs))
    torch.manual_seed(SEED)
    with torch.no_grad():
        output, backward = rule.function(*plain_args, **rule.keywords(plain_kwargs))
        result = backward(*(c.conj() for c in cotangents))
    for ours, theirs in zip(tensors(output), expected, strict=True):
        if wrong := difference(ours, theirs):
            return f"forward: {wrong}"
    found = matched(rule, args, kwargs, result if isinstance(result, tuple) else (result,))
    for tensor, gradient in gradients:
        name, ours = next((n, c) for n, t, c in found if t is tensor)
        if wrong := cotangent_difference(ours, gradient, tensor, LOOSER.get(func, 0.0)):
            return f"d{name}: {wrong}"
    return ""


def finite_difference_complaint(
    rule: Rule, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Whether ⟨dx, v⟩ is the slope of ⟨dy, f(x + hv)⟩ in h, for one random direction v.

    Of complex values the products are not conjugated and the real part counts.
    """
    generator = torch.Generator().manual_seed(12)
    inputs = {id(t): t for t in tensors((args, kwargs)) if t.requires_grad}
    directions = {key: direction(t, generator) for key, t in inputs.items()}

    def outputs(step: float) -> list[Tensor]:
        moved = {key: t.detach() + step * directions[key] for key, t in inputs.items()}
        new_args, new_kwargs = tree_map(lambda leaf: moved.get(id(leaf), leaf), (args, kwargs))
        torch.manual_seed(SEED)
        result = func(*new_args, **new_kwargs)
        return tensors(new_args[0] if result is None else result)

    def projected(step: float) -> float:
        pairs = zip(cotangents, outputs(step), strict=True)
        return sum(inner(c, y) for c, y in pairs)

    at_rest = outputs(0.0)
    cotangents = [normal(y, generator) if is_real(y) else torch.zeros_like(y) for y in at_rest]
    cotangents = [c.conj() for c in without_phase(func, at_rest, cotangents)]
    with torch.no_grad():
        plain_args, plain_kwargs = tree_map(detached, (args, kwargs))
        torch.manual_seed(SEED)
        _, backward = rule.function(*plain_args, **rule.keywords(plain_kwargs))
        result = backward(*cotangents)
    found = matched(rule, args, kwargs, result if isinstance(result, tuple) else (result,))
    manual = sum(
        inner(c, directions[id(t)]) for _, t, c in found if id(t) in inputs and c is not None
    )
    eps = max(torch.finfo(y.dtype).eps for y in at_rest if is_real(y))
    step = eps ** (1 / 4)
    numeric = (8 * (projected(step) - projected(-step))) / (12 * step)
    numeric -= (projected(2 * step) - projected(-2 * step)) / (12 * step)
    size = 1 + sum(c.abs().sum().item() for c in cotangents)
    close = abs(manual - numeric) <= min(10 * eps ** (1 / 2), 0.1) * size
    return "" if close else f"slope {manual}, finite differences {numeric}"


def is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def normal(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(tensor.shape, dtype=tensor.dtype, generator=generator)


def direction(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction to move in.

    A matrix that is Hermitian or triangular stays so: torch may read half of it, and shares the
    gradient of that half out as if it read all.
    """
    move = normal(tensor, generator)
    if tensor.dim() < 2 or tensor.shape[-1] != tensor.shape[-2]:
        return move
    if torch.equal(tensor, tensor.mH):
        return (move + move.mH) / 2
    if torch.equal(tensor, tensor.tril()):
        return move.tril()
    return move.triu() if torch.equal(tensor, tensor.triu()) else move


def inner(a: Tensor, b: Tensor) -> float:
    wide = torch.complex128
    return float((a.to(wide) * b.to(wide)).sum().real)


def detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf


def autograd_side(
    func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor | None]]]:
    """Torch's outputs, a random cotangent for each, and autograd's gradient of each input."""
    inputs = list({id(t): t for t in tensors((args, kwargs)) if t.requires_grad}.values())
    with torch.enable_grad():
        called = args
        if writes_its_first(func, kwargs):
            called = (args[0].clone(), *args[1:])
        torch.manual_seed(SEED)
        result = func(*called, **kwargs)
        outputs = tensors(called[0] if result is None else result)
    differentiable = [t for t in outputs if t.requires_grad]
    generator = torch.Generator().manual_seed(11)
    cotangents = [
        torch.randn(t.shape, dtype=t.dtype, generator=generator)
        if t.requires_grad
        else torch.zeros_like(t)
        for t in outputs
    ]
    cotangents = without_phase(func, [y.detach() for y in outputs], cotangents)
    if not differentiable:
        return outputs, [], []
    seeds = [c for c, t in zip(cotangents, outputs, strict=True) if t.requires_grad]
    gradients = torch.autograd.grad(differentiable, inputs, seeds, allow_unused=True)
    return outputs, cotangents, list(zip(inputs, gradients, strict=True))


def without_phase(func: Function, outputs: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
    """Gradients that do not ask for the phase of eigenvectors or singular vectors.

    That phase is arbitrary, and autograd refuses to differentiate what depends on it.
    """
    vectors = {torch.linalg.eig: [1], torch.linalg.eigh: [1], torch.linalg.svd: [0, 2]}.get(func)
    if vectors is None or not outputs[vectors[0]].is_complex():
        return gradients
    bases = [(outputs[i].mH if i == 2 else outputs[i]) for i in vectors]
    asked = [(gradients[i].mH if i == 2 else gradients[i]) for i in vectors]
    count = min(basis.shape[-1] for basis in bases)
    products = [(v.conj() * g).sum(-2)[..., :count] for v, g in zip(bases, asked, strict=True)]
    phase = 1j * torch.stack(products).sum(0).imag
    changed = asked[0].clone()
    changed[..., :count] -= bases[0][..., :count] * phase.unsqueeze(-2)
    return [changed if i == vectors[0] else g for i, g in enumerate(gradients)]


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
    theirs = theirs.detach()
    finite = theirs.isfinite()
    if not torch.equal(ours.isfinite(), finite):
        return "not finite in other places than torch's"
    if not finite.all() and not torch.equal(
        ours[~finite].nan_to_num(7.0), theirs[~finite].nan_to_num(7.0)
    ):
        return "infinities of the other sign, or NaN for infinity"
    ours, theirs = ours[finite], theirs[finite]
    if ours.numel() == 0:
        return ""
    error = (ours.to(torch.complex128) - theirs.to(torch.complex128)).abs().max().item()
    scale = theirs.to(torch.complex128).abs().max().item()
    allowed = max(TOLERANCE.get(theirs.dtype, 0.02), looser) * scale + 1e-12
    return f"off by {error:.1e} at scale {scale:.1e}" if not error <= allowed else ""


def variant_complaint(function: Function, samples: Any) -> str | None:
    """The first complaint over all samples of an op_db variant; None where a call has no rule."""
    checked = False
    for sample in samples:
        torch.manual_seed(SEED)
        with Calls() as mode:
            function(sample.input, *sample.args, **sample.kwargs)
        for func, args, kwargs in mode.calls:
            if func not in RULES:
                return None
            checked = True
            if wrong := complaint(RULES[func], func, args, kwargs):
                return f"{wrong} in {func.__name__}{described(args, kwargs)}"
    return "" if checked else None


def described(args: Any, kwargs: Any) -> str:
    return str(tree_map(lambda t: tuple(t.shape) if isinstance(t, Tensor) else t, (args, kwargs)))
