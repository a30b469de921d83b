"""An op's arguments under its rule's names, and the rule's answers along the op's inputs."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from .rules.registry import Rule
from .tape import Op, tensors

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def bound(rule: Rule, arguments: Arguments) -> dict[str, Any]:
    """The rule's names for an op's arguments; those of a ``*name`` are their positions."""
    args, kwargs = arguments
    if rule.names:
        given = {**dict(zip(rule.names, args, strict=False)), **rule.keywords(kwargs)}
        return {name: given[name] for name in rule.names if name in given}
    parameters = rule.signature.parameters.values()
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        named = [p.name for p in parameters][: kinds.index(inspect.Parameter.VAR_POSITIONAL)]
        names = named + [str(position) for position in range(len(named), len(args))]
        return dict(zip(names, args, strict=False))
    return dict(rule.signature.bind(*args, **rule.keywords(kwargs)).arguments)


def unwanted(rule: Rule, op: Op, wanted: Collection[int]) -> frozenset[str]:
    """The rule's names for the tensors of an op whose cotangents are not `wanted`."""
    if set(op.inputs) <= set(wanted):
        return frozenset()
    values = dict(zip(map(id, tensors((op.args, op.kwargs))), op.inputs, strict=True))
    named = bound(rule, (op.args, dict(op.kwargs)))
    return frozenset(
        name
        for name, argument in named.items()
        if all(values[id(tensor)] not in wanted for tensor in tensors(argument))
    )


def answered(rule: Rule, given: Mapping[str, Any], answer: Sequence[Any]) -> dict[str, Any]:
    """The rule's names -> what its backward returned for them, in the order of its signature."""
    starred = any(name.isdigit() for name in given)
    names: Iterable[str] = given if starred else rule.signature.parameters
    return dict(zip(names, answer, strict=False))


def aligned(rule: Rule, arguments: Arguments, answer: Any) -> Iterator[Tensor | None]:
    """What a rule's backward answered, in the order of the op's input tensors.

    A cotangent takes on the dtype of its input, as autograd's does.

    Raises:
        TypeError, ValueError: if one is no tensor, or not of its input's shape.
    """
    given = bound(rule, arguments)
    returned = answered(rule, given, answer if isinstance(answer, tuple) else (answer,))
    by_tensor: dict[int, Tensor | None] = {}
    for name, argument in given.items():
        _match(argument, returned.get(name), by_tensor)
    for tensor in tensors(arguments):
        cotangent = by_tensor.get(id(tensor))
        yield None if cotangent is None else _cast(conjugate(_fitting(cotangent, tensor)), tensor)


def _fitting(cotangent: Any, tensor: Tensor) -> Tensor:
    if not isinstance(cotangent, Tensor):
        kind = type(cotangent).__name__
        raise TypeError(f"its backward answered a {kind} where a tensor or None belongs")
    if cotangent.shape != tensor.shape:
        sizes = f"{tuple(cotangent.shape)} for an argument of shape {tuple(tensor.shape)}"
        raise ValueError(f"its backward answered a cotangent of shape {sizes}")
    return cotangent


def two_of(answer: Any) -> tuple[Any, Callable[..., Any]]:
    """The output and the backward, of which a rule's answer is made.

    Raises:
        TypeError: if it is not.
    """
    if isinstance(answer, tuple) and len(answer) == 2 and callable(answer[1]):
        return answer
    raise TypeError(f"a rule returns (output, backward), not {type(answer).__name__}")


def failure_of(rule: Rule, error: Exception) -> str:
    """What is said of a rule that raised: the error, and the rule's own line it came from."""
    file = rule.function.__code__.co_filename
    frames = traceback.extract_tb(error.__traceback__)
    here = next((frame for frame in reversed(frames) if frame.filename == file), None)
    place = f"{Path(file).name}:{here.lineno}" if here else Path(file).name
    return f"{rule.name} ({place}): {type(error).__name__}: {error}"


def conjugate(tensor: Tensor) -> Tensor:
    """Between ∂L/∂z, which rules speak of, and autograd's gradient, which is its conjugate."""
    return tensor.conj().resolve_conj() if tensor.is_complex() else tensor


def _cast(cotangent: Tensor, like: Tensor) -> Tensor:
    if cotangent.is_complex() and not like.is_complex():
        cotangent = cotangent.real
    # Whoever compares goes through it in order, more than once.
    return cotangent.to(like.dtype).contiguous()


def _match(argument: Any, cotangent: Any, found: dict[int, Tensor | None]) -> None:
    if isinstance(argument, Tensor):
        found[id(argument)] = cotangent
    elif isinstance(argument, (tuple, list)) and isinstance(cotangent, (tuple, list)):
        for item, part in zip(argument, cotangent, strict=False):
            _match(item, part, found)
    elif isinstance(argument, Mapping) and isinstance(cotangent, Mapping):
        for key, item in argument.items():
            _match(item, cotangent.get(key), found)
