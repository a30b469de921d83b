"""What a training loop does besides calling ops, which no torch function mode reports."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from .patches import Patch, clipping
from .private import unseen
from .taping import Taping


class TrainingEvents:
    """Tells a tape of optimizers that are made and step, and of gradients zeroed and clipped.

    Attributes:
        _taping: writes the tape; whoever records may take another one at any time.
    """

    _taping: Taping

    def _training_patches(self) -> Iterable[Patch]:
        """Where what no hook tells is observed."""
        return (
            (torch.optim.Optimizer, "zero_grad", self._zero_grad),
            (nn.Module, "zero_grad", self._zero_grad),
            (torch.optim.Optimizer, "__init__", self._made),
            (nn.Module, "eval", self._eval),
            (torch.amp.GradScaler, "unscale_", self._unscale),
            *clipping(self._clip, self._clamp),
        )

    def _watches(self) -> bool:
        """Whether what happens is recorded."""
        return True

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        """``optimizer.step(…)``; a closure makes the gradients, so the step begins after it."""
        given = signature(type(optimizer).step).bind(*args, **kwargs)
        closure = given.arguments.get("closure")
        if closure is None:
            self._keep(optimizer)
            return None

        @functools.wraps(closure)
        def evaluated() -> Any:
            self._taping.after_step()  # what followed an earlier call of it, as in LBFGS
            loss = closure()
            if self._watches():
                self._keep(optimizer)
            return loss

        given.arguments["closure"] = evaluated
        return given.args, given.kwargs

    def _keep(self, optimizer: torch.optim.Optimizer) -> None:
        with unseen():
            self._taping.before_step(optimizer)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._taping.after_step()

    def _zero_grad(self, call: Callable[..., Any], owner: Any, *args: Any, **kwargs: Any) -> Any:
        """``owner.zero_grad(…)`` of an optimizer or a module."""
        if self._watches():
            self._note("zero_grad", owner)
        return call(owner, *args, **kwargs)

    def _made(self, call: Callable[..., Any], optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """``Optimizer(…)``."""
        call(optimizer, *args, **kwargs)
        if self._watches():
            self._note("optimizer", optimizer)

    def _eval(self, call: Callable[..., Any], module: nn.Module) -> Any:
        """``module.eval()``."""
        if self._watches():
            with unseen():
                self._taping.event("eval", ())
        return call(module)

    def _unscale(self, call: Callable[..., Any], scaler: Any, optimizer: Any) -> None:
        """``scaler.unscale_(optimizer)``, by the program or by the scaler's own step."""
        if self._watches():
            self._note("unscale", optimizer)
        call(scaler, optimizer)

    def _clip(
        self, parameters: Sequence[Tensor], norm: Tensor, max_norm: float, order: float
    ) -> None:
        if self._watches():
            with unseen():
                self._taping.event("clip", parameters, norm, max_norm, order)

    def _clamp(self, parameters: Sequence[Tensor], clip_value: float) -> None:
        if self._watches():
            with unseen():
                self._taping.event("clip_value", parameters, None, clip_value)

    def _note(self, kind: str, owner: nn.Module | torch.optim.Optimizer) -> None:
        with unseen():
            if isinstance(owner, nn.Module):
                held = list(owner.parameters())
            else:
                held = [p for group in owner.param_groups for p in group["params"]]
            self._taping.event(kind, held)
