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
    "seen and not yet explained: equals of x that include_self=False leaves out": {
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
    "PyTorch's vector code and its scalar code differ at NaN": {
        "nan": "nn.functional.celu nn.functional.elu nn.functional.hardswish "
        "nn.functional.hardtanh nn.functional.relu6 nn.functional.selu",
    },
    "seen and not yet explained: a singular matrix, or one with NaN": {
        "ties": "linalg.solve_ex lu ormqr",
        "zero": "linalg.lu_solve lu_solve linalg.cholesky_ex",
        "inf": "linalg.cholesky_ex linalg.householder_product ormqr",
        "nan": "linalg.cholesky_ex linalg.householder_product linalg.matrix_norm",
    },
    "seen and not yet explained: 8000 numbers with equals, sorted": {
        "zero inf nan": "msort",
    },
    "seen and not yet explained: a formula at 0, infinity or NaN": {
        "ties": "__rdiv__ nn.functional.binary_cross_entropy nn.functional.kl_div "
        "nn.functional.poisson_nll_loss",
        "zero": "__rdiv__ logit mvlgamma.mvlgamma_p_1 mvlgamma.mvlgamma_p_3 "
        "mvlgamma.mvlgamma_p_5 nn.functional.binary_cross_entropy nn.functional.kl_div "
        "nn.functional.poisson_nll_loss",
        "inf": "acosh cdist copysign corrcoef cov cumprod linalg.vander logcumsumexp "
        "masked.cumprod masked.prod native_layer_norm "
        "nn.functional.binary_cross_entropy_with_logits nn.functional.ctc_loss "
        "nn.functional.feature_alpha_dropout.with_train nn.functional.instance_norm "
        "nn.functional.kl_div nn.functional.multi_margin_loss "
        "nn.functional.multilabel_soft_margin_loss nn.functional.normalize "
        "nn.functional.poisson_nll_loss nn.functional.softsign prod special.log_ndtr",
        "nan": "amax amin aminmax clamp cdist copysign corrcoef cumprod index_reduce.amax "
        "index_reduce.amin linalg.norm.subgradients_at_zero linalg.vector_norm logcumsumexp "
        "logit masked.amax masked.amin masked.cumprod masked.norm masked.normalize masked.prod "
        "nanmean nn.functional.ctc_loss nn.functional.feature_alpha_dropout.with_train "
        "nn.functional.multi_margin_loss nn.functional.normalize norm.inf renorm "
        "scatter_reduce.amax scatter_reduce.amin special.i1 special.i1e",
    },
}


def kinds_apart(name: str) -> set[str]:
    """The kinds of change under which an op_db variant parts from autograd."""
    return {
        kind
        for groups in REASONS.values()
        for kinds, names in groups.items()
        if name in names.split()
        for kind in kinds.split()
    }
