"""What an optimizer does to one parameter, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

UPDATES: dict[type, Callable[..., Tensor]] = {}


def update(*optimizers: type) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Declare the decorated function as the update rule of these optimizer classes.

    It takes the parameter, its gradient, the optimizer's state for it before the step
    (None at the first) and the hyperparameters of its group under torch's own names, and
    returns the parameter after the step.
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
    momentum_buffer: Tensor | None = None,
    *,
    lr: float,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
    **_: Any,
) -> Tensor:
    """Stochastic gradient descent: param ← param − lr · grad.

    With momentum μ the step is v ← μ·v + (1 − dampening)·grad (Sutskever et al. 2013, as
    written in torch.optim.SGD's documentation).
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if momentum and momentum_buffer is not None:
        momentum_buffer = momentum * momentum_buffer + (1 - dampening) * grad
    elif momentum:
        momentum_buffer = grad
    if nesterov:
        grad = grad + momentum * momentum_buffer
    elif momentum_buffer is not None:
        grad = momentum_buffer
    param = param - lr * grad
    return param
