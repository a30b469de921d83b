"""Sums over named indices: einsum, and the products that it generalises."""

import string

import torch
from torch import Tensor

from .broadcast import unbroadcast
from .registry import rule, sample


def einsum_samples(make):
    yield sample("ij,jk->ik", make(2, 3), make(3, 4))
    yield sample("bij,bjk,k->bi", make(2, 3, 4), make(2, 4, 3), make(3))
    yield sample("ii->i", make(3, 3))
    yield sample("...ij->...j", make(2, 3, 4))
    yield sample("i,j", make(2), make(3))


def spelled_out(equation, operands):
    """The operands' indices and the output's, every … replaced by letters of its own."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    names = inputs.split(",")
    free = [c for c in string.ascii_letters if c not in equation]
    dots = [op.dim() - len(n.replace("...", "")) for op, n in zip(operands, names, strict=True)]
    most = max([d for d, n in zip(dots, names, strict=True) if "..." in n], default=0)
    letters = "".join(free[:most])
    names = [
        n.replace("...", letters[most - d :] if d else "") for d, n in zip(dots, names, strict=True)
    ]
    if not arrow:
        joined = "".join(n for n in inputs.replace("...", "") if n != ",")
        output = "..." + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return names, output.replace("...", letters)


def from_lists(operands):
    """An equation in letters from the other form, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``."""

    def word(indices):
        return "".join("..." if i is Ellipsis else string.ascii_letters[i] for i in indices)

    pairs = len(operands) // 2
    equation = ",".join(word(operands[2 * i + 1]) for i in range(pairs))
    if len(operands) % 2:
        equation += "->" + word(operands[-1])
    return equation, operands[: 2 * pairs : 2]


def summed_out(name, output, dy, others, operand):
    """The cotangent of one operand: an einsum of dy with the others that yields its indices.

    An index that is nowhere else was summed alone: its cotangent is the same all along it.
    An index written twice reads a diagonal: its cotangent lies on that diagonal.
    """
    once = "".join(dict.fromkeys(name))
    sizes = {c: operand.shape[i] for i, c in enumerate(name)}
    known = "".join(c for c in once if any(c in n for n, _ in others) or c in output)
    equation = ",".join([output, *(n for n, _ in others)]) + "->" + known
    cotangent = torch.einsum(equation, dy, *(t for _, t in others))
    shape = [cotangent.shape[known.index(c)] if c in known else 1 for c in once]
    cotangent = cotangent.reshape(shape)
    # an operand's index of size 1 may have been broadcast
    for place, c in enumerate(once):
        if sizes[c] == 1 and cotangent.shape[place] != 1:
            cotangent = cotangent.sum(place, keepdim=True)
    cotangent = cotangent.expand([sizes[c] for c in once])
    if once == name:
        return cotangent
    spread = dy.new_zeros(operand.shape)
    torch.einsum(f"{name}->{once}", spread).copy_(cotangent)
    return spread


@rule(torch.einsum, samples=einsum_samples)
def einsum(equation, *operands):
    """Einstein's summation: products of elements, summed over all indices not in the output.

    The cotangent of an operand is again such a sum, of dy with the other operands.
    """
    given = operands[0] if operands and isinstance(operands[0], list | tuple) else operands
    lists = isinstance(equation, Tensor)
    if lists:
        equation, given = from_lists((equation, *operands))
    names, output = spelled_out(equation, given)
    y = torch.einsum(equation, *given)

    def backward(dy):
        doperands = []
        for i, (name, operand) in enumerate(zip(names, given, strict=True)):
            others = [
                (n, t.to(dy.dtype))
                for j, (n, t) in enumerate(zip(names, given, strict=True))
                if j != i
            ]
            doperand = summed_out(name, output, dy, others, operand)
            doperands.append(unbroadcast(doperand, operand))
        cotangents = in_order(doperands, lists, given is operands)
        return cotangents

    return y, backward


def in_order(doperands, lists, spread):
    """The operands' cotangents as einsum's arguments lie: after the equation, between lists."""
    if lists:
        return tuple(c for d in doperands for c in (d, None))
    return (None, *doperands) if spread else (None, doperands)


def tensordot_samples(make):
    yield sample(make(2, 3, 4), make(3, 4, 5))
    yield sample(make(2, 3, 4), make(4, 5, 2), dims=([2, 0], [0, 2]))


@rule(torch.tensordot, samples=tensordot_samples)
def tensordot(a, b, dims=2, out=None):
    """Products summed over the last dimensions of a and the first of b, or over named ones.

    ∂L/∂a sums dy·b over the free dimensions of b, ∂L/∂b sums a·dy over those of a: as in a
    matrix product, once the dimensions are brought back into their order.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        over_a = list(range(a.dim() - dims, a.dim()))
        over_b = list(range(dims))
    else:
        over_a = [d % a.dim() for d in dims[0]]
        over_b = [d % b.dim() for d in dims[1]]
    free_a = [d for d in range(a.dim()) if d not in over_a]
    free_b = [d for d in range(b.dim()) if d not in over_b]
    y = torch.tensordot(a, b, dims=(over_a, over_b))
    # a summed dimension of size 1 goes with every element of the other's
    shape_a, shape_b = list(a.shape), list(b.shape)
    for i, j in zip(over_a, over_b, strict=True):
        shape_a[i] = shape_b[j] = max(shape_a[i], shape_b[j])
    wide_a = a.expand(shape_a)
    wide_b = b.expand(shape_b)

    def backward(dy):
        of_a = list(range(len(free_a)))
        of_b = list(range(len(free_a), dy.dim()))
        da = torch.tensordot(dy, wide_b, dims=(of_b, free_b))
        da = da.permute(inverse(free_a + [d for _, d in sorted(zip(over_b, over_a, strict=True))]))
        db = torch.tensordot(wide_a, dy, dims=(free_a, of_a))
        db = db.permute(inverse([d for _, d in sorted(zip(over_a, over_b, strict=True))] + free_b))
        da = unbroadcast(da, a)
        db = unbroadcast(db, b)
        return da, db

    return y, backward


def inverse(order):
    """The permutation that undoes another."""
    return [order.index(d) for d in range(len(order))]
