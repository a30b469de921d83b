"""Sequences of unequal lengths as one tensor: padded side by side, or packed end to end."""

import torch

from .broadcast import unbroadcast
from .registry import rule, sample
from .unrolled import pack_mask


def padding_samples(make):
    yield sample([make(3, 2), make(1, 2)])
    yield sample([make(2), make(3)], True, 0.5, "left")


@rule(torch._C._nn.pad_sequence, samples=padding_samples)
def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences side by side, each filled up to the length of the longest."""
    y = torch._C._nn.pad_sequence(sequences, batch_first, padding_value, padding_side)

    def backward(dy):
        columns = dy.unbind(0 if batch_first else 1)
        pairs = list(zip(columns, sequences, strict=True))
        if padding_side == "left":
            return [unbroadcast(dy[len(dy) - len(x) :], x) for dy, x in pairs]
        return [unbroadcast(dy[: len(x)], x) for dy, x in pairs]

    return y, backward


def packing_samples(make):
    yield sample(make(3, 2, 4), torch.tensor([3, 1]), False)
    yield sample(make(2, 3, 4), torch.tensor([3, 2]), True)


@rule(torch._pack_padded_sequence, samples=packing_samples)
def pack_padded_sequence(input, lengths, batch_first):
    """The elements of padded sequences with no padding, time after time; and how many at each."""
    x = input.transpose(0, 1) if batch_first else input
    times = torch.arange(int(lengths.max())).unsqueeze(1)
    mask = times < lengths
    batch_sizes = mask.sum(1)
    y = x[: len(mask)][mask]

    def backward(dy, dbatch_sizes):
        dx = torch.zeros_like(x)
        dx[: len(mask)][mask] = dy
        dinput = dx.transpose(0, 1) if batch_first else dx
        return dinput

    return (y, batch_sizes), backward


def unpacking_samples(make):
    yield sample(make(4, 3), torch.tensor([2, 1, 1]), False, 0.5, -1)
    yield sample(make(4, 3), torch.tensor([2, 2]), True, 0.0, 3)


@rule(torch._pad_packed_sequence, samples=unpacking_samples)
def pad_packed_sequence(data, batch_sizes, batch_first, padding_value, total_length):
    """Packed sequences padded again, side by side; and how long each is."""
    mask = pack_mask(batch_sizes, data.device)
    batch = mask.shape[1]
    length = max(total_length, len(mask))
    x = data.new_full((length, batch, *data.shape[1:]), padding_value)
    x[: len(mask)][mask] = data
    lengths = mask.sum(0).cpu()
    y = x.transpose(0, 1) if batch_first else x

    def backward(dy, dlengths):
        dx = dy.transpose(0, 1) if batch_first else dy
        ddata = dx[: len(mask)][mask]
        return ddata

    return (y, lengths), backward
