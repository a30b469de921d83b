"""Copies of a tensor, and copies in another dtype: the cotangent goes back as it came."""

import torch
from torch import Tensor

from .broadcast import as_dtype
from .registry import rule, sample, spellings
from .samples import anywhere, real_or_complex


@rule(
    *spellings("clone", "positive", "resolve_conj", "resolve_neg", "alias_copy"),
    Tensor.contiguous,
    samples=anywhere,
)
def clone(input, **options):
    """The same values in memory of their own, y = x."""
    y = input.clone()

    def backward(dy):
        dinput = dy
        return dinput

    return y, backward


def to_samples(make):
    yield sample(make(2, 3), torch.float64)
    yield sample(make(2, 3), dtype=torch.float64)


@rule(Tensor.to, Tensor.type, samples=to_samples)
def to(input, *args, **kwargs):
    """The same values in another dtype or on another device."""
    wanted = kwargs.get("dtype", args[0] if args else None)
    if isinstance(wanted, str):
        y = input.type(wanted) if wanted.startswith("torch.") else input.to(*args, **kwargs)
    else:
        y = input.to(*args, **kwargs)

    def backward(dy):
        dinput = as_dtype(dy, input.dtype).to(input.device)
        return dinput

    return y, backward


def cast(input, dtype):
    """The same values in another dtype: a real number becomes a complex one without an i.

    Their cotangents come back in the dtype that the input had.
    """
    y = input.to(dtype)

    def backward(dy):
        dinput = as_dtype(dy, input.dtype)
        return dinput

    return y, backward


@rule(Tensor.type_as, samples=lambda make: [sample(make(2, 3), make(1))])
def type_as(input, other):
    """The same values in the dtype of another tensor."""
    return cast(input, other.dtype)


@rule(Tensor.float, samples=anywhere)
def float(input, memory_format=None):
    """The same values in 32 bits."""
    return cast(input, torch.float32)


@rule(Tensor.double, samples=anywhere)
def double(input, memory_format=None):
    """The same values in 64 bits."""
    return cast(input, torch.float64)


@rule(Tensor.half, samples=anywhere)
def half(input, memory_format=None):
    """The same values in 16 bits, 10 of them for the fraction."""
    return cast(input, torch.float16)


@rule(Tensor.bfloat16, samples=anywhere)
def bfloat16(input, memory_format=None):
    """The same values in 16 bits, 7 of them for the fraction."""
    return cast(input, torch.bfloat16)


@rule(Tensor.cdouble, samples=real_or_complex)  # type: ignore[attr-defined]
def cdouble(input, memory_format=None):
    """The same values as complex numbers of twice 64 bits."""
    return cast(input, torch.complex128)


@rule(Tensor.cfloat, samples=real_or_complex)  # type: ignore[attr-defined]
def cfloat(input, memory_format=None):
    """The same values as complex numbers of twice 32 bits."""
    return cast(input, torch.complex64)


@rule(Tensor.chalf, samples=real_or_complex)
def chalf(input, memory_format=None):
    """The same values as complex numbers of twice 16 bits."""
    return cast(input, torch.complex32)


def as_tensor_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), dtype=torch.float64)


@rule(torch.as_tensor, samples=as_tensor_samples)
def as_tensor(data, *, dtype=None, device=None):
    """The tensor itself, or a copy of it in another dtype or on another device."""
    y = torch.as_tensor(data, dtype=dtype, device=device)

    def backward(dy):
        if not isinstance(data, Tensor):
            return None
        dinput = as_dtype(dy, data.dtype).to(data.device)
        return dinput

    return y, backward
