"""Where rules and autograd part on changed calls (`variations`), and why.

The test holds this list to what is: a variant that parts without standing here fails it, and
one that stands here and agrees fails it too.
"""

from __future__ import annotations

REASONS: dict[str, dict[str, str]] = {
    "finite differences contradict autograd: see the rule": {
        "strided int32 ties zero inf nan asked": "as_strided_scatter",
        "ties zero inf": "polar",
    },
    "include_self=False: autograd counts an x that equals the extreme, and is not in it": {
        "zero inf": "scatter_reduce.amax scatter_reduce.amin",
    },
    "the rule reads memory as autograd's copy does not: the call is a view": {
        "strided": "view_copy",
    },
    "a window or an interpolation is a matrix product here, in which 0·NaN is NaN": {
        "inf nan": "nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d "
        "nn.functional.adaptive_avg_pool3d nn.functional.avg_pool1d nn.functional.avg_pool2d "
        "nn.functional.avg_pool3d nn.functional.interpolate.area "
        "nn.functional.interpolate.bilinear nn.functional.interpolate.linear "
        "nn.functional.interpolate.nearest nn.functional.interpolate.nearest-exact "
        "nn.functional.interpolate.trilinear nn.functional.local_response_norm "
        "nn.functional.upsample_bilinear nn.functional.upsample_nearest grid_sampler_2d "
        "nn.functional.grid_sample nn.functional.scaled_dot_product_attention",
        "nan": "nn.functional.interpolate.bicubic",
        "inf": "nn.functional.bilinear linalg.multi_dot",
    },
    "PyTorch's vector code and its scalar code differ at NaN, or at -0": {
        "zero": "logit",
        "nan": "nn.functional.celu nn.functional.elu nn.functional.hardswish "
        "nn.functional.hardtanh nn.functional.relu6 nn.functional.selu logit",
    },
    "a reflection with NaN, infinity or tau = 0: LAPACK skips or divides, the rule multiplies": {
        "ties": "ormqr",
        "inf": "linalg.householder_product ormqr",
        "nan": "linalg.householder_product",
    },
    "a singular matrix: what is divided by 0, in which order, makes infinity or NaN": {
        "ties": "linalg.solve_ex",
        "zero": "linalg.lu_solve lu_solve",
    },
    "PyTorch loses a NaN on its way, the rule carries it on": {
        "nan": "linalg.vector_norm masked.norm masked.normalize "
        "norm.inf renorm nn.functional.multi_margin_loss special.i1 special.i1e",
    },
    "the norm of order 0 is constant: the rule multiplies its 0 by x, autograd leaves it out": {
        "inf nan": "nn.functional.normalize",
    },
    "differences of order 0 count what differs: for PyTorch NaN and infinity - infinity are NaN": {
        "inf nan": "cdist",
    },
    "the product of the others: autograd divides the product of all by x": {
        "inf": "cumprod masked.cumprod masked.prod prod",
        "nan": "cumprod masked.cumprod masked.prod",
    },
    "a slope that has a limit here: autograd multiplies 0 by infinity, or divides 0 by 0": {
        "ties": "nn.functional.kl_div nn.functional.poisson_nll_loss",
        "zero": "nn.functional.kl_div nn.functional.poisson_nll_loss",
        "inf": "linalg.vander nn.functional.poisson_nll_loss nn.functional.softsign "
        "special.log_ndtr",
    },
    "outside of where it is defined, y is NaN: autograd's slope is the number 0": {
        "inf": "acosh",
    },
    "a probability of 0 or 1: the floor is a float32 in PyTorch, and none for the target": {
        "ties zero": "nn.functional.binary_cross_entropy",
    },
    "infinity less infinity, taken in another order": {
        "inf": "cov native_layer_norm nn.functional.binary_cross_entropy_with_logits "
        "nn.functional.multi_margin_loss "
        "nn.functional.multilabel_soft_margin_loss",
    },
    "of one variable the correlation is 1 whatever it is: the rule says 0, autograd NaN": {
        "inf nan": "corrcoef",
    },
    "a path through NaN or infinity: autograd gives NaN to classes that no path uses": {
        "inf nan": "nn.functional.ctc_loss",
    },
    "what is dropped is multiplied by 0 in PyTorch, 0·NaN": {
        "inf nan": "nn.functional.feature_alpha_dropout.with_train",
    },
}


def kinds_apart(name: str, reasons: dict[str, dict[str, str]] = REASONS) -> set[str]:
    """The kinds of change under which an op_db variant, or a rule, parts from autograd."""
    return {
        kind
        for groups in reasons.values()
        for kinds, names in groups.items()
        if name in names.split()
        for kind in kinds.split()
    }
