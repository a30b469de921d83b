"""Every rule on its own samples: against autograd, and against finite differences."""

import pytest
import torch
from torch.utils._pytree import tree_map

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.registry import RULES, Make
from tests.rules.oracle import complaint
from tests.rules.slope import finite_difference_complaint

ALL = sorted({rule.name: rule for rule in RULES.values()}.items())
EACH_RULE = pytest.mark.parametrize("rule", [rule for _, rule in ALL], ids=[n for n, _ in ALL])


# These arguments ask for something else than the derivative.
NOT_THE_SLOPE = {"scale_grad_by_freq", "padding_idx", "hard"}


# Where autograd itself is wrong, by finite differences: beside each rule stands how.
AUTOGRAD_IS_WRONG = {"as_strided_scatter"}


# Where autograd has a convention of its own, and the rule follows it: the rule says how.
CONVENTIONS = {
    *("ctc_loss", "native_batch_norm", "native_layer_norm", "normal"),
    *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine"),
}


# What torch computes in float32 at most.
FLOAT32_ONLY = {"grouped_mm"}


def leaf(value):
    """A tensor cut off from how the sample made it."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)


def samples(rule, dtype):
    for sample in rule.samples(Make(dtype, requires_grad=True)):
        yield tree_map(leaf, (sample.args, sample.kwargs))


def accepts(target, args, kwargs):
    """Whether torch takes this call of this spelling: in place, a result may not broadcast."""
    with torch.no_grad():
        args, kwargs = tree_map(leaf, (args, kwargs))
        try:
            return target(*args, **kwargs) is not NotImplemented
        except (TypeError, RuntimeError):
            return False


@EACH_RULE
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_a_rule_agrees_with_autograd_for_each_of_its_targets(rule, dtype):
    if rule.name in AUTOGRAD_IS_WRONG:
        pytest.skip("finite differences alone judge it")
    if rule.name in FLOAT32_ONLY and dtype is torch.float64:
        pytest.skip("torch has no float64 kernel")
    refused_by_all = set(range(len(list(samples(rule, dtype)))))
    for target in rule.targets:
        accepted = 0
        for number, (args, kwargs) in enumerate(samples(rule, dtype)):
            if accepts(target, args, kwargs):
                accepted += 1
                try:
                    assert complaint(rule, target, args, kwargs) == "", target
                except NotImplementedError:  # autograd has no derivative of acosh_
                    continue
                refused_by_all.discard(number)
        assert accepted, f"no sample of the rule is a call of {target}"
    assert not refused_by_all, "a sample is no call of any target"


@pytest.mark.parametrize("rule", [r for n, r in ALL if n in AUTOGRAD_IS_WRONG])
def test_autograd_is_still_wrong_where_we_say_so(rule):
    calls = samples(rule, torch.float64)
    assert any(complaint(rule, rule.targets[0], args, kwargs) for args, kwargs in calls)


@EACH_RULE
def test_a_rule_agrees_with_finite_differences(rule):
    if rule.name in CONVENTIONS:
        pytest.skip("autograd's gradient is not the slope, and the rule follows it")
    dtype = torch.float32 if rule.name in FLOAT32_ONLY else torch.float64
    for args, kwargs in samples(rule, dtype):
        if NOT_THE_SLOPE & kwargs.keys():
            continue
        target = next(target for target in rule.targets if accepts(target, args, kwargs))
        assert finite_difference_complaint(rule, target, args, kwargs) == ""
