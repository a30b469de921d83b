"""Every derivative, by hand. Importing this package registers all rules."""

from . import (
    activation,
    arithmetic,
    average,
    bend,
    conv,
    copies,
    exponential,
    index,
    join,
    linear,
    loss,
    norm,
    piecewise,
    pool,
    reduce,
    softmax,
    special,
    trigonometry,
    view,
    write,
)
