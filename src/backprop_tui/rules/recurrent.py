"""Recurrent cells: one step in time of an RNN, a GRU and an LSTM.

Each cell first projects, x·W_ihᵀ + b_ih and h·W_hhᵀ + b_hh; a step then combines the two
projections with the state. The steps return a closure `backward` as the rules do, from
which both the cells here and the layers of `unrolled` are built.
"""

import torch

from .registry import rule, sample


def tanh_step(x, r, state):
    """Elman's unit: h' = tanh(x + r)."""
    h = (x + r).tanh()

    def backward(dstate):
        dsum = dstate[0] * (1 - h * h)
        dkept = [torch.zeros_like(h)]
        return dsum, dsum, dkept

    return [h], backward


def relu_step(x, r, state):
    """Elman's unit with a relu: h' = max(0, x + r)."""
    h = (x + r).clamp(min=0)

    def backward(dstate):
        dsum = torch.where(h > 0, dstate[0], 0)
        dkept = [torch.zeros_like(h)]
        return dsum, dsum, dkept

    return [h], backward


def gru_step(x, r, state):
    """The gated recurrent unit (Cho et al., 2014, arXiv:1406.1078).

    With gates ρ = σ(x₁ + r₁) and z = σ(x₂ + r₂) and the candidate n = tanh(x₃ + ρ·r₃), the
    state becomes h' = n + z·(h − n).
    """
    h = state[0]
    x_reset, x_update, x_new = x.chunk(3, -1)
    r_reset, r_update, r_new = r.chunk(3, -1)
    reset = torch.sigmoid(x_reset + r_reset)
    update = torch.sigmoid(x_update + r_update)
    candidate = (x_new + reset * r_new).tanh()
    new_h = candidate + update * (h - candidate)

    def backward(dstate):
        dh = dstate[0]
        dupdate = dh * (h - candidate) * update * (1 - update)
        dcandidate = dh * (1 - update) * (1 - candidate * candidate)
        dreset = dcandidate * r_new * reset * (1 - reset)
        dx = torch.cat([dreset, dupdate, dcandidate], -1)
        dr = torch.cat([dreset, dupdate, dcandidate * reset], -1)
        dkept = [dh * update]
        return dx, dr, dkept

    return [new_h], backward


def lstm_step(x, r, state):
    """The long short-term memory (Hochreiter and Schmidhuber, 1997).

    The memory c' = f·c + i·g forgets and takes in; the state h' = o·tanh(c') shows some of it.
    """
    c = state[1]
    gates = x + r
    i, f, g, o = gates.chunk(4, -1)
    i = torch.sigmoid(i)
    f = torch.sigmoid(f)
    g = g.tanh()
    o = torch.sigmoid(o)
    new_c = f * c + i * g
    shown = new_c.tanh()
    h = o * shown

    def backward(dstate):
        dh, dc = dstate
        do = dh * shown * o * (1 - o)
        dc = dc + dh * o * (1 - shown * shown)
        di = dc * g * i * (1 - i)
        df = dc * c * f * (1 - f)
        dg = dc * i * (1 - g * g)
        dgates = torch.cat([di, df, dg, do], -1)
        dkept = [torch.zeros_like(dh), dc * f]
        return dgates, dgates, dkept

    return [h, new_c], backward


def projections(input, h, w_ih, w_hh, b_ih, b_hh):
    """What the input and the state contribute before the step."""
    x = input @ w_ih.t() if b_ih is None else input @ w_ih.t() + b_ih
    r = h @ w_hh.t() if b_hh is None else h @ w_hh.t() + b_hh
    return x, r


def rows(tensor):
    """A batch of vectors as a matrix; one vector alone is one row."""
    return tensor.reshape(-1, tensor.shape[-1])


def rnn_tanh_cell_samples(make):
    yield sample(make(2, 3), make(2, 4), make(4, 3), make(4, 4), make(4), make(4))
    yield sample(make(2, 3), make(2, 4), make(4, 3), make(4, 4))


@rule(torch.rnn_tanh_cell, samples=rnn_tanh_cell_samples)
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a recurrent layer with tanh."""
    x, r = projections(input, hx, w_ih, w_hh, b_ih, b_hh)
    state, step_backward = tanh_step(x, r, [hx])
    h = state[0]

    def backward(dh):
        dx, dr, dkept = step_backward([dh])
        dinput = dx @ w_ih
        dhx = dkept[0] + dr @ w_hh
        dw_ih = rows(dx).t() @ rows(input)
        dw_hh = rows(dr).t() @ rows(hx)
        db_ih = None if b_ih is None else rows(dx).sum(0)
        db_hh = None if b_hh is None else rows(dr).sum(0)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


def rnn_relu_cell_samples(make):
    yield sample(make(2, 3), make(2, 4), make(4, 3), make(4, 4), make(4), make(4))
    yield sample(make(2, 3), make(2, 4), make(4, 3), make(4, 4))


@rule(torch.rnn_relu_cell, samples=rnn_relu_cell_samples)
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a recurrent layer with relu."""
    x, r = projections(input, hx, w_ih, w_hh, b_ih, b_hh)
    state, step_backward = relu_step(x, r, [hx])
    h = state[0]

    def backward(dh):
        dx, dr, dkept = step_backward([dh])
        dinput = dx @ w_ih
        dhx = dkept[0] + dr @ w_hh
        dw_ih = rows(dx).t() @ rows(input)
        dw_hh = rows(dr).t() @ rows(hx)
        db_ih = None if b_ih is None else rows(dx).sum(0)
        db_hh = None if b_hh is None else rows(dr).sum(0)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


def gru_cell_samples(make):
    yield sample(make(2, 3), make(2, 4), make(12, 3), make(12, 4), make(12), make(12))
    yield sample(make(2, 3), make(2, 4), make(12, 3), make(12, 4))


@rule(torch.gru_cell, samples=gru_cell_samples)
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a GRU."""
    x, r = projections(input, hx, w_ih, w_hh, b_ih, b_hh)
    state, step_backward = gru_step(x, r, [hx])
    h = state[0]

    def backward(dh):
        dx, dr, dkept = step_backward([dh])
        dinput = dx @ w_ih
        dhx = dkept[0] + dr @ w_hh
        dw_ih = rows(dx).t() @ rows(input)
        dw_hh = rows(dr).t() @ rows(hx)
        db_ih = None if b_ih is None else rows(dx).sum(0)
        db_hh = None if b_hh is None else rows(dr).sum(0)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


def lstm_cell_samples(make):
    state = [make(2, 4), make(2, 4)]
    yield sample(make(2, 3), state, make(16, 3), make(16, 4), make(16), make(16))
    yield sample(make(2, 3), state, make(16, 3), make(16, 4))


@rule(torch.lstm_cell, samples=lstm_cell_samples)
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an LSTM; hx is the pair of state and memory."""
    x, r = projections(input, hx[0], w_ih, w_hh, b_ih, b_hh)
    state, step_backward = lstm_step(x, r, hx)
    h, c = state

    def backward(dh, dc):
        dx, dr, dhx = step_backward([dh, dc])
        dinput = dx @ w_ih
        dhx[0] = dhx[0] + dr @ w_hh
        dw_ih = rows(dx).t() @ rows(input)
        dw_hh = rows(dr).t() @ rows(hx[0])
        db_ih = None if b_ih is None else rows(dx).sum(0)
        db_hh = None if b_hh is None else rows(dr).sum(0)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return (h, c), backward
