"""The line tracer: each statement once, with what it read and bound."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from backprop_tui.lines import needed, returned, source, trace


def wrapped(a, b):
    total = (
        a
        + b
    )  # fmt: skip
    total = total * 2
    total += 1
    for _ in range(2):
        total = total - b
    first, second, _ = torch.cat([total, b[:1]]).split(1)
    scale = 3.0
    if scale > 2:
        first = first * scale
    out = torch.zeros(2)
    out[0] = first[0]
    return out, second


def test_statements_over_several_lines_reassigned_names_and_loops():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    lines, (out, second) = trace(wrapped, a, b)
    assert [line.target for line in lines] == [
        *("total", "total", "total", "total", "total"),
        *("first", "second", "first", "out", "out"),
    ]
    assert [line.value.tolist() for line in lines[:5]] == [
        [4.0, 7.0],
        [8.0, 14.0],
        [9.0, 15.0],
        [6.0, 10.0],
        [3.0, 5.0],
    ]
    assert lines[0].last - lines[0].first == 3
    assert lines[0].text.startswith("total = (")
    assert lines[1].reads["total"].tolist() == [4.0, 7.0]
    assert lines[8].value.tolist() == [0.0, 0.0]  # not changed by the write after it
    assert lines[9].value.tolist() == [9.0, 0.0]
    assert torch.equal(out, lines[9].value) and torch.equal(second, lines[6].value)


def rule_like(x, w):
    y = x @ w

    def backward(dy):
        unused = dy * 2  # noqa: F841 - nobody asks for it: that is the point
        dw = x.T @ dy
        dx = dy @ w.T
        return dx, dw

    return y, backward


def test_backward_is_traced_with_the_names_it_closes_over():
    x, w = torch.ones(2, 3), torch.full((3, 4), 2.0)
    _, (y, backward) = trace(rule_like, x, w)
    lines, _ = trace(backward, torch.ones_like(y))
    assert [line.target for line in lines] == ["unused", "dw", "dx"]
    assert set(lines[1].reads) == {"x", "dy"}
    assert lines[1].function == "rule_like.backward"
    assert returned(backward) == ("dx", "dw")
    assert [line.target for line in needed(lines, ["dw"])] == ["dw"]
    first, text = source(lines[1])
    assert text[0].startswith("def rule_like") and text[lines[1].first - first].strip() == (
        "dw = x.T @ dy"
    )


def chained(x):
    a = x + 1
    b = a * 2
    a = x - 1
    c = a + b
    return c


def test_needed_follows_the_values_and_not_the_names():
    lines, _ = trace(chained, torch.ones(1))
    assert [line.text for line in needed(lines, ["b"])] == ["a = x + 1", "b = a * 2"]
    assert [line.text for line in needed(lines, ["a"])] == ["a = x - 1"]
    assert len(needed(lines, ["c"])) == 4


def handing(x):
    x = x * 2
    return heir(x, factor(3))


def factor(n):
    wide = torch.full((1,), float(n))
    return wide


def heir(x, scale):
    y = x * scale

    def backward(dy):
        dx = dy * scale
        return dx

    return y, backward


def test_a_rule_that_returns_the_answer_of_another_goes_on_in_it():
    lines, (y, backward) = trace(handing, torch.ones(1))
    assert [(line.function, line.target) for line in lines] == [("handing", "x"), ("heir", "y")]
    assert returned(handing) == ("y", "backward") and y.item() == 6
    assert returned(backward) == ("dx",)


def test_an_exception_passes_and_the_tracer_is_put_back():
    def tracer(frame, event, argument):
        return None

    def fails(x):
        y = x.nothing()
        return y

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with pytest.raises(AttributeError):
            trace(fails, torch.ones(1))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_a_coverage_tool_goes_on_counting(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        import torch
        from backprop_tui.lines import trace

        def rule(x):
            y = x + 1
            return y

        def after():
            marker = 1
            return marker

        lines, _ = trace(rule, torch.ones(1))
        after()
        print(len(lines))
        """)
    )
    command = [sys.executable, "-m", "trace", "--count", "-C", str(tmp_path), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[0] == "1"
    counted = (tmp_path / "program.cover").read_text()
    assert "    1:     marker = 1" in counted


def test_a_rule_without_source_says_so():
    scope: dict[str, object] = {}
    exec("def typed(x):\n    y = x + 1\n    return y", scope)
    with pytest.raises(OSError, match="source"):
        trace(scope["typed"], torch.ones(1))
