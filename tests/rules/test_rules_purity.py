"""The rules stand on their own: no autograd, no torch.func, no *_backward kernel."""

import pytest
import torch
import torch._dynamo  # else it loads in the midst of a test, and stumbles over what that patched
from torch.utils._python_dispatch import TorchDispatchMode

from backprop_tui.rules.registry import Make
from tests.rules.test_rules_samples import ALL

BORROWED = [
    *((torch.autograd, name) for name in ("grad", "backward")),
    *((torch.Tensor, name) for name in ("backward", "register_hook")),
    *(
        (torch.func, name)
        for name in ("grad", "vjp", "jvp", "vmap", "jacrev", "jacfwd", "linearize")
    ),
    *((torch.autograd.functional, name) for name in ("vjp", "jvp", "jacobian", "hessian")),
]


class NoBackwardKernels(TorchDispatchMode):
    """Raises on any kernel that torch made to differentiate another one."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "backward" in func.__name__:
            raise AssertionError(f"the rule called {func}")
        return func(*args, **(kwargs or {}))


def refuse(*args, **kwargs):
    raise AssertionError("the rule asked autograd")


@pytest.mark.parametrize("rule", [rule for _, rule in ALL], ids=[name for name, _ in ALL])
def test_a_rule_differentiates_by_itself(rule, monkeypatch):
    samples = list(rule.samples(Make()))
    for place, name in BORROWED:
        monkeypatch.setattr(place, name, refuse)
    for sample in samples:
        with torch.no_grad(), NoBackwardKernels():
            output, backward = rule.function(*sample.args, **sample.kwargs)
            outputs = output if isinstance(output, list | tuple) else (output,)
            backward(*(torch.ones_like(y) for y in outputs))


def test_the_guard_sees_a_backward_kernel():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(AssertionError, match="backward"), NoBackwardKernels():
        torch.nn.functional.gelu(x).sum().backward()
