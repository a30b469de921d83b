"""Expansions: the terms of an element add up to it, and read as a person would write them."""

import ast
import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from backprop_tui.expand import Expander, Expansion, expand
from backprop_tui.lines import Line


def line_of(text: str, file: str = "user.py", **reads: Any) -> Line:
    """Run one statement over `reads`, and record it as the tracer would."""
    statement = ast.parse(text).body[0]
    space: dict[str, Any] = {"torch": torch, "F": F, "unbroadcast": unbroadcast, **reads}
    exec(text, space)
    target = text.split("=")[0].split(":")[0].strip()
    used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    held = {name: value for name, value in reads.items() if name in used}
    return Line(
        "op.backward", file, 1, 1, text, target, statement, held, torch.as_tensor(space[target])
    )


def unbroadcast(cotangent, argument):
    return cotangent.sum_to_size(argument.shape)


def everything(generator_seed: int = 0) -> dict[str, Any]:
    g = torch.Generator().manual_seed(generator_seed)

    def make(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g)

    return {
        "a": make(2, 5), "b": make(2, 4), "w": make(5, 4), "bias": make(4), "v": make(4),
        "x": make(3, 2, 4), "z": make(3, 4, 6), "mask": make(2, 4) > 0, "dy": make(),
        "column": make(2, 1), "n": 3, "positive": make(2, 4).abs() + 0.5,
        "k": torch.arange(8).reshape(2, 4), "c": torch.complex(make(2, 3), make(2, 3)),
        "half": make(2, 4).half(), "cube": make(2, 3, 4),
    }  # fmt: skip


STATEMENTS = [
    "y = a.t() @ b", "y = a.T @ b", "y = a.mT @ b", "y = torch.matmul(a.transpose(0, 1), b)",
    "y = a @ w", "y = w @ b.t()", "y = w @ v", "y = v @ w.t()", "y = v @ v", "y = torch.mm(a, w)",
    "y = x @ z", "y = torch.bmm(x, z)", "y = x @ z[0]", "y = x.matmul(v)", "y = v @ z",
    "y = x[:, None] @ z", "y = x.permute(0, 2, 1) @ x", "y = (b * mask).t() @ b", "y = c @ c.t()",
    "y = b.sum(0)", "y = b.sum()", "y = torch.sum(b, 1)", "y = b.sum(dim=-1, keepdim=True)",
    "y = x.sum((0, 2))", "y = b.mean()", "y = x.mean((0, -1), keepdim=True)", "y = k.sum(1)",
    "y = (b * b).sum()", "y = (x * v).sum((0, 1))", "y = unbroadcast(x, bias)",
    "y = unbroadcast(x, column)", "y = b.sum_to_size(1, 4)", "y = mask.sum()",
    "y = b + bias", "y = 2 * b * dy", "y = b - column", "y = b / positive", "y = -b",
    "y = torch.where(mask, b, 0)", "y = (b > 0).to(b.dtype)", "y = b > 0", "y = mask * b",
    "y = torch.exp(b)", "y = b.tanh()", "y = b.clamp(min=0)", "y = b ** 2", "y = positive ** -0.5",
    "y = b.pow(3)", "y = 1 - b.sigmoid() ** 2", "y = (b - bias) * (1 + column)", "y = ~mask",
    "y = b - (column - bias)", "y = b / (column / bias)", "y = k + 1", "y = half * half",
    "y = (a @ w) * mask", "y = b / b.exp().sum(1, keepdim=True)", "y = b if n == 3 else bias",
    "y = x.reshape(6, 4)", "y = x.reshape(6, 4).t()", "y = x.flatten() * 2", "y = b.unsqueeze(1)",
    "y = b[:, 1:3] * 2", "y = x[1, ..., None]", "y = bias.expand(2, 4)", "y = b.contiguous() + 1",
    "y: object = b + 1", "y = cube.transpose(1, 2).reshape(8, 3) @ cube[0]",
    "y = b * (1 / b.shape[0])", "y = torch.addcmul(bias, b, column, value=-1)",
    "y = torch.log(positive) * float(n)", "y = cube.mean(2).t()",
]  # fmt: skip


@pytest.mark.parametrize("text", STATEMENTS)
def test_total_is_the_element(text):
    line = line_of(text, **everything())
    expander = Expander(line, {})
    for where in itertools.product(*(range(size) for size in line.value.shape)):
        found = expander.expand(where)
        assert found.total is not None, found.note
        got = torch.tensor(found.total, dtype=line.value.dtype)
        torch.testing.assert_close(got, line.value[where])
        assert "more than rounding" not in found.note
        assert "differ" not in found.note


SHOWN = [
    ("y = a.t() @ b", (1, 2), "Σₙ a[n,1]·b[n,2]"),
    ("y = x @ z", (2, 1, 5), "Σₙ x[2,1,n]·z[2,n,5]"),
    ("y = v @ w.t()", (3,), "Σₙ v[n]·w[3,n]"),
    ("y = (b * mask).t() @ b", (0, 3), "Σₙ b[n,0]·mask[n,0]·b[n,3]"),
    ("y = (b + bias).t() @ b", (0, 3), "Σₙ (b[n,0] + bias[0])·b[n,3]"),
    ("y = b.sum(0)", (3,), "Σₙ b[n,3]"),
    ("y = x.mean((0, 2))", (1,), "meanₙₘ x[n,1,m]"),
    ("y = unbroadcast(x, bias)", (2,), "Σₙₘ x[n,m,2]"),
    ("y = unbroadcast(b, column)", (1, 0), "Σₙ b[1,n]"),
    ("y = (b * b).sum()", (), "Σₙₘ b[n,m]·b[n,m]"),
    ("y = b - (column - bias)", (1, 3), "b[1,3] - (column[1,0] - bias[3])"),
    ("y = b - column - bias", (1, 3), "b[1,3] - column[1,0] - bias[3]"),
    ("y = 1 - b ** 2", (0, 1), "1 - b[0,1]²"),
    ("y = -(b + bias)", (0, 1), "-(b[0,1] + bias[1])"),
    ("y = torch.where(mask, b, 0)", (1, 1), "where(mask[1,1], b[1,1], 0)"),
    ("y = (a @ w) * mask", (1, 3), "(Σₙ a[1,n]·w[n,3])·mask[1,3]"),
    ("y = x.reshape(6, 4) * 2", (5, 1), "x[2,1,1]·2"),
    ("y = b[:, 1:3] * 2", (1, 1), "b[1,2]·2"),
    ("y = x.reshape(2, 12).t() @ a", (5, 0), "Σₙ x.reshape(2, 12)[n,5]·a[n,0]"),
]


@pytest.mark.parametrize(("text", "index", "heading"), SHOWN)
def test_heading(text, index, heading):
    assert expand(line_of(text, **everything()), {}, index).heading == heading


def seed_of_the_picture() -> tuple[Line, dict[str, str]]:
    dy = torch.tensor([[2.166, 1.6428], [0.233, 5.6600]])
    input = torch.tensor([[0.0, 0.0, -0.0], [0.998, 0.0, 0.6493]])
    line = line_of("dweight = dy.t() @ input", dy=dy, input=input)
    return line, {"dy": "re", "input": "x4"}


def test_product_as_text():
    line, names = seed_of_the_picture()
    assert expand(line, names, (1, 2)).lines() == [
        "Σₙ re[n,1]·x4[n,2]",
        "  n=0   1.6428 × -0.0000 = -0.0000",
        "  n=1   5.6600 ×  0.6493 =  3.6750",
        "  total 3.6750379, as recorded",
    ]


def test_columns_of_a_sum_align():
    x = torch.tensor([1.5, -20.25, 300.0])
    text = expand(line_of("y = (x * x).sum()", x=x), {}, ()).lines()
    assert text[1:4] == [
        "  n=0      1.5000 ×     1.5000 =     2.2500",
        "  n=1    -20.2500 ×   -20.2500 =   410.0625",
        "  n=2    300.0000 ×   300.0000 = 90000.0000",
    ]


def test_elementwise_line_shows_the_sum_inside():
    names = {"dy": "re", "weight": "P2", "mask": "x3"}
    dy, weight = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5], [0.25]])
    line = line_of("d = (dy @ weight) * mask", dy=dy, weight=weight, mask=torch.ones(1, 1))
    assert expand(line, names, (0, 0)).lines() == [
        "(Σₙ re[0,n]·P2[n,0])·x3[0,0]",
        "  1.0 × 1.0 = 1.0",
        "  where Σₙ re[0,n]·P2[n,0] = 1.0",
        "    n=0  1.0000 × 0.5000 = 0.5000",
        "    n=1  2.0000 × 0.2500 = 0.5000",
    ]


def test_a_minus_does_not_stand_beside_a_sign():
    line = line_of("y = a - b", a=torch.tensor([0.5, -0.5]), b=torch.tensor([-0.25, 0.25]))
    assert expand(line, {}, (0,)).lines() == ["a[0] - b[0]", "  0.5000 - (-0.2500) = 0.7500"]
    assert expand(line, {}, (1,)).lines() == ["a[1] - b[1]", "  -0.5000 - 0.2500 = -0.7500"]


def test_comparison_is_true_or_false():
    line = line_of("y = x > 0", x=torch.tensor([-0.25, 1.0]))
    assert "  -0.2500 > 0 is false" in expand(line, {}, (0,)).lines()
    assert "  1.0 > 0 is true" in expand(line, {}, (1,)).lines()


def test_long_sum_lists_the_largest_and_adds_up_the_others():
    x = torch.arange(1, 5001, dtype=torch.float64)
    found = expand(line_of("y = x.sum()", x=x), {}, (), limit=3)
    assert [term.label for term in found.terms] == ["n=4999", "n=4998", "n=4997"]
    assert found.rest == f"… 4,997 more sum to {x[:4997].sum().item():.6g}"
    assert found.total == x.sum().item()


def test_rounding_is_named():
    x = torch.rand(100_000, generator=torch.Generator().manual_seed(0)) + 1e3
    line = line_of("y = x.sum()", x=x)
    off = Line(**{**vars(line), "value": line.value + 0.5})
    assert "by rounding" in expand(off, {}, ()).note
    wrong = Line(**{**vars(line), "value": line.value * 3})
    assert "more than rounding" in expand(wrong, {}, ()).note


def test_nan_and_inf_are_written_and_agree():
    x = torch.tensor([[float("nan"), 1.0], [float("inf"), 2.0]])
    line = line_of("y = x @ x", x=x)
    found = expand(line, {}, (0, 0))
    assert "NaN" in found.terms[0].text
    assert found.note == "total NaN, as recorded"
    assert expand(line, {}, (1, 1)).note.startswith("total")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("y = x.clone().relu_()", "must not run again"),
        ("y = torch.rand_like(x) * x", "must not run again"),
        ("y = helper(x)", "helper"),
        ("y = torch.stack([x for _ in range(2)])[0]", "[x for _ in range(2)]"),
    ],
)
def test_what_cannot_be_taken_apart_says_so(text, reason):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    line = line_of(text, x=x, helper=lambda t: t * 2)
    before, state = x.clone(), torch.get_rng_state()
    found = expand(line, {"x": "x4"}, (1, 0))
    assert found.total is None
    assert found.recorded == line.value[1, 0].item()
    assert reason in found.note
    assert f"  x4[1,0] =  {x[1, 0].item()}" in found.lines()
    assert found.heading == f"computed whole by op.backward: {text}"
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_statements_that_are_no_single_assignment():
    line = line_of("y = x", x=torch.ones(2))
    for text in ("y, z = x, x", "del x", "y.z = x"):
        other = Line(**{**vars(line), "statement": ast.parse(text).body[0]})
        assert "not taken apart" in expand(other, {}, (0,)).note


def test_index_outside_is_no_exception():
    found = expand(line_of("y = x * 2", x=torch.ones(2)), {}, (7,))
    assert isinstance(found, Expansion)
    assert "outside" in found.note


def test_augmented_assignment_reads_the_old_value():
    x = torch.ones(2)
    statement = ast.parse("y += x").body[0]
    reads = {"y": torch.tensor([2.0, 3.0]), "x": x}
    line = Line("op", "user.py", 1, 1, "y += x", "y", statement, reads, torch.tensor([3.0, 4.0]))
    assert expand(line, {}, (1,)).heading == "y[1] + x[1]"
    assert expand(line, {}, (1,)).total == 4.0


def test_a_rules_own_helper_may_run_again():
    from backprop_tui.rules import softmax

    x = torch.tensor([[1.0, 3.0]])
    line = line_of(
        "shifted = input - largest(input, dim)",
        file=softmax.__file__,
        input=x,
        dim=1,
        largest=softmax.largest,
    )
    reads = {"input": x, "dim": 1}
    found = expand(Line(**{**vars(line), "reads": reads}), {"input": "x"}, (0, 0))
    assert found.heading == "x[0,0] - largest(x, dim)[0,0]"
    assert found.total == -2.0


def test_only_what_is_asked_for_is_computed():
    """A cell of a large elementwise line must not compute the whole line again."""
    x = torch.ones(1).expand(1 << 20, 1 << 20)  # as a whole, 4 TiB
    statement = ast.parse("y = torch.exp(x * 2) + x").body[0]
    line = Line("op", "user.py", 1, 1, "", "y", statement, {"x": x}, x)
    assert expand(line, {}, (5, 7)).total == pytest.approx(8.389056)
