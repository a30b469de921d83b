"""Recurrent cells: one step in time of an RNN, a GRU and an LSTM.

Each adds up what the input and the state say, a = x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh, and
bends it. So every backward ends alike: from da come ∂L/∂x = da·W_ih, ∂L/∂W_ih = daᵀ·x and
∂L/∂b_ih, the sum of the rows of da; and the same for h. `unrolled` runs the cells in time.
"""

import torch

from .broadcast import unbroadcast
from .registry import rule, sample


def affine(input, weight, bias):
    """The linear map x·Wᵀ + b, where there is a b."""
    y = input @ weight.t()
    return y if bias is None else y + bias


def affine_weights(dy, input, bias):
    """The cotangents of an affine map's weight and bias."""
    dweight = dy.t() @ input
    dbias = unbroadcast(dy, bias)
    return dweight, dbias


def cell_samples(gates):
    """Samples of a cell with so many gates: with biases and without."""

    def samples(make):
        n = 4 * gates
        yield sample(make(2, 3), make(2, 4), make(n, 3), make(n, 4), make(n), make(n))
        yield sample(make(2, 3), make(2, 4), make(n, 3), make(n, 4))

    return samples


@rule(torch.rnn_tanh_cell, samples=cell_samples(1))
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """Elman's unit (1990): h' = tanh(x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh)."""
    x = affine(input, w_ih, b_ih)
    r = affine(hx, w_hh, b_hh)
    h = torch.tanh(x + r)

    def backward(dh):
        da = dh * (1 - h * h)
        dinput = da @ w_ih
        dhx = da @ w_hh
        dw_ih, db_ih = affine_weights(da, input, b_ih)
        dw_hh, db_hh = affine_weights(da, hx, b_hh)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


@rule(torch.rnn_relu_cell, samples=cell_samples(1))
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """Elman's unit with a relu: h' = max(0, x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh)."""
    x = affine(input, w_ih, b_ih)
    r = affine(hx, w_hh, b_hh)
    h = (x + r).clamp(min=0)

    def backward(dh):
        da = torch.where(h > 0, dh, 0)
        dinput = da @ w_ih
        dhx = da @ w_hh
        dw_ih, db_ih = affine_weights(da, input, b_ih)
        dw_hh, db_hh = affine_weights(da, hx, b_hh)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


@rule(torch.gru_cell, samples=cell_samples(3))
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """The gated recurrent unit (Cho et al., 2014, arXiv:1406.1078).

    With gates ρ = σ(x₁ + r₁) and z = σ(x₂ + r₂) and the candidate n = tanh(x₃ + ρ·r₃), the
    state becomes h' = n + z·(h − n).
    """
    x = affine(input, w_ih, b_ih)
    r = affine(hx, w_hh, b_hh)
    x_reset, x_update, x_new = x.chunk(3, -1)
    r_reset, r_update, r_new = r.chunk(3, -1)
    reset = torch.sigmoid(x_reset + r_reset)
    update = torch.sigmoid(x_update + r_update)
    candidate = torch.tanh(x_new + reset * r_new)
    h = candidate + update * (hx - candidate)

    def backward(dh):
        dupdate = dh * (hx - candidate) * update * (1 - update)
        dcandidate = dh * (1 - update) * (1 - candidate * candidate)
        dreset = dcandidate * r_new * reset * (1 - reset)
        dx = torch.cat([dreset, dupdate, dcandidate], -1)
        dr = torch.cat([dreset, dupdate, dcandidate * reset], -1)
        dinput = dx @ w_ih
        dhx = dh * update + dr @ w_hh
        dw_ih, db_ih = affine_weights(dx, input, b_ih)
        dw_hh, db_hh = affine_weights(dr, hx, b_hh)
        return dinput, dhx, dw_ih, dw_hh, db_ih, db_hh

    return h, backward


def lstm_cell_samples(make):
    for input, h, *weights in (each.args for each in cell_samples(4)(make)):
        yield sample(input, [h, make(*h.shape)], *weights)


@rule(torch.lstm_cell, samples=lstm_cell_samples)
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """The long short-term memory; hx is the pair (h, c), each batch×hidden.

    The gates i, f and o are sigmoids, g is a tanh. The memory c' = f·c + i·g forgets and
    takes in; the state h' = o·tanh(c') shows some of it. (Hochreiter and Schmidhuber, 1997,
    doi:10.1162/neco.1997.9.8.1735; the forget gate f is of Gers et al., 2000.)
    """
    h, c = hx
    x = affine(input, w_ih, b_ih)
    r = affine(h, w_hh, b_hh)
    a_i, a_f, a_g, a_o = (x + r).chunk(4, -1)
    i = torch.sigmoid(a_i)
    f = torch.sigmoid(a_f)
    g = torch.tanh(a_g)
    o = torch.sigmoid(a_o)
    new_c = f * c + i * g
    shown = torch.tanh(new_c)
    new_h = o * shown

    def backward(dh, dc):
        do = dh * shown * o * (1 - o)
        dc = dc + dh * o * (1 - shown * shown)
        di = dc * g * i * (1 - i)
        df = dc * c * f * (1 - f)
        dg = dc * i * (1 - g * g)
        da = torch.cat([di, df, dg, do], -1)
        dinput = da @ w_ih
        dh_before = da @ w_hh
        dc_before = dc * f
        dw_ih, db_ih = affine_weights(da, input, b_ih)
        dw_hh, db_hh = affine_weights(da, h, b_hh)
        return dinput, [dh_before, dc_before], dw_ih, dw_hh, db_ih, db_hh

    return (new_h, new_c), backward
