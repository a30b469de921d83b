"""The command line as its users meet it: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backprop_tui.cli import main

BATCH = [[-0.2497, 2.0979, 1.7150], [0.6786, 0.4429, 0.7582]]
TARGET = [[-0.0217, 0.8911], [-1.0743, -1.1462]]


def test_the_transcript_has_source_shapes_values_and_verdict(capsys):
    assert main(["--plain"]) == 0
    text = capsys.readouterr().out
    assert "rex4 = reᵀ · x4                     2×5ᵀ · 2×4 = 5×4" in text
    assert "linear.backward line" in text and ": dweight = dy.t() @ input" in text
    assert "    pgrad[2] (2.weight): ✓ exact" in text
    assert "grad(P0) = ((re·P2)∘x3)ᵀ·x    ((2×5 · 5×4) ∘ 2×4)ᵀ · 2×3 = 4×3" in text
    assert text.rstrip().endswith("loss 16.9011 · manual against autograd: exact")


def test_without_a_terminal_the_lesson_is_a_transcript():
    done = subprocess.run(
        [sys.executable, "-m", "backprop_tui"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "── backward" in done.stdout and "\x1b" not in done.stdout


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m backprop_tui --plain --iterations 30 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("two-layer ReLU net") and done.stderr == ""


def test_check_prints_a_table_and_agrees(capsys):
    assert main(["check", "--lesson", "two-layer"]) == 0
    text = capsys.readouterr().out
    assert "0.weight" in text and "✓ exact" in text
    assert "manual and autograd agree in 1 training step" in text


def test_check_json_is_stable(capsys):
    assert main(["check", "--lesson", "two-layer", "--json", "--iterations", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["version", "steps", "updates", "verdict", "findings"]
    assert report["version"] == 1 and len(report["steps"]) == 2
    step = report["steps"][0]
    assert list(step) == ["loss", "parameters", "ops"]
    assert step["loss"] == pytest.approx(16.901105880737305)
    assert step["parameters"][0] == {
        "name": "0.weight",
        "shape": [4, 3],
        "verdict": "exact",
        "rho": 0.0,
        "max_abs": 0.0,
        "max_rel": 0.0,
    }
    assert [(op["op"], op["module"], op["rule"]) for op in step["ops"]] == [
        ("linear", "0", "linear"),
        ("relu", "1", "relu"),
        ("linear", "2", "linear"),
        ("mse_loss", "", "mse_loss"),
    ]
    assert {op["isolated"] for op in step["ops"]} == {"exact"}
    assert {op["chained"] for op in step["ops"]} == {"exact"}


def test_updated_weights_differ_and_say_why(capsys):
    assert main(["check", "--lesson", "two-layer", "--weights", "update-first"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "✗ different" in text and "updated in place before the hand computation" in text


def test_overflow_is_no_crash_and_the_json_stays_json(capsys):
    code = main(["check", "--lesson", "two-layer", "--lr", "1e9", "--iterations", "6", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 1 and report["steps"][-1]["loss"] is None
    assert report["verdict"] == "exact" and report["findings"][0]["kind"] == "diverged"
    assert {row["gradient"] for row in report["updates"]} == {"exact"}


def test_a_transcript_flags_what_is_not_finite(capsys):
    assert main(["--plain", "--lr", "1e9", "--iterations", "3"]) == 0
    text = capsys.readouterr().out
    assert "pgrad[2] (2.weight): ✓ exact (20 not finite)" in text
    assert "      ! 20 of 20 not finite" in text
    assert all(len(line) <= 78 for line in text.splitlines() if line.startswith("      "))


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_the_articles_own_numbers(tmp_path: Path, capsys, suffix):
    files = []
    for name, numbers in (("x", BATCH), ("y", TARGET)):
        file = tmp_path / f"{name}{suffix}"
        if suffix == ".npy":
            np.save(file, np.array(numbers, dtype=np.float32))
        else:
            np.savetxt(file, numbers, delimiter=",")
        files += [f"--{name}", str(file)]
    assert main(["lesson", "--plain", *files]) == 0
    text = capsys.readouterr().out
    assert "given  x   2×3\n         -0.2497    2.0979    1.7150" in text
    assert "given  y   2×2" in text


def test_the_lessons_are_listed(capsys):
    assert main(["lesson", "--list"]) == 0
    assert capsys.readouterr().out.startswith("two-layer ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lesson", "three-layer"], "no lesson is called 'three-layer'"),
        (["lesson", "two-layr"], "did you mean two-layer?"),
        (["check", "--lesson", "nope"], "no lesson is called 'nope'"),
        (["check"], "--lesson"),
        (["train"], "invalid choice: 'train'"),
        (["--n", "0"], "'0' is not a whole number of 1 or more"),
        (["--hidden", "-3"], "'-3' is not a whole number"),
        (["--depth", "2.5"], "'2.5' is not a whole number"),
        (["--lr", "fast"], "'fast' is not a number"),
        (["--lr", "nan"], "nan is no learning rate"),
        (["--dtype", "int64"], "invalid choice: 'int64'"),
        (["--device", "toaster"], "device 'toaster' cannot be used here: try --device cpu"),
        (["--hidden", "9999999"], "too large for a lesson"),
        (["--x", "missing.npy"], "missing.npy"),
    ],
)
def test_bad_input_is_one_clear_line_and_code_2(arguments, said, capsys):
    try:
        code = main([*arguments, *(["--plain"] if "check" not in arguments else [])])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2 and captured.out == ""
    assert said in captured.err
    assert captured.err.startswith("backprop-tui: ") and captured.err.count("\n") == 1


def test_files_of_the_wrong_shape_are_named(tmp_path: Path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    np.save(tmp_path / "y.npy", np.zeros((3, 5)))
    files = ["--x", str(tmp_path / "x.npy"), "--y", str(tmp_path / "y.npy")]
    assert main(["lesson", "--plain", *files]) == 2
    error = capsys.readouterr().err
    assert "y.npy" in error and "3×5" in error and error.count("\n") == 1
