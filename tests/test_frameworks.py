"""Loops that others write: checked unmodified, they agree, and train to the very same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "frameworks"
CHECK = ["-m", "backprop_tui", "check", "--json", "--steps", "all"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
LOOPS = {
    "Lightning": (["lightning"], [], ["lightning_fit.py"]),
    "Accelerate": (["accelerate"], [], ["accelerate_loop.py"]),
    "Trainer": (["accelerate", "transformers"], [], ["trainer_train.py"]),
    "forked workers": ([], [], ["loader_workers.py", "fork"]),
    "spawned workers": ([], [], ["loader_workers.py", "spawn"]),
    "torchrun": ([], TORCHRUN, ["one_process.py"]),
}
"""Name -> the packages that it needs, what starts it, and the script with its arguments."""


def started(*arguments):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=SCRIPTS, env=environment, stdout=-1, stderr=-1, stdin=-3, text=True
    )


def weights(said):
    return next(line for line in said.splitlines() if line.startswith("weights"))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_agrees_and_trains_to_the_same_bits(loop):
    needs, launcher, script = LOOPS[loop]
    for name in needs:
        if find_spec(name) is None:
            pytest.skip(f'{name} is not installed: pip install -e ".[frameworks,models]"')
    plain = started(*launcher, *script)
    checked = started(*launcher, *CHECK, *script)
    (trained, complaint), (answer, said) = plain.communicate(), checked.communicate()
    assert plain.returncode == 0, complaint
    assert checked.returncode == 0, said
    report = json.loads(answer)
    assert report["verdict"] in ("exact", "rounding") and len(report["steps"]) == 4
    assert report["updates"] and report["findings"] == []
    assert weights(said) == weights(trained)
