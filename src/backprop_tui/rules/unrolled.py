"""Recurrent layers: a cell unrolled in time, in both directions, layer upon layer.

Backpropagation through time runs the cells' closures in reverse and adds up what each time
says of the weights, which are the same at all times (Werbos, 1990).
"""

import torch
import torch.nn.functional as F

from .recurrent import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from .registry import rule, sample

NAMES = {2: ("w_ih", "w_hh"), 4: ("w_ih", "w_hh", "b_ih", "b_hh")}


def pack_mask(batch_sizes, device):
    """mask[t, b]: whether sequence b of a packed batch is that long."""
    longest = int(batch_sizes[0])
    return torch.arange(longest, device=device) < batch_sizes.to(device).unsqueeze(1)


def keep_ended(mask, new, old):
    """The new state, but the old one where a sequence has ended."""
    if mask is None:
        return new
    return [torch.where(mask.unsqueeze(-1), n, o) for n, o in zip(new, old, strict=True)]


def one_direction(cell, x, state, weights, mask, reverse):
    """A layer in one direction, over x of shape (time, batch, features).

    `weights` has w_ih, w_hh and, where there are any, b_ih, b_hh and w_hr, the LSTM's
    projection of its state. Where `mask` is False a sequence has ended, or read in reverse
    not begun, and keeps its state. Returns the states at every time, the last one, and a
    closure that takes their cotangents.
    """
    own = {name: weight for name, weight in weights.items() if name != "w_hr"}
    w_hr = weights.get("w_hr")
    times = range(len(x))[::-1] if reverse else range(len(x))
    tape = []
    seen = {}
    for t in times:
        stepped, cell_backward = cell(x[t], *(state if len(state) == 1 else [state]), **own)
        new = [stepped] if len(state) == 1 else list(stepped)
        raw = new[0]
        if w_hr is not None:
            new[0] = raw @ w_hr.t()
        tape.append((t, raw, cell_backward))
        state = keep_ended(None if mask is None else mask[t], new, state)
        seen[t] = state[0]
    y = torch.stack([seen[t] for t in range(len(x))])

    def backward(dy, dstate):
        dx = torch.zeros_like(x)
        dweights = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for t, raw, cell_backward in reversed(tape):
            dstate = [dstate[0] + dy[t], *dstate[1:]]
            zeros = [torch.zeros_like(d) for d in dstate]
            dnew = keep_ended(None if mask is None else mask[t], dstate, zeros)
            dpassed = zeros if mask is None else keep_ended(~mask[t], dstate, zeros)
            if w_hr is not None:
                dweights["w_hr"] += dnew[0].t() @ raw
                dnew = [dnew[0] @ w_hr, *dnew[1:]]
            dx[t], dhx, *down = cell_backward(*dnew)
            for name, dweight in zip(NAMES[4], down, strict=True):
                if dweight is not None:
                    dweights[name] += dweight
            dkept = dhx if isinstance(dhx, list) else [dhx]
            dstate = [p + k for p, k in zip(dpassed, dkept, strict=True)]
        return dx, dstate, dweights

    return y, state, backward


def stacked(cell, x, states, groups, bidirectional, mask, drop):
    """All layers. `states` and `groups` hold one entry for each layer and direction.

    Between layers `drop` multiplies by a dropout mask that it draws. Returns the last
    layer's states at every time, all last states, and a closure as `one_direction` does.
    """
    directions = 2 if bidirectional else 1
    tape = []
    last = []
    for layer in range(len(groups) // directions):
        keep = drop(x) if layer else None
        if keep is not None:
            x = x * keep
        halves = []
        for reverse in range(directions):
            i = directions * layer + reverse
            y, state, backward = one_direction(cell, x, states[i], groups[i], mask, reverse)
            halves.append(y)
            last.append(state)
            tape.append((i, keep, backward))
        x = torch.cat(halves, -1)

    def backward_all(dy, dlast):
        dstates = [None] * len(groups)
        dgroups = [None] * len(groups)
        for start in reversed(range(0, len(tape), directions)):
            ends = tape[start : start + directions]
            dx = 0
            for (i, _, backward), dhalf in zip(ends, dy.chunk(directions, -1), strict=True):
                dpart, dstates[i], dgroups[i] = backward(dhalf, dlast[i])
                dx = dx + dpart
            keep = ends[0][1]
            dy = dx if keep is None else dx * keep
        return dy, dstates, dgroups

    return x, last, backward_all


def run_layers(cell, arguments):
    """A whole recurrent network, called as torch.lstm and its kin are.

    Either (input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first) or, packed, (data, batch_sizes, hx, params, …) without the last.
    """
    packed = isinstance(arguments[3], list | tuple)
    if packed:
        data, batch_sizes, hx, params, biases, layers, p, train, bidirectional = arguments
        mask = pack_mask(batch_sizes, data.device)
        x = data.new_zeros(*mask.shape, data.shape[-1])
        x[mask] = data
    else:
        data, hx, params, biases, layers, p, train, bidirectional, batch_first = arguments
        mask = None
        x = data.transpose(0, 1) if batch_first else data
    pair = [hx] if isinstance(hx, torch.Tensor) else list(hx)
    count = layers * (2 if bidirectional else 1)
    names = NAMES[4 if biases else 2]
    names = names if len(params) == count * len(names) else (*names, "w_hr")
    groups = [
        dict(zip(names, params[len(names) * i :][: len(names)], strict=True)) for i in range(count)
    ]
    states = [[part[i] for part in pair] for i in range(count)]

    def drop(value):
        if not (p and train):
            return None
        if mask is None:
            return F.dropout(torch.ones_like(value), p)
        keep = torch.zeros_like(value)
        keep[mask] = F.dropout(torch.ones_like(value[mask]), p)
        return keep

    out, last, layers_backward = stacked(cell, x, states, groups, bidirectional, mask, drop)
    y = out.transpose(0, 1) if not packed and batch_first else out
    if packed:
        y = out[mask]
    finals = [torch.stack(parts) for parts in zip(*last, strict=True)]

    def backward(dy, *dfinals):
        dout = dy.transpose(0, 1) if not packed and batch_first else dy
        if packed:
            dout = torch.zeros_like(out)
            dout[mask] = dy
        dlast = [[d[i] for d in dfinals] for i in range(count)]
        dx, dstates, dgroups = layers_backward(dout, dlast)
        dhx = [torch.stack(parts) for parts in zip(*dstates, strict=True)]
        dparams = [dgroup[name] for dgroup in dgroups for name in names]
        if packed:
            return dx[mask], None, dhx, dparams
        return (dx.transpose(0, 1) if batch_first else dx), dhx, dparams

    return (y, *finals), backward


def network_samples(gates, memory):
    """Samples of two layers in both directions, and of a packed batch."""

    def samples(make):
        def weights(inputs, hidden):
            shapes = [(gates * 3, inputs), (gates * 3, hidden), (gates * 3,), (gates * 3,)]
            return [make(*shape) for shape in shapes]

        both = [*weights(2, 3), *weights(2, 3), *weights(6, 3), *weights(6, 3)]
        h = [make(4, 2, 3), make(4, 2, 3)] if memory else make(4, 2, 3)
        yield sample(make(5, 2, 2), h, both, True, 2, 0.0, True, True, False)
        h = [make(1, 3, 3), make(1, 3, 3)] if memory else make(1, 3, 3)
        lengths = torch.tensor([3, 2, 1])
        yield sample(make(6, 2), lengths, h, weights(2, 3), True, 1, 0.0, True, False)

    return samples


@rule(torch.rnn_tanh, samples=network_samples(1, memory=False))
def rnn_tanh(*arguments):
    """A recurrent network with tanh: the output at every time, and the last state of each layer."""
    (y, h), run_backward = run_layers(rnn_tanh_cell, arguments)

    def backward(dy, dh):
        dinput, *sizes, dhx, dparams = run_backward(dy, dh)
        return dinput, *sizes, dhx[0], dparams

    return (y, h), backward


@rule(torch.rnn_relu, samples=network_samples(1, memory=False))
def rnn_relu(*arguments):
    """A recurrent network with relu: the output at every time, and the last state of each layer."""
    (y, h), run_backward = run_layers(rnn_relu_cell, arguments)

    def backward(dy, dh):
        dinput, *sizes, dhx, dparams = run_backward(dy, dh)
        return dinput, *sizes, dhx[0], dparams

    return (y, h), backward


@rule(torch.gru, samples=network_samples(3, memory=False))
def gru(*arguments):
    """A GRU: the output at every time, and the last state of each layer."""
    (y, h), run_backward = run_layers(gru_cell, arguments)

    def backward(dy, dh):
        dinput, *sizes, dhx, dparams = run_backward(dy, dh)
        return dinput, *sizes, dhx[0], dparams

    return (y, h), backward


@rule(torch.lstm, samples=network_samples(4, memory=True))
def lstm(*arguments):
    """An LSTM: the output at every time, and the last state and memory of each layer."""
    (y, h, c), run_backward = run_layers(lstm_cell, arguments)

    def backward(dy, dh, dc):
        cotangents = run_backward(dy, dh, dc)
        return cotangents

    return (y, h, c), backward
