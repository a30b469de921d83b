"""The lesson from the point of view of its dimensions: what is computed, in shapes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..steps import Trace


def dimensions(trace: Trace, depth: int) -> tuple[tuple[str, str], ...]:
    """Rows of (formula, shapes) for a net of `depth` hidden layers, from the live tensors."""
    values: dict[str, Tensor] = {item.name: item.value for item in trace.given}
    values.update((step.name, step.value) for step in trace.steps)
    return (*_forward(values, depth), *_backward(values, depth))


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _forward(values: dict[str, Tensor], depth: int) -> Iterator[tuple[str, str]]:
    source = "x"
    for k in range(depth + 1):
        weight, bias, out = f"P{2 * k}", f"P{2 * k + 1}", f"x{4 * k + 2}"
        terms = [_shape(values[name]) for name in (source, bias, out)]
        yield (
            f"{source}·{weight}ᵀ + {bias} = {out}",
            f"{terms[0]} · {_shape(values[weight].T)} + {terms[1]} = {terms[2]}",
        )
        if k < depth:
            source = f"x{4 * k + 4}"
            yield f"relu({out}) = {source}", f"{terms[2]} ⇒ {_shape(values[source])}"
    prediction, target, error = (_shape(values[name]) for name in (out, "y", "re"))
    yield f"re = {out} − y", f"{prediction} − {target} = {error}"


def _backward(values: dict[str, Tensor], depth: int) -> Iterator[tuple[str, str]]:
    above, blame, shapes = "re", "re", _shape(values["re"])
    for k in range(depth, -1, -1):
        source = values[f"x{4 * k}" if k else "x"]
        name = f"x{4 * k}" if k else "x"
        weight, bias = f"P{2 * k}", f"P{2 * k + 1}"
        yield f"grad({bias}) = Σrows {blame}", f"Σrows {shapes} = {_shape(values[bias])}"
        if blame == "re":
            transposed, turned = "reᵀ", _shape(values["re"].T)
        else:
            transposed, turned = f"({blame})ᵀ", f"({shapes})ᵀ"
        yield (
            f"grad({weight}) = {transposed}·{name}",
            f"{turned} · {_shape(source)} = {_shape(values[weight])}",
        )
        if k:
            mask = values[f"x{4 * k - 1}"]
            shapes = f"({_shape(values[above])} · {_shape(values[weight])}) ∘ {_shape(mask)}"
            blame = f"({above}·{weight})∘x{4 * k - 1}"
            above = f"rex{4 * k - 2}"
