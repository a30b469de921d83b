"""Files of numbers come in whole, and what cannot be used is one clear line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backprop_tui.errors import UserError
from backprop_tui.lessons.inputs import load_tensor

X = np.array([[1.5, -2.0, 3.0], [4.0, 5.25, -0.0]])


def load(path: Path | str, shape: tuple[int | None, ...] = (None, 3), **changes: Any) -> Tensor:
    settings: dict[str, Any] = {"dtype": torch.float32, "device": "cpu", "what": "--x"}
    return load_tensor(path, shape=shape, **(settings | changes))


WRITERS: dict[str, Callable[[Path], object]] = {
    "x.npy": lambda path: np.save(path, X),
    "big.npy": lambda path: np.save(path, X.astype(">f4")),
    "long.npy": lambda path: np.save(path, X.astype(np.longdouble)),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(X)),
    "x.npz": lambda path: np.savez(path, first=X, second=np.ones(7)),
    "packed.npz": lambda path: np.savez_compressed(path, X),
    "x.pt": lambda path: torch.save(torch.tensor(X), path),
    "x.PTH": lambda path: torch.save({"a": torch.nn.Parameter(torch.tensor(X))}, path),
    "x.csv": lambda path: path.write_text("1.5,-2,3\n4,5.25,-0.0\n"),
    "head.csv": lambda path: path.write_text("\ufeffa,b,c\n1.5,-2,3\n\n4,5.25,-0.0 # two\n"),
    "semi.csv": lambda path: path.write_text("1.5; -2; 3\n4; 5.25; -0.0"),
    "blank.csv": lambda path: path.write_text("# mine\n 1.5 -2  3\n 4 5.25 -0.0\n"),
    "a#b.npy": lambda path: np.save(path, X),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_kind_of_file_gives_its_numbers(
    tmp_path: Path, name: str, dtype: torch.dtype
) -> None:
    WRITERS[name](tmp_path / name)
    tensor = load(tmp_path / name, dtype=dtype)
    assert tensor.dtype == dtype
    assert tensor.layout == torch.strided
    assert not tensor.requires_grad
    assert tensor.tolist() == X.tolist()
    assert torch.signbit(tensor[1, 2])


def test_a_sparse_tensor_is_made_dense(tmp_path: Path) -> None:
    torch.save(torch.eye(3).to_sparse(), tmp_path / "x.pt")
    assert load(tmp_path / "x.pt").equal(torch.eye(3))


def test_a_key_names_one_of_several(tmp_path: Path) -> None:
    arrays = {"x": X, "y": X[:1]}
    np.savez(tmp_path / "both.npz", **arrays)
    torch.save({k: torch.tensor(v) for k, v in arrays.items()}, tmp_path / "both.pt")
    for name in ("both.npz", "both.pt"):
        assert load(f"{tmp_path / name}#y").shape == (1, 3)
        with pytest.raises(UserError, match="has no 'z', but x, y: write file#name"):
            load(f"{tmp_path / name}#z")


@pytest.mark.parametrize("array", [np.array([[1, 2, 3]]), np.array([[True, False, True]])])
def test_integers_and_booleans_are_numbers(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "x.npy", array)
    assert load(tmp_path / "x.npy").tolist() == array.tolist()


def test_nan_and_infinity_are_let_through(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("nan,inf,-inf\n")
    tensor = load(tmp_path / "x.csv")
    assert tensor[0, 0].isnan()
    assert tensor[0, 1:].tolist() == [float("inf"), float("-inf")]


def test_a_home_directory_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", X)
    assert load("~/x.npy").shape == (2, 3)


class Unknown:
    """Something that only pickle could bring back."""


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "none.npy": (lambda path: None, "No such file"),
    "none.npz": (lambda path: None, "No such file"),
    "none.pt": (lambda path: None, "No such file"),
    "none.csv": (lambda path: None, "No such file"),
    "folder.pt": (lambda path: path.mkdir(), "Is a directory"),
    "folder.csv": (lambda path: path.mkdir(), "Is a directory"),
    "x.txt": (lambda path: path.write_text("1"), r"ends in \.npy, \.npz, \.pt, \.pth, \.csv"),
    "empty.npy": (lambda path: path.touch(), r"not a readable \.npy file"),
    "empty.npz": (lambda path: path.touch(), r"not a readable \.npz file"),
    "empty.pt": (lambda path: path.touch(), r"not a readable \.pt file"),
    "empty.csv": (lambda path: path.touch(), "holds no numbers"),
    "noise.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00garbage"), "not a readable"),
    "noise.npz": (lambda path: path.write_bytes(b"PK\x03\x04garbage"), "not a readable"),
    "noise.pt": (lambda path: path.write_bytes(b"PK\x03\x04garbage"), "not a readable"),
    "noise.csv": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not a readable"),
    "header.csv": (lambda path: path.write_text("a,b,c\n"), "holds no numbers"),
    "words.csv": (lambda path: path.write_text("a,b\n1,two\n"), "not a readable .* 'two'"),
    "ragged.csv": (lambda path: path.write_text("1,2,3\n4,5\n"), "columns changed from 3 to 2"),
    "words.npy": (lambda path: np.save(path, np.array([["a", "b"]])), "holds <U1 values"),
    "dates.npy": (lambda path: np.save(path, np.zeros(3, "M8[s]")), "not numbers"),
    "objects.npy": (lambda path: np.save(path, np.array([[Unknown()]])), "allow_pickle=False"),
    "complex.npy": (lambda path: np.save(path, X * 1j), "complex numbers where real"),
    "objects.pt": (lambda path: torch.save(Unknown(), path), "objects besides tensors: save"),
    "number.pt": (lambda path: torch.save(3, path), "holds a int, not a tensor"),
    "nothing.pt": (lambda path: torch.save({}, path), "holds no arrays"),
    "flat.npy": (lambda path: np.save(path, np.ones(3)), "shape is 3, but any×3 is wanted"),
    "deep.npy": (lambda path: np.save(path, np.ones((1, 2, 3))), "1×2×3, but any×3"),
    "scalar.npy": (lambda path: np.save(path, np.ones(())), "scalar, but any×3"),
    "wide.npy": (lambda path: np.save(path, np.ones((2, 4))), "2×4, but any×3 is wanted$"),
    "turned.npy": (lambda path: np.save(path, np.ones((3, 2))), "3×2, .*: save its transpose$"),
    "zero.npy": (lambda path: np.save(path, np.ones((0, 3))), "0×3, but any×3"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_one_clear_line(tmp_path: Path, name: str) -> None:
    make, message = BAD[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(UserError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"--x {path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.pt"])
def test_a_key_where_there_are_no_names(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    with pytest.raises(UserError, match="leave out #y"):
        load(f"{tmp_path / name}#y")


def test_a_truncated_archive(tmp_path: Path) -> None:
    for name in ("x.npy", "packed.npz", "x.pt"):
        path = tmp_path / name
        WRITERS[name](path)
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(UserError, match="not a readable"):
            load(path)


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        load(tmp_path / "x.npy")


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    """A pickle that would write a file when loaded stays unloaded, in every format."""
    trap = tmp_path / "trap"
    script = (
        "import numpy as np, torch, pathlib, sys\n"
        "class Trap:\n"
        "    def __reduce__(self):\n"
        "        return (pathlib.Path.touch, (pathlib.Path(sys.argv[1]),))\n"
        "np.save(sys.argv[2] + '/a.npy', np.array([Trap()], dtype=object))\n"
        "np.savez(sys.argv[2] + '/a.npz', np.array([Trap()], dtype=object))\n"
        "torch.save(Trap(), sys.argv[2] + '/a.pt')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(trap), str(tmp_path)], check=True)
    for name in ("a.npy", "a.npz", "a.pt"):
        assert (tmp_path / name).exists()
        with pytest.raises(UserError):
            load(tmp_path / name)
    assert not trap.exists()
