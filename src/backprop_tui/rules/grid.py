"""Sampling an image at the points of a grid, and the affine grids of spatial transformers.

(Jaderberg et al., 2015, arXiv:1506.02025.) Each point reads a few elements around it, its
taps, with weights that depend on where it lies between them. So the cotangent of the image is
dy times the weights, and that of the point dy times the taps times the weights' slopes.
"""

import torch
import torch.nn.functional as F

from .registry import rule, sample

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def cubic(t, inner):
    """The cubic kernel with a = −¾ and its slope, for |t| < 1 (`inner`) or 1 ≤ |t| < 2.

    (Keys, 1981, doi:10.1109/TASSP.1981.1163711.)
    """
    a, s, t = -0.75, t.sign(), t.abs()
    if inner:
        return ((a + 2) * t - (a + 3)) * t * t + 1, s * (3 * (a + 2) * t - 2 * (a + 3)) * t
    return ((t - 5) * t + 8) * a * t - 4 * a, s * a * ((3 * t - 10) * t + 8)


def reflected(x, size, align_corners):
    """x mirrored at the two edges until it lies between them, and the slope of that, 1 or −1."""
    low, span = (0, size - 1) if align_corners else (-0.5, size)
    if span == 0:
        return torch.zeros_like(x), torch.zeros_like(x)
    away = (x - low).abs()
    turned = (away / span).floor() % 2 == 1
    within = away % span
    slope = torch.where(turned, -1, 1) * torch.where(x < low, -1, 1)
    return torch.where(turned, span - within, within) + low, slope.to(x.dtype)


def padded(x, size, padding_mode, align_corners):
    """A coordinate brought into the image as the padding says, and the slope of that."""
    slope = torch.ones_like(x)
    if padding_mode == "zeros":
        return x, slope
    if padding_mode == "reflection":
        x, slope = reflected(x, size, align_corners)
    inside = (x > 0) & (x < size - 1)
    return x.clamp(0, size - 1), torch.where(inside, slope, 0)


def taps(coordinate, size, mode, padding_mode, align_corners):
    """The elements that a point reads along one dimension: [(index, weight, slope), …]."""
    stretch = (size - 1) / 2 if align_corners else size / 2
    x = (coordinate + 1) * stretch
    if not align_corners:
        x = x - 0.5
    if mode == "bicubic":
        first = x.floor()
        found = []
        for k in (-1, 0, 1, 2):
            weight, slope = cubic(x - first - k, k in (0, 1))
            index, _ = padded(first + k, size, padding_mode, align_corners)
            found.append((index, weight, slope * stretch))
        return found
    x, inner = padded(x, size, padding_mode, align_corners)
    if mode == "nearest":
        return [(x.round(), torch.ones_like(x), torch.zeros_like(x))]
    first = x.floor()
    slope = inner * stretch
    return [(first, first + 1 - x, -slope), (first + 1, x - first, slope)]


def crossed(along, sizes):
    """The taps of all dimensions combined: flat indices, weights, and slopes for each dimension.

    All have the shape (batch, points, taps). What lies outside the image has weight 0.
    """
    weight = torch.ones_like(along[0][0][0]).unsqueeze(-1)
    index = torch.zeros_like(weight, dtype=torch.long)
    slopes: list[torch.Tensor] = []
    for found, size in zip(along, sizes, strict=True):
        i, w, s = (torch.stack(parts, -1).unsqueeze(-2) for parts in zip(*found, strict=True))
        outside = ~((i >= 0) & (i < size))
        i, w, s = (torch.where(outside, 0, part) for part in (i, w, s))
        slopes = [(slope.unsqueeze(-1) * w).flatten(-2) for slope in slopes]
        slopes.append((weight.unsqueeze(-1) * s).flatten(-2))
        weight = (weight.unsqueeze(-1) * w).flatten(-2)
        index = (index.unsqueeze(-1) * size + i.long()).flatten(-2)
    return index, weight, slopes


def grid_samples(make):
    yield sample(make(2, 3, 4, 5), make(2, 3, 2, 2), align_corners=False)
    yield sample(make(2, 3, 4, 5), make(2, 3, 2, 2), "bicubic", "border", True)
    yield sample(make(1, 2, 3, 4, 5), make(1, 2, 2, 2, 3), padding_mode="reflection")


@rule(F.grid_sample, samples=grid_samples)
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """y[p] = Σₖ wₖ(p)·x[kth tap of p]; a point is (x, y) or (x, y, z), each from −1 to 1.

    ∂L/∂x adds up dy·wₖ where the taps lie; ∂L/∂p = Σₖ dy·x[tap]·∂wₖ/∂p.
    """
    sizes = input.shape[2:]
    points = grid.flatten(1, -2).flip(-1)
    along = [
        taps(points[..., d], size, mode, padding_mode, align_corners)
        for d, size in enumerate(sizes)
    ]
    index, weight, slopes = crossed(along, sizes)
    index = index.unsqueeze(1).expand(-1, input.shape[1], -1, -1)
    read = input.flatten(2).gather(2, index.flatten(2)).reshape(index.shape)
    y = (read * weight.unsqueeze(1)).sum(-1)
    y = y.reshape(*input.shape[:2], *grid.shape[1:-1])

    def backward(dy):
        dpoints = dy.flatten(2).unsqueeze(-1)
        dread = dpoints * weight.unsqueeze(1)
        dinput = torch.zeros_like(input).flatten(2)
        dinput = dinput.scatter_add(2, index.flatten(2), dread.flatten(2)).reshape(input.shape)
        dweight = (dpoints * read).sum(1)
        dgrid = torch.stack([(dweight * slope).sum(-1) for slope in reversed(slopes)], -1)
        dgrid = dgrid.reshape(grid.shape)
        return dinput, dgrid

    return y, backward


def numbered_samples(make):
    yield sample(make(2, 3, 4, 5), make(2, 3, 2, 2), 0, 0, False)
    yield sample(make(2, 3, 4, 5), make(2, 3, 2, 2), 2, 1, True)


@rule(torch.grid_sampler, torch.grid_sampler_2d, samples=numbered_samples)
def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """grid_sample, with numbers for the names of its modes."""
    names = MODES[interpolation_mode], PADDINGS[padding_mode]
    y, sample_backward = grid_sample(input, grid, *names, align_corners)

    def backward(dy):
        dinput, dgrid = sample_backward(dy)
        return dinput, dgrid

    return y, backward


@rule(
    torch.grid_sampler_3d,
    samples=lambda make: [sample(make(1, 2, 3, 4, 5), make(1, 2, 2, 2, 3), 0, 1, False)],
)
def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    """grid_sample of a volume, with numbers for the names of its modes."""
    y, sample_backward = grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)

    def backward(dy):
        dinput, dgrid = sample_backward(dy)
        return dinput, dgrid

    return y, backward


def affine_samples(make):
    yield sample(make(2, 2, 3), [2, 1, 3, 4], align_corners=False)
    yield sample(make(2, 3, 4), [2, 1, 2, 3, 4], align_corners=True)


@rule(F.affine_grid, samples=affine_samples)
def affine_grid(theta, size, align_corners=None):
    """Every point (x, y, 1) of an even grid mapped by the matrix θ of its image: y = p·θᵀ."""
    lines = []
    for n in reversed(size[2:]):
        line = torch.linspace(-1, 1, n, dtype=theta.dtype, device=theta.device)
        lines.append(line if align_corners and n > 1 else line * (n - 1) / n)
    mesh = torch.meshgrid(*reversed(lines), indexing="ij")
    points = torch.stack([*reversed(mesh), torch.ones_like(mesh[0])], -1).flatten(0, -2)
    y = (points @ theta.mT).reshape(*size[:1], *size[2:], len(lines))

    def backward(dy):
        dtheta = dy.flatten(1, -2).mT @ points
        return dtheta

    return y, backward
