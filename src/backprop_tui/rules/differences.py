"""Differences of neighbours, slopes, and areas under sampled curves, along one dimension."""

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
from .cumulative import reversed_cumsum
from .registry import rule, sample, spellings


def difference_adjoint(dy, dim):
    """xᵢ is taken from one difference and added to the next: dxᵢ = dyᵢ₋₁ − dyᵢ."""
    edge = torch.zeros_like(dy.narrow(dim, 0, min(1, dy.shape[dim])))
    return -torch.diff(torch.cat([edge, dy, edge], dim), dim=dim)


def diff_samples(make):
    yield sample(make(2, 5))
    yield sample(make(5, 2), 2, 0)
    yield sample(make(2, 3), prepend=make(2, 1), append=make(2, 2))


@rule(*spellings("diff"), samples=diff_samples)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """yᵢ = xᵢ₊₁ − xᵢ, taken n times; where n is 0 nothing is prepended or appended."""
    if n == 0:
        prepend = append = None
    parts = [part for part in (prepend, input, append) if part is not None]
    sizes = [part.shape[dim] for part in parts]
    joined = torch.cat(parts, dim) if len(parts) > 1 else input
    y = torch.diff(joined, n, dim)

    def backward(dy):
        djoined = dy if y.numel() or n == 0 else torch.zeros_like(joined)
        for _ in range(n if y.numel() else 0):
            djoined = difference_adjoint(djoined, dim)
        pairs = zip(djoined.split(sizes, dim), parts, strict=True)
        dparts = [unbroadcast(dpart, part) for dpart, part in pairs]
        dprepend = None if prepend is None else dparts.pop(0)
        dappend = None if append is None else dparts.pop()
        dinput = dparts.pop()
        return dinput, None, None, dprepend, dappend

    return y, backward


def gradient_samples(make):
    yield sample(make(5))
    yield sample(make(3, 4), spacing=0.5, edge_order=2)
    yield sample(make(3, 4), spacing=[torch.tensor([0.0, 1.0, 3.0])], dim=0)
    yield sample(make(3, 4), spacing=torch.tensor(0.5))
    yield sample(make(3, 4), spacing=(make(3), make(4)), edge_order=2)
    yield sample(make(2, 3), spacing=(make(2),), dim=0)


@rule(torch.gradient, samples=gradient_samples)
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """Slopes along each dimension, second order accurate inside.

    A slope is a matrix D times x, and D is what the slope makes of the unit vectors. So the
    adjoint is Dᵀ. The points that slopes are taken at have cotangents too.
    """
    dims = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    spacings = list(spacing) if isinstance(spacing, list | tuple) else [spacing] * len(dims)
    y = torch.gradient(input, spacing=spacing, dim=dim, edge_order=edge_order)

    def backward(*dy):
        dinput = torch.zeros_like(input)
        dspacing = []
        for along, step, dslope in zip(dims, spacings, dy, strict=True):
            unit = torch.eye(input.shape[along], dtype=input.dtype, device=input.device)
            dslope = dslope.movedim(along, -1)
            points = isinstance(step, torch.Tensor) and step.dim() > 0
            spread = [step] if points else step
            D = torch.gradient(unit, spacing=spread, dim=0, edge_order=edge_order)[0]
            dinput = dinput + (dslope @ D).movedim(-1, along)
            x = input.movedim(along, -1).to(dslope.dtype)
            dpoints = points_cotangent(x, step, dslope, edge_order) if points else None
            dspacing.append(dpoints if dpoints is None else unbroadcast(dpoints, step))
        return (
            unbroadcast(dinput, input),
            dspacing if isinstance(spacing, list | tuple) else None,
        )

    return y, backward


def points_cotangent(x, points, dslope, edge_order):
    """∂L/∂points of slopes along the last dimension.

    With widths h = Δpoints, secants s = Δx/h and bends b = Δs/(h + the next h), a slope is
    s + h·b of the width to its left. At both ends it is s, and in second order s − h·b at the near.
    """
    h = torch.diff(points)
    secant = torch.diff(x) / h
    total = h[:-1] + h[1:]
    bend = torch.diff(secant) / total
    first, left, last = dslope.tensor_split((1, -1), -1)
    right = torch.zeros_like(left)
    size = len(h) - 1
    dsecant = F.pad(left, (0, 1)) + F.pad(first, (0, size)) + F.pad(last, (size, 0))
    if edge_order == 2:
        left = left - F.pad(first, (0, size - 1))
        right = F.pad(last, (size - 1, 0))
    dbend = left * h[:-1] + right * h[1:]
    dgap = dbend / total
    dsecant = dsecant + F.pad(dgap, (1, 0)) - F.pad(dgap, (0, 1))
    dtotal = -dbend * bend / total
    dh = F.pad(left * bend + dtotal, (0, 1)) + F.pad(right * bend + dtotal, (1, 0))
    dh = dh - dsecant * secant / h
    return difference_adjoint(dh.sum_to_size(h.shape), -1)


def neighbours(points, dim):
    """All points but the last, and all but the first: those beside them."""
    size = max(points.shape[dim] - 1, 0)
    return points.narrow(dim, 0, size), points.narrow(dim, points.shape[dim] - size, size)


def strips(y, x, dx, dim):
    """The areas between neighbouring points, (yᵢ + yᵢ₊₁)/2·(xᵢ₊₁ − xᵢ), and their backward."""
    points = x
    if x is not None and x.dim() == 1:
        points = x.reshape([-1 if d == dim % y.dim() else 1 for d in range(y.dim())])
    widths = dx if x is None else torch.diff(points, dim=dim)
    left, right = neighbours(y, dim)
    heights = (left + right) / 2
    areas = heights * widths

    def backward(dareas):
        dheights = (dareas * widths).sum_to_size(heights.shape)
        dy = dheights.new_zeros(y.shape)
        for part in neighbours(dy, dim):
            part.add_(dheights / 2)
        dy = unbroadcast(dy, y)
        if x is None:
            return dy, None
        dwidths = (dareas * heights).sum_to_size(widths.shape)
        dpoints = dwidths.new_zeros(points.shape)
        near, far = neighbours(dpoints, dim)
        near.sub_(dwidths)
        far.add_(dwidths)
        dx = unbroadcast(dpoints.reshape(x.shape), x)
        return dy, dx

    return areas, backward


def area_samples(make):
    yield sample(make(2, 4))
    yield sample(make(2, 4), make(4))
    yield sample(make(4, 2), dx=0.5, dim=0)


@rule(torch.trapezoid, torch.trapz, samples=area_samples)
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under a curve through points (xᵢ, yᵢ), Σ (yᵢ + yᵢ₊₁)/2·(xᵢ₊₁ − xᵢ)."""
    areas, strips_backward = strips(y, x, dx, dim)
    area = areas.sum(dim)

    def backward(darea):
        dareas = darea.unsqueeze(dim).expand_as(areas)
        dy, dpoints = strips_backward(dareas)
        return dy, dpoints

    return area, backward


@rule(torch.cumulative_trapezoid, samples=area_samples)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area up to each point: each trapezoid receives from all areas behind it."""
    areas, strips_backward = strips(y, x, dx, dim)
    area = areas.cumsum(dim)

    def backward(darea):
        dareas = reversed_cumsum(darea, dim)
        dy, dpoints = strips_backward(dareas)
        return dy, dpoints

    return area, backward
