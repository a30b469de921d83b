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

    Where `mask` is False a sequence has ended, or read in reverse not begun, and keeps its
    state. Returns the states at every time, the last one, and a closure that takes their
    cotangents. An LSTM may project its state by a weight w_hr.
    """
    own = {name: weight for name, weight in weights.items() if name != "w_hr"}
    w_hr = weights.get("w_hr")
    times = range(len(x))[::-1] if reverse else range(len(x))
    tape, seen = [], {}
    for t in times:
        stepped, cell_backward = cell(x[t], *(state if len(state) == 1 else [state]), **own)
        new = [stepped] if len(state) == 1 else list(stepped)
        raw = new[0]
        if w_hr is not None:
            new[0] = raw @ w_hr.t()
        tape.append((t, raw, cell_backward))
        state = keep_ended(None if mask is None else mask[t], new, state)
        seen[t] = state[0]

    def backward(dy, dstate):
        dx = torch.zeros_like(x)
        dweights = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for t, raw, cell_backward in reversed(tape):
            dnew, dpassed = part_ended(mask, t, [dstate[0] + dy[t], *dstate[1:]])
            if w_hr is not None:
                dweights["w_hr"] += dnew[0].t() @ raw
                dnew = [dnew[0] @ w_hr, *dnew[1:]]
            dx[t], dhx, *down = cell_backward(*dnew)
            for name, dweight in zip(own, down, strict=False):
                dweights[name] += dweight
            dkept = dhx if isinstance(dhx, list) else [dhx]
            dstate = [p + k for p, k in zip(dpassed, dkept, strict=True)]
        return dx, dstate, dweights

    return torch.stack([seen[t] for t in range(len(x))]), state, backward


def part_ended(mask, t, dstate):
    """The adjoint of `keep_ended`: what goes to the new state at a time, and to the old one."""
    zeros = [torch.zeros_like(d) for d in dstate]
    if mask is None:
        return dstate, zeros
    return keep_ended(mask[t], dstate, zeros), keep_ended(~mask[t], dstate, zeros)


def layer_weights(params, layers, has_biases):
    """The weights of each of so many layers and directions, by name."""
    names = NAMES[4 if has_biases else 2]
    if len(params) != layers * len(names):
        names = (*names, "w_hr")
    starts = range(0, len(params), len(names))
    return [dict(zip(names, params[i : i + len(names)], strict=True)) for i in starts]


def dropout_mask(x, p, mask):
    """What dropout multiplies by, drawn for what has not ended."""
    if mask is None:
        return F.dropout(torch.ones_like(x), p)
    keep = torch.zeros_like(x)
    keep[mask] = F.dropout(torch.ones_like(x[mask]), p)
    return keep


def stacked(cell, x, hx, params, has_biases, num_layers, p, bidirectional, mask):
    """All layers, each in one or in both directions; between them dropout with probability p.

    Returns the last layer's states at every time, the last states of all layers, and a
    closure from their cotangents to those of x, hx and params.
    """
    directions = 2 if bidirectional else 1
    groups = layer_weights(params, directions * num_layers, has_biases)
    states = [hx] if isinstance(hx, torch.Tensor) else hx
    tape, last = [], []
    for layer in range(num_layers):
        keep = dropout_mask(x, p, mask) if layer and p else None
        x = x if keep is None else x * keep
        halves, backwards = [], []
        for reverse in range(directions):
            i = directions * layer + reverse
            state = [part[i] for part in states]
            y, state, backward = one_direction(cell, x, state, groups[i], mask, reverse)
            halves.append(y)
            last.append(state)
            backwards.append((i, backward))
        x = torch.cat(halves, -1)
        tape.append((keep, backwards))

    def backward_all(dy, dfinals):
        dstates, dgroups = list(last), list(groups)
        for keep, backwards in reversed(tape):
            dx = 0
            for (i, backward), dhalf in zip(backwards, dy.chunk(directions, -1), strict=True):
                dpart, dstates[i], dgroups[i] = backward(dhalf, [d[i] for d in dfinals])
                dx = dx + dpart
            dy = dx if keep is None else dx * keep
        dfirst = [torch.stack(parts) for parts in zip(*dstates, strict=True)]
        dhx = dfirst[0] if isinstance(hx, torch.Tensor) else dfirst
        return dy, dhx, [dweight for group in dgroups for dweight in group.values()]

    return x, [torch.stack(parts) for parts in zip(*last, strict=True)], backward_all


def network(cell, arguments):
    """A whole recurrent network, called as torch.lstm and its kin are, padded or packed."""
    if isinstance(arguments[3], list | tuple):
        return packed_network(cell, *arguments)
    return padded_network(cell, *arguments)


def padded_network(
    cell, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """A network over sequences of one length, time first or batch first."""
    x = input.transpose(0, 1) if batch_first else input
    p = dropout if train else 0.0
    states, finals, layers_backward = stacked(
        cell, x, hx, params, has_biases, num_layers, p, bidirectional, None
    )
    y = states.transpose(0, 1) if batch_first else states

    def backward(dy, *dfinals):
        dstates = dy.transpose(0, 1) if batch_first else dy
        dx, dhx, dparams = layers_backward(dstates, dfinals)
        dinput = dx.transpose(0, 1) if batch_first else dx
        return dinput, dhx, dparams

    return (y, *finals), backward


def packed_network(
    cell, data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional
):
    """A network over packed sequences: run as if they were padded, but for what has ended."""
    mask = pack_mask(batch_sizes, data.device)
    x = data.new_zeros(*mask.shape, data.shape[-1])
    x[mask] = data
    p = dropout if train else 0.0
    states, finals, layers_backward = stacked(
        cell, x, hx, params, has_biases, num_layers, p, bidirectional, mask
    )
    y = states[mask]

    def backward(dy, *dfinals):
        dstates = torch.zeros_like(states)
        dstates[mask] = dy
        dx, dhx, dparams = layers_backward(dstates, dfinals)
        ddata = dx[mask]
        return ddata, None, dhx, dparams

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
    return network(rnn_tanh_cell, arguments)


@rule(torch.rnn_relu, samples=network_samples(1, memory=False))
def rnn_relu(*arguments):
    """A recurrent network with relu: the output at every time, and the last state of each layer."""
    return network(rnn_relu_cell, arguments)


@rule(torch.gru, samples=network_samples(3, memory=False))
def gru(*arguments):
    """A GRU: the output at every time, and the last state of each layer."""
    return network(gru_cell, arguments)


@rule(torch.lstm, samples=network_samples(4, memory=True))
def lstm(*arguments):
    """An LSTM: the output at every time, and the last state and memory of each layer."""
    return network(lstm_cell, arguments)
