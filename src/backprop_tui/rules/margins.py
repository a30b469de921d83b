"""Losses that ask for a margin: they are 0 once two scores lie far enough apart.

All are built of hinges max(0, z), which pass a cotangent where the margin is missed. At the
corner itself PyTorch's `clamp_min` passes it and its compiled losses do not; so do ours.
"""

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
from .loss import reduced, spelled_reduction, unreduced
from .norms import pairwise_distance
from .piecewise import minimum
from .registry import rule, sample


def signs(make, *shape):
    """Targets of 1 and -1."""
    return make.integers(2, *shape) * 2.0 - 1


def ranking_samples(make):
    yield sample(make(4), make(4), signs(make, 4))
    yield sample(make(4, 3), make(4, 3), signs(make, 4, 3), margin=0.5, reduction="sum")


@rule(F.margin_ranking_loss, samples=ranking_samples)
def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """max(0, m − t·(a − b)): where t = 1, a should rank above b by the margin.

    Where it is missed the slopes are −t in a, t in b and b − a in t.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    missing = margin - target * (input1 - input2)
    losses = missing.clamp(min=0)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        dmissing = torch.where(missing >= 0, dlosses, 0)
        dinput1 = unbroadcast(-dmissing * target, input1)
        dinput2 = unbroadcast(dmissing * target, input2)
        dtarget = unbroadcast(-dmissing * (input1 - input2), target)
        return dinput1, dinput2, dtarget

    return y, backward


def hinge_samples(make):
    yield sample(make(4, 3), signs(make, 4, 3))
    yield sample(make(4, 3), signs(make, 4, 3), margin=0.5, reduction="none")


@rule(F.hinge_embedding_loss, samples=hinge_samples)
def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """A distance x itself where t = 1, slope 1; and max(0, m − x) where t = −1, slope −1 or 0."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    alike = torch.where(target != -1, input, 0)
    missing = margin - input
    apart = torch.where(target != 1, missing.clamp(min=0), 0)
    losses = alike + apart
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        dalike = torch.where(target != -1, dlosses, 0)
        dapart = torch.where((target != 1) & (missing >= 0), dlosses, 0)
        dinput = unbroadcast(dalike - dapart, input)
        return dinput

    return y, backward


def cosine_samples(make):
    yield sample(make(4, 3), make(4, 3), signs(make, 4))
    yield sample(make(4, 3), make(4, 3), signs(make, 4), margin=0.5, reduction="sum")


@rule(F.cosine_embedding_loss, samples=cosine_samples)
def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """1 − cos(a, b) where t = 1, and max(0, cos(a, b) − m) where t = −1.

    With cos = a·b/(‖a‖‖b‖): ∂cos/∂a = b/(‖a‖‖b‖) − cos·a/‖a‖².
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    dim = target.dim()
    square1 = (input1 * input1).sum(dim, keepdim=True) + 1e-12
    square2 = (input2 * input2).sum(dim, keepdim=True) + 1e-12
    lengths = (square1 * square2).sqrt()
    product = input1 * input2
    cosine = product.sum(dim, keepdim=True) / lengths
    score = cosine.squeeze(dim)
    alike = torch.where(target == 1, 1 - score, 0)
    apart = torch.where(target == -1, (score - margin).clamp(min=0), 0)
    losses = alike + apart
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        dalike = torch.where(target == 1, dlosses, 0)
        dapart = torch.where((target == -1) & (score >= margin), dlosses, 0)
        dcosine = (dapart - dalike).unsqueeze(dim)
        dproduct = (dcosine / lengths).expand(product.shape)
        across1 = (dproduct * input2).sum_to_size(input1.shape)
        across2 = (dproduct * input1).sum_to_size(input2.shape)
        radial1 = (dcosine * cosine * input1 / square1).sum_to_size(input1.shape)
        radial2 = (dcosine * cosine * input2 / square2).sum_to_size(input2.shape)
        return unbroadcast(across1 - radial1, input1), unbroadcast(across2 - radial2, input2)

    return y, backward


def triplet_samples(make):
    yield sample(make(4, 3), make(4, 3), make(4, 3))
    yield sample(make(4, 3), make(4, 3), make(4, 3), margin=3.0, swap=True, reduction="none")


@rule(F.triplet_margin_loss, samples=triplet_samples)
def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2.0,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, m + ‖a − p‖ − ‖a − n‖): the anchor nearer to the positive than to the negative.

    With `swap` the negative's distance is the smaller one from the anchor and the positive
    (Balntas et al., 2016, doi:10.5244/C.30.119).
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    near, near_backward = pairwise_distance(anchor, positive, p, eps)
    far, far_backward = negative_distance(anchor, positive, negative, p, eps, swap)
    missing = margin + near - far
    losses = missing.clamp(min=0)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        dmissing = torch.where(missing >= 0, dlosses, 0)
        danchor_near, dpositive_near = near_backward(dmissing)
        danchor_far, dnegative, dpositive_far = far_backward(-dmissing)
        danchor = both(danchor_near, danchor_far)
        dpositive = both(dpositive_near, dpositive_far)
        return danchor, dpositive, dnegative

    return y, backward


def both(one, other):
    """What comes on two ways, where it comes at all."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


def negative_distance(anchor, positive, negative, p, eps, swap):
    """‖a − n‖, or the smaller of it and ‖p − n‖; its backward is for a, n and p."""
    far, far_backward = pairwise_distance(anchor, negative, p, eps)
    if not swap:
        return far, lambda dfar: (*far_backward(dfar), None)
    other, other_backward = pairwise_distance(positive, negative, p, eps)
    nearest, minimum_backward = minimum(far, other)

    def backward(dnearest):
        dfar, dother = minimum_backward(dnearest)
        danchor, dnegative_far = far_backward(dfar)
        dpositive, dnegative_other = other_backward(dother)
        return danchor, both(dnegative_far, dnegative_other), dpositive

    return nearest, backward


def multi_margin_samples(make):
    yield sample(make(4, 3), make.integers(3, 4))
    yield sample(make(4, 3), make.integers(3, 4), p=2, margin=0.5, weight=make.constant(3))


@rule(F.multi_margin_loss, samples=multi_margin_samples)
def multi_margin_loss(
    input,
    target,
    p=1,
    margin=1.0,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """Σⱼ max(0, m − x_t + xⱼ)ᵖ/n over the n − 1 wrong classes: the right one wins by m.

    Each class that comes too near has the slope p·max(0, …)ᵖ⁻¹/n; the right one, minus their
    sum (Crammer and Singer, 2001, "On the algorithmic implementation of multiclass
    kernel-based vector machines").
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    scores = torch.atleast_1d(input)
    aim = target.reshape(*scores.shape[:-1], 1)
    missing = margin - scores.gather(-1, aim) + scores
    missing = missing.clamp(min=0).scatter(-1, aim, 0)
    w = 1 if weight is None else weight[aim]
    losses = (w * missing**p).mean(-1).reshape(target.shape)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction).reshape(aim.shape)
        slope = (missing > 0).to(input.dtype) if p == 1 else 2 * missing
        dmissing = w * slope * dlosses / scores.shape[-1]
        dscores = dmissing.scatter(-1, aim, -dmissing.sum(-1, keepdim=True))
        dinput = dscores.reshape(input.shape)
        return dinput

    return y, backward


def multilabel_samples(make):
    yield sample(make(2, 4), torch.tensor([[3, 0, -1, 1], [-1, 0, 0, 0]]))
    yield sample(make(4), torch.tensor([1, 2, -1, 1]), reduction="sum")


@rule(F.multilabel_margin_loss, samples=multilabel_samples)
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Σ max(0, 1 − x_t + xⱼ)/n over every right class t and wrong class j of a row.

    A row's right classes are those before its first −1.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    scores, labels = torch.atleast_1d(input, target)
    kept = (labels >= 0).cumprod(-1) > 0
    aim = torch.where(kept, labels, 0)
    right = torch.zeros_like(scores).scatter_add(-1, aim, kept.to(input.dtype)) > 0
    missing = 1 - scores.gather(-1, aim).unsqueeze(-1) + scores.unsqueeze(-2)
    counts = (missing > 0) & kept.unsqueeze(-1) & ~right.unsqueeze(-2)
    losses = torch.where(counts, missing, 0).sum((-2, -1)) / scores.shape[-1]
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        dmissing = counts * dlosses[..., None, None] / scores.shape[-1]
        dscores = dmissing.sum(-2).scatter_add(-1, aim, -dmissing.sum(-1))
        dinput = dscores.reshape(input.shape)
        return dinput

    return y, backward
