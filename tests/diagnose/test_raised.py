"""Exceptions by their words, also those of other devices and versions of torch."""

from __future__ import annotations

import pytest

from backprop_tui.diagnose import Examined
from backprop_tui.diagnose.raised import raised
from backprop_tui.tape import Tape

SAID = {
    "device-mismatch": [
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and"
        " cpu! (when checking argument for argument mat1 in method wrapper_addmm)",
        "Input type (torch.cuda.FloatTensor) and weight type (torch.FloatTensor) should be the "
        "same",
        "Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor) should be the "
        "same or input should be a MKLDNN tensor and weight is a dense tensor",
    ],
    "dtype-mismatch": [
        "Input type (torch.cuda.HalfTensor) and weight type (torch.cuda.FloatTensor) should be the "
        "same",
        "Input type (double) and bias type (float) should be the same",
        "mat1 and mat2 must have the same dtype, but got Double and Float",
        "expected scalar type Float but found Double",
    ],
    "index-out-of-range": ["Target 10 is out of bounds."],
    "leaf-in-place": [
        "leaf variable has been moved into the graph interior",
        "a leaf Variable that requires grad has been used in an in-place operation.",
    ],
    "unused-input": [
        "One of the differentiated Tensors appears to not have been used in the graph. Set "
        "allow_unused=True if this is the desired behavior.",
        "One of the differentiated Tensors does not require grad",
        "Expected to have finished reduction in the prior iteration before starting a new one.",
    ],
    "no-derivative": [
        "derivative for aten::histc is not implemented",
        "the derivative for '_cdist_backward' is not implemented.",
    ],
}
CASES = [(said, kind) for kind, messages in SAID.items() for said in messages]


@pytest.mark.parametrize(("said", "kind"), CASES)
def test_an_exception_is_known_by_its_words(said, kind):
    (found,) = raised(Examined(Tape(), (), error=RuntimeError(said)))
    assert found.kind == kind and said.rstrip(".") in found.message
    assert "{" not in found.why + found.fix


@pytest.mark.parametrize("said", ["", "division by zero", "out of memory", "no such file"])
def test_others_are_left_alone(said):
    assert list(raised(Examined(Tape(), (), error=RuntimeError(said)))) == []


def test_without_an_exception_there_is_nothing_to_say():
    assert list(raised(Examined(Tape(), ()))) == []
