"""What the inspector looks at, and what can be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..expand import Expander
    from ..steps import Step


@dataclass(frozen=True)
class Subject:
    """What is inspected."""

    name: str
    value: Tensor
    twin_label: str
    twin: Tensor | None

    @property
    def comparable(self) -> bool:
        """Whether the twin's elements stand for the same things."""
        return self.twin is not None and self.twin.shape == self.value.shape

    def difference(self) -> Tensor:
        """The value minus its twin; of truth values too."""
        import torch

        assert self.twin is not None
        one, other = self.value, self.twin.detach()
        if one.dtype == torch.bool:
            one = one.int()
        return one - (other.int() if other.dtype == torch.bool else other)


def dense(value: Tensor) -> Tensor:
    """The value as a grid can read it."""
    import torch

    value = value.detach()
    return value if value.layout == torch.strided else value.to_dense()


def expander_of(step: Step | None, value: Tensor) -> Expander | None:
    """What writes out the elements of a step's value, if a rule's line computed it."""
    if step is None or step.line is None or step.line.value.shape != value.shape:
        return None
    from ..expand import Expander

    return Expander(step.line, step.names)
