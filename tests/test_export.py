"""Literals evaluate to the same bits, forms read as their format, files give back what went in."""

from __future__ import annotations

import math
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backprop_tui import export
from backprop_tui.errors import UserError

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
EIGHTS = [torch.float8_e4m3fn, torch.float8_e5m2]
COMPLEX = [torch.complex64, torch.complex128]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint64]
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Any bit pattern of any dtype, in any small shape."""
    dtype = draw(st.sampled_from([*FLOATS, *EIGHTS, *COMPLEX, *INTEGERS, torch.bool]))
    shape = draw(SHAPES)
    count = math.prod(shape)
    if dtype == torch.bool:
        flags = draw(st.lists(st.booleans(), min_size=count, max_size=count))
        return torch.tensor(flags, dtype=dtype).reshape(shape)
    width = torch.empty((), dtype=dtype).element_size()
    content = draw(st.binary(min_size=count * width, max_size=count * width))
    return torch.tensor(list(content), dtype=torch.uint8).view(dtype).reshape(shape)


def evaluate(text: str) -> dict[str, Tensor]:
    scope: dict[str, Tensor] = {}
    exec(text, {"torch": torch, "np": np}, scope)
    return scope


def bits(tensor: Tensor) -> list[list[int]]:
    """The bytes of each element, but one and the same spelling for every NaN."""
    if tensor.is_complex():
        return bits(torch.view_as_real(tensor))
    flat = tensor.reshape(-1)
    rows = flat.view(torch.uint8).reshape(flat.numel(), flat.element_size()).tolist()
    if not tensor.is_floating_point():
        return rows
    lost = torch.isnan(flat.double()).tolist()
    return [[] if nan else row for row, nan in zip(rows, lost, strict=True)]


@settings(deadline=None, max_examples=400)
@given(tensors())
def test_a_literal_evaluates_to_the_same_bits(tensor: Tensor) -> None:
    (result,) = evaluate(export.literal("t", tensor)).values()
    assert result.dtype == tensor.dtype
    assert result.shape == tensor.shape
    assert bits(result) == bits(tensor)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_value_of_a_half_survives(dtype: torch.dtype) -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)
    assert bits(evaluate(export.literal("t", every))["t"]) == bits(every)


def test_a_float_is_written_as_briefly_as_it_was_typed() -> None:
    text = export.literal("t", torch.tensor([0.1, -0.0, 3.0, 1e-5, 16777216.0]))
    body = text[text.index("[") + 1 : text.index("]")]
    assert [item.strip() for item in body.split(",")] == [
        "0.1",
        "-0.0",
        "3.0",
        "1e-05",
        "16777216.0",
    ]


def test_the_literal_of_a_small_matrix_reads_as_rows() -> None:
    tensor = torch.tensor([[0.5, -1.25], [3.0, float("inf")]])
    assert export.literal("rex4", tensor) == (
        "rex4 = torch.tensor([[         0.5,        -1.25],\n"
        '                     [         3.0, float("inf")]], dtype=torch.float32)'
        "  # 2×2, cpu, requires_grad=False"
    )


def test_the_comment_notes_requires_grad_and_a_scalar() -> None:
    text = export.literal("loss", torch.tensor(2.5, requires_grad=True))
    assert text == (
        "loss = torch.tensor(2.5, dtype=torch.float32)  # scalar, cpu, requires_grad=True"
    )


def test_long_rows_are_wrapped() -> None:
    lines = export.literal("t", torch.arange(200)).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines[:-1])) <= 100


def test_views_conjugates_and_sparse_tensors_are_written_by_value() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    assert evaluate(export.literal("t", base.T[1:]))["t"].equal(base.T[1:])
    imaginary = torch.tensor([1 + 2j, -0.0 - 0j]).conj()
    assert evaluate(export.literal("t", imaginary))["t"].equal(imaginary)
    text = export.literal("t", base.to_sparse())
    assert evaluate(text)["t"].equal(base)
    assert "was sparse_coo" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x4", "x4"),
        ("pgrad[2]", "pgrad_2"),
        ("sum(rex2)", "sum_rex2"),
        ('grad["fc1.weight"]', "grad_fc1_weight"),
        ("0.weight", "t_0_weight"),
        ("lambda", "lambda_"),
        ("[]", "tensor"),
    ],
)
def test_names_become_identifiers(name: str, expected: str) -> None:
    assert export.identifier(name) == expected
    assert export.literal(name, torch.ones(1)).startswith(f"{expected} = torch.tensor([1.0]")


@pytest.mark.parametrize("form", export.FORMS)
def test_a_tensor_without_numbers_is_an_error_in_every_form(form: str) -> None:
    with pytest.raises(UserError, match="m is on the meta device"):
        export.FORMS[form].render("m", torch.empty(2, device="meta"))


def test_the_default_form_is_the_literal() -> None:
    assert next(iter(export.FORMS)) == "torch"


@settings(deadline=None)
@given(tensors())
def test_the_numpy_form_holds_the_same_numbers(tensor: Tensor) -> None:
    (result,) = evaluate(export.FORMS["numpy"].render("t", tensor)).values()
    wide = tensor.float() if tensor.dtype in (torch.bfloat16, *EIGHTS) else tensor
    np.testing.assert_array_equal(result, wide.numpy(), strict=True)


@settings(deadline=None)
@given(tensors())
def test_the_list_form_holds_the_same_numbers(tensor: Tensor) -> None:
    (result,) = evaluate(export.FORMS["list"].render("t", tensor)).values()
    assert bits(torch.tensor(result, dtype=tensor.dtype).reshape(tensor.shape)) == bits(tensor)


def test_latex() -> None:
    tensor = torch.tensor([[1.0, -2.5e-7], [float("-inf"), float("nan")]])
    assert export.FORMS["latex"].render("a", tensor) == (
        "% a, 2×2, float32\n\\begin{bmatrix}\n"
        "  1 & -2.5 \\times 10^{-7} \\\\\n"
        "  -\\infty & \\text{NaN}\n\\end{bmatrix}"
    )


def test_markdown() -> None:
    text = export.FORMS["markdown"].render("a", torch.tensor([[1, 2], [3, 4]]))
    assert text.splitlines() == [
        "`a`, 2×2, int64",
        "",
        "|  | 0 | 1 |",
        "| ---: | ---: | ---: |",
        "| 0 | 1 | 2 |",
        "| 1 | 3 | 4 |",
    ]


@pytest.mark.parametrize("form", ["latex", "markdown"])
def test_more_dimensions_are_shown_slice_after_slice(form: str) -> None:
    text = export.FORMS[form].render("w", torch.arange(12.0).reshape(2, 1, 2, 3))
    assert text.index("w[0, 0]") < text.index("w[1, 0]")
    assert "11" in text.split("w[1, 0]")[1]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_files_give_back_what_was_written(tmp_path: Path, suffix: str) -> None:
    base = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    tensors = {"file": base.T, "pgrad[2]": torch.tensor(3), "empty": torch.empty(0, 3)}
    path = export.write(tmp_path / f"out{suffix}", tensors)
    found = read(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].equal(tensor)
    assert list(tmp_path.iterdir()) == [path]


def read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return {name: torch.tensor(archive[name]) for name in archive.files}
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    loaded: dict[str, Tensor] = torch.load(path, weights_only=True)
    return loaded


def test_npy(tmp_path: Path) -> None:
    path = export.write(tmp_path / "x.npy", {"x": torch.eye(2)})
    assert np.load(path).tolist() == [[1, 0], [0, 1]]


def test_a_file_is_never_overwritten_silently(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_text("mine")
    with pytest.raises(UserError, match=r"x\.npy exists already"):
        export.write(path, {"x": torch.ones(1)})
    assert path.read_text() == "mine"
    export.write(path, {"x": torch.ones(1)}, overwrite=True)
    assert np.load(path).tolist() == [1]


@pytest.mark.parametrize(
    ("name", "tensors", "message"),
    [
        ("x.txt", {"x": torch.ones(1)}, r"\.npy, \.npz, \.safetensors, \.pt"),
        ("x", {"x": torch.ones(1)}, "end the name in one of"),
        ("x.pt", {}, "no tensor"),
        ("no/x.pt", {"x": torch.ones(1)}, "there is no folder"),
        ("x.npy", {"x": torch.ones(1), "y": torch.ones(1)}, r"2 \(x, y\): choose \.npz"),
        ("x.npy", {"x": torch.ones(1).bfloat16()}, r"bfloat16, .* float32, x\.float\(\)"),
        ("x.npz", {"x": torch.ones(1).bfloat16()}, r"or choose \.pt or \.safetensors"),
        (f"{'x' * 300}.pt", {"x": torch.ones(1)}, "cannot write .*too long"),
    ],
)
def test_what_cannot_be_written_is_one_clear_line(
    tmp_path: Path, name: str, tensors: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        export.write(tmp_path / name, tensors)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_safetensors_missing_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(UserError, match=r"pip install 'backprop-tui\[safetensors\]'"):
        export.write(tmp_path / "x.safetensors", {"x": torch.ones(1)})


def test_a_private_file_is_private() -> None:
    path = export.to_private_file("5×4", "pgrad[2]")
    try:
        assert path.read_text(encoding="utf-8") == "5×4"
        assert path.name == "pgrad_2.txt"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(path.parent)


def test_export_is_imported_without_torch() -> None:
    code = "import sys, backprop_tui.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
