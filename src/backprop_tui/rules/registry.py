"""How a rule is declared and found: one decorator, one dictionary.

A cotangent here is ∂L/∂value in plain algebra, with no conjugations. PyTorch's gradient
of a complex value is its conjugate, so whoever feeds a rule from autograd conjugates on
the way in and out; for real values nothing changes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

RuleFunction = Callable[..., tuple[Any, Callable[..., Any]]]


@dataclass(frozen=True)
class Sample:
    """Arguments of one call of a rule, from which its test is made."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def sample(*args: Any, **kwargs: Any) -> Sample:
    """Write a sample as the call itself: ``sample(make(2, 3), dim=1)``."""
    return Sample(args, kwargs)


class Make:
    """A factory of random tensors for samples, all of one dtype.

    ``make(2, 3)`` is normal, ``make.positive(2, 3)`` lies in [0.5, 2), and
    ``make.integers(10, 2, 3)`` holds int64 values in [0, 10). ``make.constant(3)`` is
    positive too, for what PyTorch does not differentiate: class weights, running means.
    All but the last two require grad if the factory says so.
    """

    def __init__(
        self, dtype: torch.dtype = torch.float64, seed: int = 0, requires_grad: bool = False
    ) -> None:
        self.dtype = dtype
        self.requires_grad = requires_grad
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        made = torch.randn(shape, dtype=self.dtype, generator=self.generator)
        return made.requires_grad_(self.requires_grad)

    def positive(self, *shape: int) -> Tensor:
        return self.constant(*shape).requires_grad_(self.requires_grad)

    def constant(self, *shape: int) -> Tensor:
        return 0.5 + 1.5 * torch.rand(shape, dtype=self.dtype, generator=self.generator)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator)


Samples = Callable[[Make], Iterable[Sample]]


@dataclass(frozen=True)
class Rule:
    """One op's mathematics.

    ``function(*args, **kwargs)`` takes the op's own arguments under torch's own
    names and returns ``(output, backward)``. ``backward(*cotangents)`` takes one
    cotangent per output tensor and returns the cotangents of the arguments: one
    tensor for the first argument alone, or a tuple, one entry per argument in
    order (shorter is allowed). ``None`` means that no gradient flows; a list
    stands for an argument that is itself a sequence of tensors.
    """

    name: str
    function: RuleFunction
    targets: tuple[Callable[..., Any], ...]
    samples: Samples

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's; to ask Python for it takes longer than many a rule."""
        return inspect.signature(self.function)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The function's parameters, if it takes no * or **; else nothing."""
        parameters = self.signature.parameters.values()
        starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if any(parameter.kind in starred for parameter in parameters):
            return ()
        return tuple(parameter.name for parameter in parameters)

    def keywords(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's keyword arguments under the rule's own names: ``axis=0`` is ``dim=0``."""
        if not kwargs:
            return {}
        own = self.signature.parameters
        return {key if key in own else NUMPY_NAMES.get(key, key): kwargs[key] for key in kwargs}


# The second spelling that torch's own argument parser accepts for these names.
NUMPY_NAMES = {
    "a": "input",
    "x": "input",
    "x1": "input",
    "x2": "other",
    "self": "input",
    "axis": "dim",
    "keepdims": "keepdim",
}

RULES: dict[Callable[..., Any], Rule] = {}


def spellings(*names: str) -> tuple[Callable[..., Any], ...]:
    """Every way to call these ops: ``torch.exp``, ``Tensor.exp``, ``torch.exp_``, ``Tensor.exp_``.

    Raises:
        ValueError: if torch has no function of one of the names.
    """
    found: dict[Callable[..., Any], None] = {}
    for name in names:
        ways = [getattr(place, name + end, None) for place in (torch, Tensor) for end in ("", "_")]
        if not any(ways):
            raise ValueError(f"torch has no function named {name}")
        found.update((way, None) for way in ways if way is not None)
    return tuple(found)


def getter(name: str) -> Callable[..., Any]:
    """What torch reports where a property of a tensor is read: ``x.T`` is getter("T")."""
    get: Callable[..., Any] = getattr(Tensor, name).__get__
    return get


def rule(*targets: Callable[..., Any], samples: Samples) -> Callable[[RuleFunction], RuleFunction]:
    """Declare the decorated function as the rule of every torch function in `targets`.

    A rule of your own takes the place of one that was there: a derivation of softmax, say, that
    you want to see checked.

    Args:
        samples: a function of a `Make` that gives inputs to try the rule on:
            ``lambda make: [bp.sample(make(3, 4))]``.

    Raises:
        TypeError: if a target or `samples` cannot be called.
        ValueError: if no target or no sample is given, or two rules of this library have one
            target.
    """

    def declare(function: RuleFunction) -> RuleFunction:
        name = function.__name__
        if not targets:
            raise ValueError(f"rule {name}: name at least one torch function that it derives")
        if not all(map(callable, targets)):
            raise TypeError(f"rule {name}: targets are functions, such as torch.exp or F.relu")
        if not callable(samples):
            raise TypeError(f"rule {name}: samples is a function: lambda make: [sample(make(3))]")
        ours = function.__module__.startswith(str(__package__))
        if not (ours or any(True for _ in samples(Make()))):
            raise ValueError(f"rule {name}: give sample inputs, its test is made from them")
        declared = Rule(name, function, tuple(dict.fromkeys(targets)), samples)
        for target in declared.targets:
            if target in RULES and ours:
                raise ValueError(f"rule {name}: {target} already has the rule {RULES[target].name}")
            RULES[target] = declared
        return function

    return declare


def find(function: Callable[..., Any]) -> Rule | None:
    """The rule of a torch function, or None."""
    return RULES.get(function)
