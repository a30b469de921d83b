"""The first lesson: a ReLU net with squared error, its gradients written out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..compare import Verdict
from ..naming import Naming
from ..private import snapshot
from ..recorder import record
from ..rules.optimizer import sgd, update
from ..session import Training
from ..steps import Step, Trace
from ..tape import Backward, Op, Tape, Update, Value
from ..walk import walk
from . import title
from .dimensions import dimensions


@dataclass(frozen=True)
class Options:
    """The lesson's sizes and settings; `depth` is the number of hidden layers.

    `x` of shape (n, d_in) and `y` of shape (n, d_out) stand in for the random batch.
    """

    n: int = 2
    d_in: int = 3
    hidden: int = 4
    d_out: int = 5
    depth: int = 1
    lr: float = 1e-4
    iterations: int = 500
    seed: int = 0
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    update_first: bool = False
    x: Tensor | None = None
    y: Tensor | None = None


class SGD:
    """The article's update and no more: each parameter −= lr · its gradient.

    torch.optim's does the same; but making one imports torch's compiler, which takes longer
    than everything else that the lesson does.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        self.parameters, self.lr = list(parameters), lr

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.parameters:
            assert parameter.grad is not None
            parameter.sub_(self.lr * parameter.grad)

    def state_dict(self) -> dict[str, Any]:
        """There is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is no state."""


update(SGD)(sgd)


class TwoLayer(Training):
    """Linear, ReLU, …, Linear under MSELoss(reduction="sum"), trained by plain SGD."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options = options or Options()
        self.title = title(options.depth)
        self.iterations = options.iterations
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            model = network(options)
            x = torch.randn(options.n, options.d_in)
            y = torch.randn(options.n, options.d_out)
        self.x = (x if options.x is None else options.x).to(options.device, options.dtype)
        self.y = (y if options.y is None else options.y).to(options.device, options.dtype)
        self.loss_fn = nn.MSELoss(reduction="sum")
        self.sgd = SGD(model.parameters(), options.lr)
        super().__init__(model, self.sgd)

    def train(self, iteration: int) -> float:
        y_pred = self.model(self.x)
        loss: Tensor = self.loss_fn(y_pred, self.y)
        self.sgd.zero_grad()
        loss.backward()
        self.sgd.step()
        return loss.item()

    def tape(self, iteration: int) -> Tape:
        """One training step, recorded."""
        self.run_to(iteration)
        before = {name: snapshot(p) for name, p in self.model.named_parameters()}
        with record(self.model) as tape:
            loss = self.train(iteration)
        tape.updates = [self._update(value, before[value.name]) for value in _parameters(tape)]
        self.arrive(iteration + 1, loss)
        return tape

    def called(self, iteration: int, call: int) -> tuple[Backward, Op] | None:
        tape = self.tape(iteration)
        return tape.backwards[0], tape.ops[call]

    def _update(self, value: Value, before: Tensor) -> Update:
        """What the step did to one parameter."""
        parameter = self.model.get_parameter(value.name)
        assert parameter.grad is not None
        return Update(
            optimizer=SGD,
            value=value.index,
            name=value.name,
            before=before,
            grad=snapshot(parameter.grad),
            after=snapshot(parameter),
            options={"lr": self.options.lr},
            state={},
            backwards=1,
        )

    def given(self, tape: Tape) -> dict[int, Tensor]:
        """What the hand computation starts from in place of the recorded leaves."""
        if not self.options.update_first:
            return {}
        return {update.value: update.after for update in tape.updates}

    @property
    def warning(self) -> str:
        """Why manual and autograd are to differ, if they are."""
        return _DRIFT if self.options.update_first else ""

    def record(self, iteration: int) -> Trace:
        tape = self.tape(iteration)
        trace = walk(
            tape,
            title=self.title,
            iteration=iteration,
            naming=naming(self.options.depth),
            given=self.given(tape),
            updates_first=self.options.update_first,
            constants={"lr": self.options.lr},
            warning=self.warning,
        )
        steps = tuple(_explained(step) for step in trace.steps) if self.warning else trace.steps
        return replace(trace, steps=steps, dimensions=dimensions(trace, self.options.depth))


_DRIFT = (
    "--weights update-first: the parameters were updated in place before the hand computation, "
    "so x1…, re and every gradient come from the new weights, while autograd's come from the "
    "old ones. They drift apart in the third or fourth digit. With --weights forward "
    "(the default) both use the weights of the forward pass, and agree."
)


def _explained(step: Step) -> Step:
    """Where a step drifts from its twin because of the updated weights, a note saying so."""
    if step.twin is None or step.twin.comparison.verdict is not Verdict.DIFFERENT:
        return step
    drift = step.twin.comparison.max_abs
    note = (
        f"By hand from the weights after the update, {step.twin.label} from those before it: "
        f"they drift apart by up to {drift:.2g}. From the same weights both agree."
    )
    return replace(step, note=note)


def _parameters(tape: Tape) -> list[Value]:
    return [value for value in tape.values if value.leaf and value.requires_grad]


def network(options: Options) -> nn.Sequential:
    """`depth` times Linear and ReLU, then a last Linear."""
    layers: list[nn.Module] = []
    width = options.d_in
    for _ in range(options.depth):
        layers += [nn.Linear(width, options.hidden), nn.ReLU()]
        width = options.hidden
    net = nn.Sequential(*layers, nn.Linear(width, options.d_out))
    return net.to(options.device, options.dtype)


def naming(depth: int) -> Naming:
    """The article's names, continued the same way for more hidden layers.

    Layer k of the net computes x{4k+1} = input · weightᵀ and x{4k+2} = … + bias, its ReLU
    the mask x{4k+3} and x{4k+4}. The cotangent of x{i} is rex{i}; a weight's gradient is
    regx{i}, a bias's sum(rex{i}); only the last layer's are called rex{input} and res.
    """
    last = 4 * depth + 2
    weights = {f"{2 * k}.weight": f"P{2 * k}" for k in range(depth + 1)}
    biases = {f"{2 * k}.bias": f"P{2 * k + 1}" for k in range(depth + 1)}
    steps = {
        f"x{last + 1}": ("re", "re"),
        f"x{last + 2}": ("loss", "loss"),
        f"dx{last}": ("re", "re"),
        f"dP{2 * depth}": (f"rex{last - 2}", f"rex{last - 2}"),
        f"dP{2 * depth + 1}": ("res", "res"),
    }
    for k in range(depth):
        above = "re" if k == depth - 1 else f"rex{4 * k + 6}"
        through = f"{above}P{2 * k + 2}"
        steps[f"dx{4 * k + 4}"] = (through, through)
        steps[f"dx{4 * k + 2}"] = (f"rex{4 * k + 2}", f"rex{4 * k + 2}")
        steps[f"dP{2 * k}"] = (f"regx{4 * k + 2}", f"regx{4 * k + 2}")
        steps[f"dP{2 * k + 1}"] = (f"sum_rex{4 * k + 2}", f"sum(rex{4 * k + 2})")
    return Naming(
        leaves={"input 0": "x", "input 1": "y", **weights, **biases},
        steps=steps,
        twins={f"x{last}": "y_pred", "loss": "loss_fn"},
        notes=_notes(depth),
        numbered_gradients=True,
    )


def _notes(depth: int) -> dict[str, str]:
    last = 4 * depth + 2
    return {
        "forward x1": "Every row of x meets every row of P0: one dot product per hidden unit.",
        "forward x2": "The bias P1 is added to each row of the batch.",
        "forward x3": "The mask: 1 where the unit is on. It is kept for the way back.",
        "forward x4": "ReLU is the elementwise product with that mask, not a matrix product.",
        f"forward x{last}": "The prediction: what torch calls y_pred.",
        "loss re": "The error. The backward pass will bind re again, to twice this.",
        "loss loss": "Squared error, summed: MSELoss(reduction='sum') has no factor 1/2.",
        "backward dloss": "dL/dL = 1: the first gradient is where every other one comes from.",
        "backward re": f"dL/dx{last} = 2 (x{last} − y): the loss has no 1/2, so the 2 stays.",
        "backward res": "A bias is added to every row, so its gradient sums over the rows.",
        f"backward rex{last - 2}": (
            "A weight's gradient: what came in from above, with what went in below."
        ),
        "backward reP2": "Back through the layer: each unit is blamed by what its weights carried.",
        "backward rex2": "The mask again: what was off in the forward pass passes nothing back.",
        "backward sum_rex2": "The same sum over the rows, one layer down.",
        "backward regx2": "The same product, one layer down: rex2 stands where re stood.",
    }
