"""Programs checked without a screen: `backprop-tui check SCRIPT`."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from backprop_tui import diagnose
from backprop_tui.cli import main

TRAIN = """
    import sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        loss = model(torch.ones(2, 3)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("epoch", epoch)
    print("to the end", __name__, sys.argv)
"""


@pytest.fixture(autouse=True)
def _the_interpreter_as_it_was(monkeypatch):
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Writes a script into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="train.py"):
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    return write


def test_a_script_that_is_right(script, capfd):
    assert main(["check", script(TRAIN), "2"]) == 0
    out = capfd.readouterr().out
    assert "to the end __main__ ['train.py', '2']" in out
    assert "manual and autograd agree in 2 training steps" in out and "0.weight" in out


def test_json_alone_is_on_stdout(script, capfd):
    assert main(["check", "--json", "--steps", "1", script(TRAIN)]) == 0
    out, err = capfd.readouterr()
    told = json.loads(out)
    assert told["verdict"] == "exact" and told["findings"] == [] and told["error"] is None
    assert len(told["steps"]) == 1
    assert "epoch 0" in err and "epoch 1" not in err


@pytest.mark.parametrize(("steps", "count"), [("2", 2), ("2-3", 2), ("all", 7)])
def test_the_steps_to_check(script, capfd, steps, count):
    assert main(["check", "--json", "--steps", steps, script(TRAIN), "7"]) == 0
    assert len(json.loads(capfd.readouterr().out)["steps"]) == count


def test_a_module_and_a_function(script, capfd, tmp_path):
    (tmp_path / "package").mkdir()
    script("", "package/__init__.py")
    script(TRAIN, "package/__main__.py")
    assert main(["check", "-m", "package", "1"]) == 0
    assert "__main__.py', '1']" in capfd.readouterr().out
    script(
        """
        import torch
        def loss():
            w = torch.ones(3, requires_grad=True)
            return (w * 2).sum()
        """,
        "library.py",
    )
    assert main(["check", "--json", "library:loss"]) == 0
    (step,) = json.loads(capfd.readouterr().out)["steps"]
    assert [row["name"] for row in step["parameters"]] == ["w"]


WRONG = """
    import torch

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, dy):
            return 3 * dy

    x = torch.ones(3, requires_grad=True)
    Double.apply(x).sum().backward()
"""


def test_a_wrong_derivative_fails(script, capfd):
    assert main(["check", script(WRONG)]) == 1
    assert "first op at fault: Double" in capfd.readouterr().out


def test_capsules_and_junit_for_ci(script, capfd, tmp_path):
    folder, junit = tmp_path / "capsules", tmp_path / "junit.xml"
    asked = ["check", "--capsule", str(folder), "--junit", str(junit), "--steps", "2"]
    assert main([*asked, script(WRONG)]) == 1
    (capsule,) = folder.glob("*.py")
    assert str(capsule) in capfd.readouterr().err
    assert "def test_the_slope" in capsule.read_text()
    assert 'failures="' in junit.read_text() and str(capsule) not in junit.read_text()
    assert main(["check", "--junit", str(tmp_path), script(WRONG)]) == 2


def test_a_script_that_compiles_its_model(script):
    text = TRAIN.replace("for epoch", "model = torch.compile(model)\n    for epoch")
    command = [sys.executable, "-m", "backprop_tui", "check", "--json", script(text)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] in ("exact", "rounding") and len(report["steps"]) == 3


def test_a_script_that_raises(script, capfd):
    text = TRAIN.replace("loss.backward()", "loss.backward(); raise ValueError('oh')")
    assert main(["check", "--json", script(text)]) == 3
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert report["error"] == {"type": "ValueError", "message": "oh"}
    assert report["verdict"] == "exact" and len(report["steps"]) == 1  # its passes are judged
    assert "ValueError: oh" in err and "train.py" in err and "backprop_tui" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "check what?"),
        (["check", "missing.py"], "cannot read the script missing.py"),
        (["check", "-m", "no_such_module"], "no module is called no_such_module"),
        (["check", "no_such_module:f"], "no module is called no_such_module"),
        (["check", "--lesson", "two-layer", "train.py"], "not both"),
    ],
)
def test_what_cannot_be_checked(script, capfd, arguments, said):
    assert main(arguments) == 2
    assert said in capfd.readouterr().err


@pytest.mark.parametrize("steps", ["0", "3-2", "x"])
def test_steps_that_are_none(steps, capfd):
    with pytest.raises(SystemExit):
        main(["check", "--steps", steps, "train.py"])
    assert "--steps" in capfd.readouterr().err


def test_a_script_that_never_differentiates(script, capfd):
    assert main(["check", script("import torch\nprint(torch.ones(3) * 2)")]) == 2
    assert "nothing to check in train.py: its main thread ran 2 torch ops" in capfd.readouterr().err


def test_a_detector_that_fails_ends_nothing(script, capfd, monkeypatch):
    def unlucky(examined):
        raise LookupError("no such luck")

    monkeypatch.setattr(diagnose, "DETECTORS", (unlucky, *diagnose.DETECTORS))
    assert main(["check", script(TRAIN)]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "[detector-failed]" in text
    assert "unlucky cannot examine this step: LookupError: no such luck" in text
