"""A reader's own numbers: tensors from .npy, .npz, .pt and .csv files. No pickle is ever run."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

# What the readers raise for a file that is not what its suffix says.
_BROKEN = (ValueError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def load_tensor(
    path: str | Path,
    *,
    shape: tuple[int | None, ...],
    dtype: torch.dtype,
    device: torch.device | str,
    what: str,
) -> Tensor:
    """The tensor in a file, in its own memory, as `dtype` on `device`.

    Args:
        path: a `.npy`, `.npz`, `.pt`, `.pth` or `.csv` file. `file.npz#key` names one
            array of several; without a key the first is taken.
        shape: the shape that is wanted; None stands for any size but 0.
        dtype: real numbers and booleans are converted to it.
        device: where the tensor is wanted.
        what: what the file is for, `--x`; every error begins with it.

    Raises:
        UserError: a file that is missing, a folder, unreadable, broken or of an unknown
            kind; values that are not numbers, or complex where real ones are wanted; a
            wrong shape. NaN and infinities are let through.
    """
    file, key = _split(str(path))
    where = f"{what} {path}"
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise UserError(f"{where}: name a file that ends in {', '.join(_READERS)}")
    try:
        found = reader(file, key)
    except OSError as error:
        raise UserError(f"{where}: cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{where}: holds Python objects besides tensors: save the tensor alone, "
            f"torch.save(tensor, {file.name!r})"
        ) from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except _BROKEN as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{where}: not a readable {file.suffix} file: {reason}") from error
    tensor = _tensor(found, dtype, where)
    _check_shape(tensor, shape, where)
    return tensor.to(dtype=dtype, device=device)


def _split(path: str) -> tuple[Path, str]:
    """`file.npz#key` as its two halves; a file that has a `#` in its name comes first."""
    whole = Path(path).expanduser()
    name, mark, key = path.rpartition("#")
    return (whole, "") if not mark or whole.exists() else (Path(name).expanduser(), key)


def _read_npy(file: Path, key: str) -> Any:
    if key:
        raise UserError(f"a .npy file holds one array: leave out #{key}")
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_npz(file: Path, key: str) -> Any:
    with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        with archive.open(f"{_choose(names, key)}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)


def _read_pt(file: Path, key: str) -> Any:
    with file.open("rb") as stream:
        loaded = torch.load(stream, map_location="cpu", weights_only=True)
    if isinstance(loaded, Mapping):
        return loaded[_choose(list(loaded), key)]
    if key:
        raise UserError(f"holds no names: leave out #{key}")
    return loaded


def _read_csv(file: Path, key: str) -> Any:
    if key:
        raise UserError(f"a .csv file holds one table: leave out #{key}")
    rows = file.read_text(encoding="utf-8-sig").splitlines()
    rows = [row for row in (row.partition("#")[0].strip() for row in rows) if row]
    delimiter = next((mark for mark in ",;\t" if rows and mark in rows[-1]), None)
    if rows and not _numeric(rows[0], delimiter):
        rows = rows[1:]
    if not rows:
        raise UserError("holds no numbers")
    return np.loadtxt(rows, delimiter=delimiter, ndmin=2, dtype=np.float64)


def _numeric(row: str, delimiter: str | None) -> bool:
    try:
        [float(cell) for cell in row.split(delimiter)]
    except ValueError:
        return False
    return True


def _choose(names: Sequence[str], key: str) -> str:
    if not names:
        raise UserError("holds no arrays")
    if key and key not in names:
        raise UserError(f"has no {key!r}, but {', '.join(map(str, names))}: write file#name")
    return key or names[0]


_READERS: dict[str, Callable[[Path, str], Any]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".pt": _read_pt,
    ".pth": _read_pt,
    ".csv": _read_csv,
}


def _tensor(found: Any, dtype: torch.dtype, where: str) -> Tensor:
    """What was read as a detached strided tensor that `dtype` can hold."""
    if isinstance(found, np.ndarray):
        found = _from_numpy(found, where)
    if not isinstance(found, Tensor):
        raise UserError(f"{where}: holds a {type(found).__name__}, not a tensor")
    if found.is_complex() and not dtype.is_complex:
        raise UserError(f"{where}: holds complex numbers where real ones are needed: take .real")
    if found.is_quantized or found.is_nested or found.is_meta:
        raise UserError(f"{where}: save an ordinary tensor, not a quantized, nested or meta one")
    plain: Tensor = found.detach()
    return plain if plain.layout == torch.strided else plain.to_dense()


def _from_numpy(array: np.ndarray[Any, Any], where: str) -> Tensor:
    """A copy, in the dtype's own byte order; long doubles are cut to doubles."""
    if array.dtype.kind not in "biufc":
        raise UserError(f"{where}: holds {array.dtype} values, not numbers")
    wide = {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)}.get(array.dtype.kind)
    kind = array.dtype.newbyteorder("=")
    if wide is not None and kind.itemsize > wide.itemsize:
        kind = wide
    return torch.from_numpy(np.array(array, dtype=kind, order="C"))


def _check_shape(tensor: Tensor, shape: tuple[int | None, ...], where: str) -> None:
    found = tuple(tensor.shape)
    if _fits(found, shape):
        return
    wanted = "×".join("any" if size is None else str(size) for size in shape) or "scalar"
    has = "×".join(map(str, found)) or "scalar"
    hint = ": save its transpose" if _fits(found[::-1], shape) else ""
    raise UserError(f"{where}: the shape is {has}, but {wanted} is wanted{hint}")


def _fits(found: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(found) == len(shape) and all(
        size == want or (want is None and size > 0) for size, want in zip(found, shape, strict=True)
    )
