"""Tensors leave here: literals that evaluate to the same bits, forms for papers, files."""

from __future__ import annotations

import itertools
import keyword
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError
from .numerals import nested, numerals

if TYPE_CHECKING:
    from torch import Tensor

_Writer = Callable[[Path, dict[str, "Tensor"]], None]

DIGITS = 5  # significant digits in the forms meant for reading only


@dataclass(frozen=True)
class Form:
    """One way to write a tensor down: `render(name, tensor)` gives the text."""

    label: str
    render: Callable[[str, Tensor], str]


def identifier(name: str) -> str:
    """`name` as a Python identifier: `pgrad[2]` is `pgrad_2`, `sum(rex2)` is `sum_rex2`."""
    plain = re.sub(r"\W+", "_", name).strip("_") or "tensor"
    if keyword.iskeyword(plain):
        return f"{plain}_"
    return plain if plain.isidentifier() else f"t_{plain}"


def size(tensor: Tensor) -> str:
    """The shape as the screen writes it: `5×4`, and `scalar` for no dimensions."""
    return "×".join(map(str, tensor.shape)) or "scalar"


def dense(name: str, tensor: Tensor) -> Tensor:
    """The same numbers as a contiguous strided CPU tensor outside the graph.

    Raises:
        UserError: if the tensor is quantized, nested or on the meta device.
    """
    import torch

    if tensor.is_meta:
        raise UserError(f"{name} is on the meta device, without numbers: make it on the cpu")
    if tensor.is_quantized:
        raise UserError(f"{name} is quantized: convert it first, {name}.dequantize()")
    if tensor.is_nested:
        raise UserError(f"{name} is nested: convert it first, {name}.to_padded_tensor(0)")
    plain = tensor.detach()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    return plain.cpu().resolve_conj().resolve_neg().contiguous()


def literal(name: str, tensor: Tensor) -> str:
    """`name = torch.tensor(...)`, which evaluates to the same bits in the same dtype.

    The dtype is always given; shape, device and requires_grad stand in a comment behind.
    Only the payload and sign of a NaN are lost. Any shape, any dtype but quantized ones.

    Raises:
        UserError: if the tensor is quantized, nested or on the meta device.
    """
    plain = dense(name, tensor)
    note = f"{size(tensor)}, {tensor.device}, requires_grad={tensor.requires_grad}"
    if plain.layout != tensor.layout:
        note += f", was {_bare(tensor.layout)}"
    return f"{constructed(plain, f'{identifier(name)} = ')}  # {note}"


def constructed(plain: Tensor, head: str = "") -> str:
    """`head` and ``torch.tensor(…)``, which evaluates to the same bits, of a `dense` tensor."""
    return _call(f"{head}torch.tensor(", plain, f"{plain.dtype}")


def _numpy(name: str, tensor: Tensor) -> str:
    import torch

    plain = dense(name, tensor)
    note = size(tensor)
    if not _in_numpy(plain):
        note += f", {_bare(plain.dtype)} in torch"
        plain = plain.to(torch.complex64 if plain.is_complex() else torch.float32)
    dtype = _bare(plain.dtype).replace("bool", "bool_")
    return f"{_call(f'{identifier(name)} = np.array(', plain, f'np.{dtype}')}  # {note}"


def _call(head: str, plain: Tensor, dtype: str) -> str:
    """`head`, the numbers, and the call's end; sizes of 0 take a reshape."""
    if plain.numel():
        body = nested(numerals(plain), plain.shape, len(head))
        return f"{head}{body}, dtype={dtype})"
    reshape = f".reshape({', '.join(map(str, plain.shape))})" if plain.dim() > 1 else ""
    return f"{head}[], dtype={dtype}){reshape}"


def _list(name: str, tensor: Tensor) -> str:
    plain = dense(name, tensor)
    head = f"{identifier(name)} = "
    empty = not plain.numel()
    body = str(plain.tolist()) if empty else nested(numerals(plain), plain.shape, len(head))
    return f"{head}{body}  # {size(tensor)}, {_bare(tensor.dtype)}"


def _latex(name: str, tensor: Tensor) -> str:
    parts = []
    for label, rows in _slices(name, tensor):
        body = " \\\\\n  ".join(" & ".join(map(_latex_number, row)) for row in rows)
        matrix = f"\\begin{{bmatrix}}\n  {body}\n\\end{{bmatrix}}"
        parts.append(f"% {label}, {size(tensor)}, {_bare(tensor.dtype)}\n{matrix}")
    return "\n".join(parts)


def _markdown(name: str, tensor: Tensor) -> str:
    parts = []
    for label, rows in _slices(name, tensor):
        columns = len(rows[0]) if rows else 0
        lines = [
            f"`{label}`, {size(tensor)}, {_bare(tensor.dtype)}\n",
            _markdown_row("", map(str, range(columns))),
            "| ---: " * (columns + 1) + "|",
        ]
        lines += [_markdown_row(str(i), map(_short, row)) for i, row in enumerate(rows)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _markdown_row(head: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


def _slices(name: str, tensor: Tensor) -> Iterator[tuple[str, list[list[complex]]]]:
    """The last two dimensions for each index of those before, with its label and rows."""
    plain = dense(name, tensor)
    while plain.dim() < 2:
        plain = plain.unsqueeze(0)
    for index in itertools.product(*map(range, plain.shape[:-2])):
        place = f"[{', '.join(map(str, index))}]" if index else ""
        yield f"{name}{place}", plain[index].tolist()


def _short(value: complex) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int) else f"{value:.{DIGITS}g}"


def _latex_number(value: complex) -> str:
    text = re.sub(r"e([+-])0*(\d+)", r" \\times 10^{\1\2}", _short(value)).replace("^{+", "^{")
    text = text.replace("inf", r"\infty ").replace("nan", r"\text{NaN}")
    return text.replace("j", r"\mathrm{i}").rstrip()


def _bare(kind: object) -> str:
    """torch.float32 as `float32`."""
    return str(kind).removeprefix("torch.")


def _in_numpy(tensor: Tensor) -> bool:
    try:
        tensor[:0].numpy() if tensor.dim() else tensor.numpy()
    except TypeError:
        return False
    return True


FORMS: dict[str, Form] = {
    "torch": Form("torch.tensor literal, the same bits", literal),
    "numpy": Form("NumPy array, the same numbers", _numpy),
    "list": Form("nested Python list", _list),
    "latex": Form(f"LaTeX bmatrix, {DIGITS} digits", _latex),
    "markdown": Form(f"Markdown table, {DIGITS} digits", _markdown),
}
"""The forms that a tensor can be copied in; the first is the default."""


def write(path: str | Path, tensors: Mapping[str, Tensor], *, overwrite: bool = False) -> Path:
    """Write tensors to the file `path`, in the format that its suffix names.

    `.npy` takes one tensor; `.npz`, `.safetensors` and `.pt` take any number by name.
    The file appears whole or not at all.

    Raises:
        UserError: unknown suffix, no tensor, several tensors for `.npy`, a folder that
            is missing or not writable, a file that exists while `overwrite` is false, a
            dtype that the format lacks, or safetensors not installed.
    """
    target = Path(path).expanduser()
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise UserError(f"{target}: end the name in one of {', '.join(_WRITERS)}")
    if not tensors:
        raise UserError(f"{target}: no tensor was named to be written")
    plain = {name: dense(name, tensor).clone() for name, tensor in tensors.items()}
    try:
        if not target.parent.is_dir():
            raise UserError(f"{target}: there is no folder {target.parent}; make it first")
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists already: choose another name, or overwrite it")
        _write_whole(target, writer, plain)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _write_whole(target: Path, writer: _Writer, tensors: dict[str, Tensor]) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        writer(part, tensors)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_npy(path: Path, tensors: dict[str, Tensor]) -> None:
    import numpy as np

    if len(tensors) > 1:
        names = ", ".join(tensors)
        raise UserError(f".npy holds one tensor, not {len(tensors)} ({names}): choose .npz or .pt")
    ((name, tensor),) = tensors.items()
    _check_numpy(name, tensor)
    with path.open("wb") as file:
        np.lib.format.write_array(file, tensor.numpy(), allow_pickle=False)


def _write_npz(path: Path, tensors: dict[str, Tensor]) -> None:
    import numpy as np

    for name, tensor in tensors.items():
        _check_numpy(name, tensor)
    # np.savez takes the names as keyword arguments, and so cannot write one called `file`.
    with zipfile.ZipFile(path, "w") as archive:
        for name, tensor in tensors.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, tensor.numpy(), allow_pickle=False)


def _check_numpy(name: str, tensor: Tensor) -> None:
    if not _in_numpy(tensor):
        raise UserError(
            f"{name} is {_bare(tensor.dtype)}, which NumPy lacks: convert it to float32, "
            f"{name}.float(), or choose .pt or .safetensors"
        )


def _write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        from safetensors.torch import save
    except ModuleNotFoundError as error:
        way = "pip install 'backprop-tui[safetensors]'"
        raise UserError(f".safetensors needs a package: {way}, or choose .pt") from error
    try:
        content = save(tensors)
    except KeyError as error:
        raise UserError(f"safetensors has no {_bare(error.args[0])}: choose .pt") from error
    path.write_bytes(content)


def _write_pt(path: Path, tensors: dict[str, Tensor]) -> None:
    import torch

    with path.open("wb") as file:
        torch.save(tensors, file)


_WRITERS: dict[str, _Writer] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
    ".pt": _write_pt,
}


def to_private_file(text: str, name: str) -> Path:
    """Write `text` to a fresh file that only its owner can read, and say where it is.

    For what a clipboard cannot take. The file (mode 0600) lies in a folder of its own
    (mode 0700) and stays until the system clears its temporary files.
    """
    path = Path(tempfile.mkdtemp(prefix="backprop-tui-"), f"{identifier(name)}.txt")
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
    return path
