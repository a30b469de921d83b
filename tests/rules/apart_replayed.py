"""Where rules and autograd part on replays of the rules' own samples (`replays`), and why."""

from __future__ import annotations

REASONS: dict[str, dict[str, str]] = {
    "autograd's answer is further from float64: it cancels, or leaves the range on its way": {
        "large": "householder_product log_ndtr logcumsumexp ormqr soft_margin_loss softsign",
        "huge": "acosh angle dist gradient linalg_norm log_ndtr logcumsumexp lstsq "
        "native_group_norm native_layer_norm normalize rms_norm rnn_relu soft_margin_loss softsign "
        "vander vector_norm",
        "tiny": "angle gradient multilabel_soft_margin_loss",
        "subnormal": "cov cumprod det index_reduce multilabel_soft_margin_loss polar "
        "scatter_reduce segment_reduce vander xlogy",
    },
    "of complex vectors, whose phase a loss must not ask for, but for autograd's rounding": {
        "large": "svd",
    },
    "beyond float32's range on the way, 0 times infinity after it: a window is a matrix here": {
        "huge": "local_response_norm lp_pool1d lp_pool2d lp_pool3d",
    },
    "beyond float32's range on the way, in this order or in that": {
        "huge": "ctc_loss householder_product linalg_lu_solve scaled_dot_product_attention "
        "torch_lu_solve",
    },
    "a probability of 0 or 1: the floor is a float32 in PyTorch, and none for the target": {
        "zeros": "binary_cross_entropy",
    },
    "a slope that has a limit here: autograd multiplies 0 by infinity, or divides 0 by 0": {
        "zeros": "gradient kl_div",
    },
    "include_self=False: autograd counts an x that equals the extreme, and is not in it": {
        "zeros": "index_reduce scatter_reduce",
    },
    "finite differences contradict autograd: see the rule": {
        "zeros": "polar",
        "whole": "ldexp",
    },
    "equal extremes share evenly; autograd's kernel divides what is positive alone": {
        "zeros repeated": "segment_reduce",
    },
    "a singular matrix: divided by 0 in one order or another, infinity or NaN, or refused": {
        "zeros": "linalg_lu_solve torch_lu_solve",
        "zeros repeated": "logdet slogdet solve_ex",
        "repeated": "qr torch_qr",
    },
    "frames are strides: autograd shares out among the copies of a number what each receives": {
        "repeated": "stft",
    },
    "a step without a finite reciprocal: PyTorch makes a whole number of infinity": {
        "zeros": "fake_quantize_per_channel_affine fake_quantize_per_tensor_affine",
        "subnormal": "fake_quantize_per_channel_affine",
    },
    "a factor's diagonal is real: LAPACK reads no imaginary part of it": {
        "complex one-complex": "cholesky_inverse",
    },
    "of one variable the correlation is 1 whatever it is: the rule says 0, autograd NaN": {
        "0-d broadcast": "corrcoef",
    },
    "autograd gives to elements of src that no index names": {
        "broadcast": "scatter_reduce",
    },
    "PyTorch does not check that sizes fit, nor that a bias has one dimension": {
        "broadcast": "gradient linear native_group_norm pad_packed_sequence",
    },
    "PyTorch does not check that a state has the other arguments' dtype": {
        "promoted": "instance_norm lstm lstm_cell",
    },
    "PyTorch's kernel takes a truth value where its own arithmetic refuses to": {
        "whole": "instance_norm mse_loss multilabel_soft_margin_loss poisson_nll_loss "
        "smooth_l1_loss",
    },
    "an imaginary part that PyTorch drops with a warning, or refuses elsewhere": {
        "one-complex": "fill instance_norm lstm_cell",
    },
    "the recorder calls it, with a part of the base's own dtype": {
        "promoted one-complex": "write_through_view",
    },
}
