"""Families whose shapes follow one logic, on shapes and memory that hypothesis draws."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.registry import find
from tests.rules.oracle import autograd_side, complaint
from tests.rules.variations import REFUSALS, strided

SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
MEMORY = st.sampled_from(["packed", "strided", "expanded"])
MATMUL = mutually_broadcastable_shapes(
    signature="(m?,n),(n,p?)->(m?,p?)", min_side=0, max_side=3, max_dims=2
)
few = settings(max_examples=20)
pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of empty shapes and broadcasts


def normal(shape, memory="packed"):
    """The same numbers for one shape, laid out in memory as asked; a row repeated if expanded."""
    generator = torch.Generator().manual_seed(len(shape))
    made = torch.randn(tuple(shape), dtype=torch.float64, generator=generator)
    if memory == "strided":
        made = strided(made)
    elif memory == "expanded" and made.dim() and made.numel():
        made = made[:1].expand(made.shape)
    return made.requires_grad_()


def agrees(op, *args, **kwargs):
    """Whether the rule of a call that torch takes agrees with autograd."""
    try:
        autograd_side(op, args, kwargs)
    except REFUSALS:
        assume(False)
    return complaint(find(op), op, args, kwargs) == ""


def named(ops):
    return pytest.mark.parametrize("op", ops, ids=lambda op: op.__name__)


@named([torch.exp, torch.tanh, torch.abs, F.gelu, F.silu, F.softplus, F.hardtanh, torch.erf])
@few
@given(shape=SHAPES, memory=MEMORY)
def test_a_pointwise_rule_on_any_shape(op, shape, memory):
    assert agrees(op, normal(shape, memory))


@named([torch.sum, torch.mean, torch.amax, torch.amin, torch.logsumexp, torch.var, torch.std])
@few
@given(shape=SHAPES, memory=MEMORY, keepdim=st.booleans(), data=st.data())
def test_a_reduction_over_any_dimensions(op, shape, memory, keepdim, data):
    dims = st.integers(-max(len(shape), 1), max(len(shape), 1) - 1)
    dim = data.draw(st.lists(dims, min_size=1, unique_by=lambda d: d % max(len(shape), 1)))
    assert agrees(op, normal(shape, memory), dim=tuple(dim), keepdim=keepdim)


@named([torch.prod, torch.cumsum, torch.cumprod, torch.logcumsumexp, torch.cummax, torch.cummin])
@few
@given(shape=SHAPES, memory=MEMORY, data=st.data())
def test_along_any_one_dimension(op, shape, memory, data):
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    assert agrees(op, normal(shape, memory), dim)


@named([F.softmax, F.log_softmax, torch.sort, torch.flip, torch.unbind])
@few
@given(shape=SHAPES, memory=MEMORY, data=st.data())
def test_rows_of_any_dimension(op, shape, memory, data):
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    asked = (dim,) if op is torch.flip else dim
    assert agrees(op, normal(shape, memory), **{"dims" if op is torch.flip else "dim": asked})


@few
@given(shapes=MATMUL, memory=st.tuples(MEMORY, MEMORY))
def test_matmul_of_any_two_shapes(shapes, memory):
    assert agrees(torch.matmul, *map(normal, shapes.input_shapes, memory))


@named([F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.kl_div, F.poisson_nll_loss])
@few
@given(
    shapes=mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    memory=st.tuples(MEMORY, MEMORY),
    reduction=st.sampled_from(["none", "sum", "mean"]),
)
def test_a_loss_of_what_broadcasts(op, shapes, memory, reduction):
    input, target = map(normal, shapes.input_shapes, memory)
    target = target.detach().abs().add(0.5).requires_grad_()
    assert agrees(op, input, target, reduction=reduction)


@named([torch.gather, torch.take_along_dim, torch.index_select])
@few
@given(
    shape=array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3),
    memory=MEMORY,
    count=st.integers(0, 4),
    data=st.data(),
)
def test_elements_by_their_number_and_back(op, shape, memory, count, data):
    dim = data.draw(st.integers(0, max(len(shape), 1) - 1))
    sizes = [count if d == dim else size for d, size in enumerate(shape)]
    size = shape[dim] if shape else 1
    index = torch.arange(max(1, count)).mul(2).remainder(size)[:count]
    if op is not torch.index_select:
        index = index.reshape([-1 if d == dim else 1 for d in range(len(shape))] or [count])
        index = index.expand(sizes) if shape else index
    order = (index, dim) if op is torch.take_along_dim else (dim, index)
    assert agrees(op, normal(shape, memory), *order)
    if op is torch.gather:
        for write, how in ((torch.scatter_add, ()), (torch.scatter_reduce, ("mean",))):
            assert agrees(write, normal(shape, memory), dim, index, normal(sizes), *how)


@few
@given(
    n=st.integers(1, 2),
    batch=st.integers(0, 2),
    groups=st.integers(1, 2),
    size=st.integers(1, 5),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    memory=MEMORY,
    transposed=st.booleans(),
)
def test_a_convolution_of_any_parameters(
    n, batch, groups, size, kernel, stride, padding, dilation, memory, transposed
):
    into, out = (2 * groups, 1) if transposed else (3 * groups, 2)
    ops = (F.conv_transpose1d, F.conv_transpose2d) if transposed else (F.conv1d, F.conv2d)
    input = normal([batch, 2 * groups, *[size] * n], memory)
    weight = normal([into, out, *[kernel] * n], memory)
    told = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    assert agrees(ops[n - 1], input, weight, **told)


@named([F.max_pool1d, F.max_pool2d, F.avg_pool1d, F.avg_pool2d])
@few
@given(
    shape=array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
    ceil=st.booleans(),
    memory=MEMORY,
)
def test_a_pool_of_any_parameters(op, shape, kernel, stride, padding, ceil, memory):
    told = {"stride": stride, "padding": padding, "ceil_mode": ceil}
    assert agrees(op, normal(shape, memory), kernel, **told)


@named([F.layer_norm, F.rms_norm])
@few
@given(shape=SHAPES, memory=MEMORY, data=st.data())
def test_a_norm_of_any_last_dimensions(op, shape, memory, data):
    count = data.draw(st.integers(1, max(len(shape), 1)))
    own = shape[-count:]
    weight = normal(own) if data.draw(st.booleans()) else None
    assert agrees(op, normal(shape, memory), own, weight)
