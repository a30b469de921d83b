"""What a capsule judges its op by. These functions are written out in every capsule, as they stand.

An op is a function of a dict of named inputs; gradients come back by the same names.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor


def unpacked(dtype: torch.dtype, shape: tuple[int, ...], text: str) -> Tensor:
    """A tensor from its bytes, deflated and in base64."""
    data = bytearray(zlib.decompress(base64.b64decode(text)))
    return torch.frombuffer(data, dtype=dtype).reshape(shape)


def strided(numbers: Tensor, stride: tuple[int, ...]) -> Tensor:
    """The same numbers, laid out in memory as the program had them."""
    span = 1 + sum((size - 1) * step for size, step in zip(numbers.shape, stride, strict=True))
    memory = torch.zeros(span, dtype=numbers.dtype)
    memory[torch.arange(span).as_strided(numbers.shape, stride)] = numbers
    return memory.as_strided(numbers.shape, stride)


def tensors(output: Any) -> list[Tensor]:
    """The tensors that an op returned, in order."""
    if isinstance(output, Tensor):
        return [output]
    parts = output if isinstance(output, (tuple, list)) else ()
    return [tensor for part in parts for tensor in tensors(part)]


def wide(tensor: Tensor) -> Tensor:
    """In float64 or complex128; what is not floating stays."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def widened(
    inputs: Mapping[str, Tensor], cotangents: Sequence[Tensor]
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """All of them `wide`."""
    return {name: wide(tensor) for name, tensor in inputs.items()}, [wide(dy) for dy in cotangents]


def shaken(tensor: Tensor, seed: int) -> Tensor:
    """In float64, with every element moved by up to half an eps of the dtype it had."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return tensor
    generator = torch.Generator().manual_seed(seed)
    move = 2 * torch.rand(tensor.shape, generator=generator, dtype=torch.float64) - 1
    return wide(tensor) * (1 + torch.finfo(tensor.dtype).eps / 2 * move.to(tensor.device))


def fitted(gradient: Tensor, tensor: Tensor) -> Tensor:
    """A rule's ∂L/∂tensor as autograd would give it: conjugate, and in the tensor's dtype."""
    gradient = gradient.conj().resolve_conj()
    if gradient.is_complex() and not tensor.is_complex():
        gradient = gradient.real
    return gradient.to(tensor.dtype)


def autograd(
    op: Callable[[dict[str, Tensor]], Any],
    inputs: Mapping[str, Tensor],
    cotangents: Sequence[Tensor],
    names: Sequence[str],
) -> dict[str, Tensor]:
    """The gradients of the named inputs, as autograd answers here."""
    leaves = {name: inputs[name].detach().requires_grad_() for name in names}
    outputs = tensors(op({**inputs, **leaves}))
    pairs = [(y, dy) for y, dy in zip(outputs, cotangents, strict=True) if y.requires_grad]
    found = torch.autograd.grad(
        [y for y, _ in pairs],
        list(leaves.values()),
        [dy.to(y.dtype) for y, dy in pairs],
        materialize_grads=True,
    )
    return {name: grad.to_dense() for name, grad in zip(names, found, strict=True)}


def largest(tensor: Tensor) -> float:
    """The largest absolute value, 0 where there is none."""
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def errors(
    answer: Tensor,
    name: str,
    by_hand: Callable[..., dict[str, Tensor]],
    inputs: Mapping[str, Tensor],
    cotangents: Sequence[Tensor],
) -> tuple[float, float]:
    """How far an answer is from the truth, and how far rounding takes a right one.

    The truth is our own derivative in float64. Rounding explains the distance of our own in the
    op's dtype, half an eps of the largest element, and what moving the inputs by half an eps
    does to the truth.
    """

    def ours(convert: Callable[[Tensor], Tensor], exact: Callable[[Tensor], Tensor]) -> Tensor:
        x = {key: (convert if key in carrying else exact)(inputs[key]) for key in inputs}
        return by_hand(x, [convert(dy) for dy in cotangents])[name]

    carrying = by_hand(inputs, cotangents)  # the others, such as targets and masks, are exact
    manual, truth = carrying[name], ours(wide, wide)
    info = torch.finfo(manual.dtype)
    # Beyond the dtype's range, finite and infinite are the same answer.
    counted = (truth.abs() < info.max / 2) & (manual.isfinite() | answer.isfinite())

    def off(other: Tensor) -> float:
        return largest((wide(other) - truth)[counted])

    moved = [off(ours(partial(shaken, seed=seed), wide)) for seed in range(3)]
    return off(answer), max(info.eps / 2 * largest(truth[counted]), off(manual), *moved)


def widest(name: str, answer: Tensor, ours: Tensor) -> str:
    """The element where two answers differ most, in words."""
    gap = (wide(answer) - wide(ours)).abs().nan_to_num(torch.inf)
    place = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    return f"{name}{list(place)}: autograd {answer[place].item()}, ours {ours[place].item()}"


def directions(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Ways to move a tensor: each element in turn; of many elements, all at random."""
    size = torch.where(tensor == 0, largest(tensor) or 1.0, tensor.abs())
    if tensor.numel() > 50:
        generator = torch.Generator().manual_seed(0)
        move = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
        yield "along a random direction", move.to(tensor.device) * size
        return
    for place in torch.ones(tensor.shape).nonzero().tolist():
        for unit in (1, 1j) if tensor.is_complex() else (1,):
            move = torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
            move[tuple(place)] = unit * size[tuple(place)]
            yield f"at {place}", move


def slopes(
    op: Callable[[dict[str, Tensor]], Any],
    inputs: Mapping[str, Tensor],
    cotangents: Sequence[Tensor],
    name: str,
    direction: Tensor,
    step: float,
) -> tuple[float, float, float]:
    """How the loss changes along a direction v of one input: by differences, and by autograd.

    ⟨dy, (f(x + h·v) − f(x − h·v)) / 2h⟩ has to be ⟨dx, v⟩. Outputs that lie on a kink, where
    the two sides of x disagree, have no slope and are left out of the loss. The third number
    is what rounding does to the first.
    """

    def at(h: float) -> list[Tensor]:
        return tensors(op({**inputs, name: inputs[name] + h * direction}))

    measured, size, smooth = 0.0, 0.0, []
    with torch.no_grad():
        for ahead, y, behind, dy in zip(at(step), at(0), at(-step), cotangents, strict=True):
            if not (y.is_floating_point() or y.is_complex()):
                smooth.append(dy)
                continue
            straight = (ahead - 2 * y + behind).abs() <= 0.01 * (ahead - behind).abs()
            smooth.append(torch.where(straight, dy, 0))
            measured += float((smooth[-1].conj() * (ahead - behind)).real.sum()) / (2 * step)
            size += float((smooth[-1] * y).abs().sum())
    dx = autograd(op, inputs, smooth, [name])[name]
    return measured, float((dx.conj() * direction).real.sum()), 1e-15 * size / step


def disagreement(
    op: Callable[[dict[str, Tensor]], Any],
    inputs: Mapping[str, Tensor],
    cotangents: Sequence[Tensor],
    name: str,
) -> str | None:
    """Where autograd's gradient of an input is not the slope of the loss, "" where it is.

    All is done in float64; the second of the two steps is for ops that compute in float32
    inside. None where the op's own noise hides the answer at both.
    """
    x, dy = widened(inputs, cotangents)
    conclusive = False
    for where, direction in directions(x[name]):
        for step, tolerance in ((1e-6, 1e-6), (1e-3, 1e-2)):
            measured, claimed, rounding = slopes(op, x, dy, name, direction, step)
            others = [slopes(op, x, dy, name, direction, k * step)[0] for k in (1.4142, 2.7183)]
            allowed = tolerance * max(abs(measured), abs(claimed)) + rounding
            if abs(measured - claimed) <= allowed:
                conclusive = True
                break
            if max(abs(measured - other) for other in others) <= allowed:
                return f"{name} {where}: autograd says {claimed:.9g}, differences {measured:.9g}"
    return "" if conclusive else None
