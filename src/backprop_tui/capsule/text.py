"""The parts of a capsule that are not the op's own: its heading, its data, its tests."""

from __future__ import annotations

import linecache
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

import torch
from torch import Tensor

from ..compare import DIFFERENT, FORMULA, ROUNDING, Verdict
from ..numeric import check_function
from ..rules import registry
from ..tape import Backward, Op
from ..witness import Alone
from .sources import Sources

NAMES = (
    *("INPUTS", "COTANGENTS", "RECORDED", "LARGE", "RNG", "CUDA_RNG"),
    *("op", "by_hand", "x", "cotangents", "target", "backward", "pytest"),
)
"""What the parts of a capsule call things, and nothing that is copied into it may be called."""

BY_AUTOGRAD = '''\
def by_hand(x, cotangents):
    """There is no rule: autograd's own gradients, from a call of the op by itself."""
    return autograd(op, x, cotangents, list(RECORDED))'''

_GRADIENT = f'''\
@pytest.mark.parametrize("name", RECORDED)
def test_the_gradient(name):
    """What autograd gave is as near to the truth as rounding allows."""
    answer = RECORDED[name]
    error, rounding = errors(answer, name, by_hand, INPUTS, COTANGENTS)
    said = widest(name, answer, by_hand(INPUTS, COTANGENTS)[name])
    assert error <= {DIFFERENT:.0f} * rounding, f"{{said}}; rounding explains {{rounding:.2g}}"'''

_SETTLED = f"""
    if error > {ROUNDING:.0f} * rounding:
        # In float64 rounding is gone, and a wrong formula is as wrong as before.
        wide = autograd(op, *widened(INPUTS, COTANGENTS), [name])[name]
        error, _ = errors(wide, name, by_hand, INPUTS, COTANGENTS)
        assert error <= {FORMULA} * rounding / (torch.finfo(answer.dtype).eps / 2), said"""

_SLOPE = '''\
@pytest.mark.parametrize("name", RECORDED)
def test_the_slope(name):
    """Autograd's gradient is the slope of the loss, by central differences in float64."""
    found = disagreement(op, INPUTS, COTANGENTS, name)
    if found is None:
        pytest.skip("the op's own noise hides the answer")
    assert not found, found'''


def tests(wide: bool, sloped: bool) -> str:
    """The tests: what runs in float64 if the op does, and differences where they mean anything."""
    gradient = _GRADIENT + _SETTLED if wide else _GRADIENT
    return f"{gradient}\n\n\n{_SLOPE}" if sloped else gradient


def data(
    op: Op,
    inputs: Mapping[str, Tensor],
    cotangents: Sequence[Tensor],
    recorded: Mapping[str, Tensor],
    sources: Sources,
) -> str:
    """The tensors. What is too large for them to stand here is in `sources.large` after."""
    rng = {"cpu": "RNG", "cuda": "CUDA_RNG"}
    lots = [
        f"{rng[device]} = {sources.expression(state, rng[device])}"
        for device, state in op.ambient.rng.items()
    ]
    read = _items("inputs", inputs, sources)
    arrived = [sources.expression(dy, f"cotangents.{i}") for i, dy in enumerate(cotangents)]
    gave = _items("recorded", recorded, sources)
    lines = [
        *lots,
        "# What the op read, by the names of its arguments.",
        *("INPUTS = {", *read, "}"),
        "# What autograd had for the gradient of each output.",
        *("COTANGENTS = [", *(f"    {_indented(text, 4)}," for text in arrived), "]"),
        "# What autograd gave for the gradient of each input.",
        *("RECORDED = {", *gave, "}"),
    ]
    if sources.large:
        side = 'LARGE = torch.load(Path(__file__).with_suffix(".pt"), weights_only=True)'
        lines.insert(0, side)
    return "\n".join(["# fmt: off", *lines, "# fmt: on"])


def _items(kind: str, named: Mapping[str, Tensor], sources: Sources) -> Iterator[str]:
    for name, tensor in named.items():
        key = f'    "{name}": '
        text = sources.expression(tensor, f"{kind}.{name}")
        yield f"{key}{_indented(text, len(key))},"


def _indented(text: str, columns: int) -> str:
    """Rows of numbers one below the other; packed text stays at the margin."""
    return text if '"""' in text else text.replace("\n", "\n" + " " * columns)


def head(op: Op, verdict: str, sources: Sources) -> str:
    """The docstring and the imports."""
    told = "\n".join(_told(op, verdict, sources.foreign))
    told = told.replace("\\", "\\\\").replace('"""', "'''")
    imports = {*sources.imports, "import pytest", "import torch"}
    if sources.large:
        imports.add("from pathlib import Path")
    listed = "\n\n".join(_grouped(imports))
    return f'"""{told}\n"""\n\nfrom __future__ import annotations\n\n{listed}'


def _told(op: Op, verdict: str, foreign: Iterable[str]) -> Iterator[str]:
    yield f"The gradient of {op.name} in a training step: a repro capsule of backprop-tui."
    yield ""
    yield f"verdict   {verdict}"
    yield f"module    {op.module} ({op.module_type})" if op.module else "module    none"
    if op.source is not None:
        file, line = op.source.file, op.source.line
        near = os.path.relpath(file)
        place = os.path.basename(file) if near.startswith(os.pardir) else near
        yield f"line      {place}:{line}, in {op.source.function}"
        yield f"          {linecache.getline(file, line).strip()}".rstrip()
    made = f"torch {torch.__version__}, Python {platform.python_version()}"
    yield f"made by   {made}, backprop-tui {version('backprop-tui')}"
    yield ""
    needs = ["torch", "pytest", *sorted(foreign)]
    yield f"It needs {', '.join(needs[:-1])} and {needs[-1]}, and is run by"
    yield ""
    yield "    python -m pytest THIS_FILE"


def verdict(backward: Backward, op: Op, alone: str) -> str:
    """The op judged by itself, and the witness that stands `alone`."""
    said = f"; {alone} stands alone" if alone else ""
    if registry.find(op.function) is None:
        return f"{check_function(backward, op)} by finite differences, for there is no rule{said}"
    found = Alone(backward, op).worst()
    assert found is not None
    if found.verdict is Verdict.EXACT:
        return f"{found.verdict}: autograd and the rule agree bit for bit"
    figures = f"ρ {found.rho:.3g}, max abs {found.max_abs:.3g}, max rel {found.max_rel:.3g}"
    return f"{found.verdict}, {figures}{said}"


def _grouped(imports: Iterable[str]) -> Iterator[str]:
    """As isort has them: Python's own first, what comes from one module in one line."""
    members: dict[str, list[str]] = defaultdict(list)
    lines: dict[str, str] = {}
    for line in sorted(imports):
        words = line.split(maxsplit=3)
        if words[0] == "from":
            members[words[1]].append(words[3])
        else:
            lines[line] = words[1]
    lines |= {f"from {home} import {', '.join(names)}": home for home, names in members.items()}
    for own in (True, False):
        group = [
            line
            for line, home in lines.items()
            if (home.partition(".")[0] in sys.stdlib_module_names) == own
        ]
        if group:
            yield "\n".join(group)
