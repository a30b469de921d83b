"""Products added to a tensor, y = β·c + α·product: addmm and its kin.

∂L/∂c = β·dy, and the product has the cotangent α·dy, shared out as in `linear`.
"""

from .broadcast import unbroadcast
from .registry import rule, sample, spellings


def addmm_samples(make):
    yield sample(make(2, 4), make(2, 3), make(3, 4))
    yield sample(make(4), make(2, 3), make(3, 4), alpha=0.5, beta=2)


@rule(*spellings("addmm"), samples=addmm_samples)
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """y = β·c + α·a·b for matrices."""
    y = beta * input + alpha * (mat1 @ mat2)

    def backward(dy):
        dinput = unbroadcast(beta * dy, input)
        dproduct = alpha * dy
        dmat1 = dproduct @ mat2.t()
        dmat2 = mat1.t() @ dproduct
        return dinput, dmat1, dmat2

    return y, backward


def baddbmm_samples(make):
    yield sample(make(5, 2, 4), make(5, 2, 3), make(5, 3, 4))
    yield sample(make(2, 4), make(5, 2, 3), make(5, 3, 4), beta=0.5)


@rule(*spellings("baddbmm"), samples=baddbmm_samples)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """y = β·c + α·a·b for batches of matrices."""
    y = beta * input + alpha * (batch1 @ batch2)

    def backward(dy):
        dinput = unbroadcast(beta * dy, input)
        dproduct = alpha * dy
        dbatch1 = dproduct @ batch2.mT
        dbatch2 = batch1.mT @ dproduct
        return dinput, dbatch1, dbatch2

    return y, backward


def addbmm_samples(make):
    yield sample(make(2, 4), make(5, 2, 3), make(5, 3, 4), beta=0.5)


@rule(*spellings("addbmm"), samples=addbmm_samples)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """y = β·c + α·Σₖ aₖ·bₖ over a batch of matrices."""
    y = beta * input + alpha * (batch1 @ batch2).sum(0)

    def backward(dy):
        dinput = unbroadcast(beta * dy, input)
        dproduct = alpha * dy
        dbatch1 = dproduct @ batch2.mT
        dbatch2 = batch1.mT @ dproduct
        return dinput, dbatch1, dbatch2

    return y, backward


@rule(*spellings("addmv"), samples=lambda make: [sample(make(2), make(2, 3), make(3), alpha=0.5)])
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """y = β·c + α·A·v for a matrix and a vector."""
    y = beta * input + alpha * (mat @ vec)

    def backward(dy):
        dinput = unbroadcast(beta * dy, input)
        dproduct = alpha * dy
        dmat = dproduct.unsqueeze(1) * vec
        dvec = mat.t() @ dproduct
        return dinput, dmat, dvec

    return y, backward


@rule(*spellings("addr"), samples=lambda make: [sample(make(2, 3), make(2), make(3), alpha=0.5)])
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """y = β·c + α·a⊗b for two vectors."""
    y = beta * input + alpha * (vec1.unsqueeze(1) * vec2)

    def backward(dy):
        dinput = unbroadcast(beta * dy, input)
        dproduct = alpha * dy
        dvec1 = dproduct @ vec2
        dvec2 = dproduct.t() @ vec1
        return dinput, dvec1, dvec2

    return y, backward
