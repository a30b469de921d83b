"""What an optimizer does to one parameter, by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

UPDATES: dict[type, Callable[..., Tensor]] = {}


def update(*optimizers: type) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Declare the decorated function as the update rule of these optimizer classes.

    It takes the parameter, its gradient, the optimizer's state for it before the step
    (nothing at the first) and the hyperparameters of its group, all under torch's own
    names, and returns the parameter after the step.
    """

    def declare(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        for optimizer in optimizers:
            UPDATES[optimizer] = function
        return function

    return declare


@update(torch.optim.SGD)
def sgd(
    param: Tensor,
    grad: Tensor,
    *,
    lr: float,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
    momentum_buffer: Tensor | None = None,
    **_: Any,
) -> Tensor:
    """Stochastic gradient descent: param ← param − lr · grad.

    With momentum μ the step is v ← μ·v + (1 − dampening)·grad, and Nesterov's looks ahead
    by grad + μ·v (Sutskever et al. 2013, in the form of torch.optim.SGD's documentation).
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if momentum and momentum_buffer is None:
        momentum_buffer = grad
    elif momentum_buffer is not None:
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * grad
    if nesterov and momentum_buffer is not None:
        grad = grad + momentum * momentum_buffer
    elif momentum_buffer is not None:
        grad = momentum_buffer
    param = param - lr * grad
    return param


@update(torch.optim.Adam, torch.optim.AdamW)
def adam(
    param: Tensor,
    grad: Tensor,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
    step: Tensor | int = 0,
    exp_avg: Tensor | None = None,
    exp_avg_sq: Tensor | None = None,
    max_exp_avg_sq: Tensor | None = None,
    **_: Any,
) -> Tensor:
    """Adam (Kingma & Ba 2015): param ← param − lr · m̂ / (√v̂ + ε).

    m and v are running means of the gradient and its square; m̂ and v̂ undo that they
    started from 0. AdamW shrinks the parameter itself by lr · weight_decay (Loshchilov &
    Hutter 2019), where Adam adds weight_decay · param to the gradient.
    """
    beta1, beta2 = betas
    count = int(step) + 1
    if maximize:
        grad = -grad
    if weight_decay and decoupled_weight_decay:
        param = param * (1 - lr * weight_decay)
    elif weight_decay:
        grad = grad + weight_decay * param
    if exp_avg is None or exp_avg_sq is None:
        exp_avg = torch.zeros_like(param)
        exp_avg_sq = torch.zeros_like(param)
    exp_avg = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    largest = exp_avg_sq
    if amsgrad and max_exp_avg_sq is not None:
        largest = torch.maximum(max_exp_avg_sq, exp_avg_sq)
    mean = exp_avg / (1 - beta1**count)
    deviation = largest.sqrt() / (1 - beta2**count) ** 0.5
    param = param - lr * mean / (deviation + eps)
    return param


@update(torch.optim.RMSprop)
def rmsprop(
    param: Tensor,
    grad: Tensor,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
    maximize: bool = False,
    square_avg: Tensor | None = None,
    grad_avg: Tensor | None = None,
    momentum_buffer: Tensor | None = None,
    **_: Any,
) -> Tensor:
    """RMSprop (Hinton, lecture 6e): param ← param − lr · grad / (√v + ε).

    v is a running mean of the squared gradient; centered, less the square of its mean
    (Graves 2013).
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if square_avg is None:
        square_avg = torch.zeros_like(param)
    square_avg = alpha * square_avg + (1 - alpha) * grad * grad
    variance = square_avg
    if centered:
        if grad_avg is None:
            grad_avg = torch.zeros_like(param)
        grad_avg = alpha * grad_avg + (1 - alpha) * grad
        variance = square_avg - grad_avg * grad_avg
    velocity = grad / (variance.sqrt() + eps)
    if momentum and momentum_buffer is not None:
        velocity = momentum * momentum_buffer + velocity
    param = param - lr * velocity
    return param


def total_norm(grads: Sequence[Tensor], order: float = 2.0) -> Tensor:
    """‖g‖ of all gradients as one vector; of order ∞ it is the largest |g|."""
    norms = torch.stack([vector_norm(each, order) for each in grads])
    norm: Tensor = vector_norm(norms, order)
    return norm


def coefficient(norm: Tensor, max_norm: float) -> Tensor:
    """What clipping by the norm scales with: c / ‖g‖ where ‖g‖ is above c, else 1.

    Pascanu et al. 2013; torch adds 1e-6 to ‖g‖.
    """
    ratio = max_norm / (norm + 1e-6)
    scale = torch.where(ratio > 1, 1.0, ratio)
    return scale


def scaled(grad: Tensor, scale: Tensor) -> Tensor:
    """One gradient, clipped by the norm of all."""
    clipped = scale * grad
    return clipped


def clamped(grad: Tensor, limit: float) -> Tensor:
    """One gradient, clipped by value: each of its numbers lies within ±limit."""
    clipped = grad.clamp(-limit, limit)
    return clipped
