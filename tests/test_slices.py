"""Slices as people type them."""

import itertools

import pytest
import torch

from backprop_tui.slices import default_view, neighbour, parse, parse_index, resolve

X = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "name", "items"),
    [
        ("x4[:, 0:2]", "x4", (slice(None), slice(0, 2))),
        ("[0, :, 3]", "", (0, slice(None), 3)),
        ("0, :, 3", "", (0, slice(None), 3)),
        ("[..., -1]", "", (..., -1)),
        (" [ ::2 , 1 : ] ", "", (slice(None, None, 2), slice(1, None))),
        ("pgrad[2][:, 1]", "pgrad[2]", (slice(None), 1)),
        ('grad["fc1.weight"][0]', 'grad["fc1.weight"]', (0,)),
        ("[3,]", "", (3,)),
        ("", "", ()),
        ("[]", "", ()),
    ],
)
def test_parse(text, name, items):
    assert parse(text) == (name, items)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a]", "'a' is not a whole number"),
        ("[1.5]", "'1.5' is not a whole number"),
        ("[0,,1]", "a number is missing"),
        ("[1:2:3:4]", "too many colons"),
        ("[::-1]", "must be positive"),
        ("[::0]", "must be positive"),
        ("[..., ...]", "only one"),
        ("[:, 1", "a bracket is missing"),
        ("__import__('os').getcwd()", "is not a whole number"),
    ],
)
def test_parse_says_what_is_wrong(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["[:, 0:2]", "[0, :, 3]", "[...]", "[..., -1]", "[1, ..., ::2]", "[-1:]", "[::2, 1:, 5:, -3]",
     "[0, 0, 0, 0]", "[2:1]", "[:100]", "[-2:-1, 0]"],
)  # fmt: skip
def test_a_view_is_what_torch_slices(text):
    view = resolve(parse(text)[1], X.shape)
    expected = eval(f"X{text}", {"X": X})
    assert torch.equal(view.apply(X), expected)
    assert view.shape == tuple(expected.shape)
    for where in itertools.product(*map(range, expected.shape)):
        assert X[view.index(where)] == expected[where]
        assert view.cell(view.index(where)) == where


def test_a_view_reads_back_as_itself():
    for text in ("[:, 0:2, :, 1]", "[0, ::2, 1:, 3:4]", "[:, :, :, :]"):
        view = resolve(parse(text)[1], X.shape)
        assert resolve(parse(str(view))[1], X.shape) == view
    assert str(resolve(parse("[0, ..., 1:3]")[1], X.shape)) == "[0, :, :, 1:3]"


def test_cells_outside_a_view():
    view = resolve(parse("[0, ::2]")[1], X.shape)
    assert view.cell((1, 0, 0, 0)) is None
    assert view.cell((0, 1, 0, 0)) is None
    assert view.cell((0, 2, 3, 4)) == (1, 3, 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[0, 0, 0, 0, 0]", "5 positions given for a tensor of 4 dimensions"),
        ("[2]", "2 is outside dimension 0: it has 2 positions, 0 to 1"),
        ("[..., -6]", "-6 is outside dimension 3: it has 5 positions, 0 to 4"),
    ],
)
def test_resolve_says_what_is_wrong(text, reason):
    with pytest.raises(ValueError, match=reason):
        resolve(parse(text)[1], X.shape)


def test_an_empty_dimension_has_no_positions():
    with pytest.raises(ValueError, match="it is empty"):
        resolve([0], (0, 3))


def test_parse_index():
    assert parse_index("3, -1", (5, 4)) == (3, 3)
    assert parse_index("x[0]", (5,)) == (0,)
    assert parse_index("", ()) == ()
    for bad in ("3", "3, :", "1, 2, 3"):
        with pytest.raises(ValueError, match="give 2 numbers"):
            parse_index(bad, (5, 4))
    with pytest.raises(ValueError, match="outside dimension 1"):
        parse_index("0, 4", (5, 4))


def test_default_view_fixes_the_leading_dimensions():
    assert str(default_view((2, 3, 4, 5))) == "[0, 0, :, :]"
    assert default_view((4, 5)).everything
    assert default_view(()).everything
    assert default_view((0, 4, 5)).everything


def test_neighbours_count_like_an_odometer():
    view = default_view((2, 3, 4, 5))
    seen = [str(view)]
    while (following := neighbour(view, 1)) is not None:
        assert neighbour(following, -1) == view
        view = following
        seen.append(str(view))
    assert seen == [f"[{i}, {j}, :, :]" for i in range(2) for j in range(3)]
    assert neighbour(default_view((4, 5)), 1) is None
