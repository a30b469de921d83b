"""check() on every module that torch.nn has: each is verified by rules alone."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import backprop_tui as bp
from backprop_tui.compare import Verdict

ROW, MAP, VOLUME = (2, 4, 8), (2, 4, 6, 6), (2, 4, 4, 6, 6)
SHAPES = {"1d": ROW, "2d": MAP, "3d": VOLUME}
CLASSES = torch.tensor([0, 2])
SIGNS = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]])
PART = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])

# A kind in so many dimensions: its options, for each of them alike.
IN_DIMENSIONS = {
    "AdaptiveAvgPool": (2,),
    "AdaptiveMaxPool": (2,),
    "AvgPool": (2,),
    "BatchNorm": (4,),
    "CircularPad": (1,),
    "ConstantPad": (1, 0.5),
    "Conv": (4, 3, 2),
    "ConvTranspose": (4, 3, 2),
    "Dropout": (),
    "FractionalMaxPool": (2, 2),
    "InstanceNorm": (4, 1e-5, 0.1, True),
    "LPPool": (2, 2),
    "LazyBatchNorm": (),
    "LazyConv": (3, 2),
    "LazyConvTranspose": (3, 2),
    "LazyInstanceNorm": (1e-5, 0.1, True),
    "MaxPool": (2,),
    "ReflectionPad": (1,),
    "ReplicationPad": (1,),
    "ZeroPad": (1,),
}
ELEMENTWISE = (
    *("AlphaDropout", "CELU", "Dropout", "ELU", "FeatureAlphaDropout", "Flatten", "GELU", "GLU"),
    *("Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU"),
    *("LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU"),
    *("Sigmoid", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh"),
    "Tanhshrink",
)
SIZED = {
    "ChannelShuffle": (2,),
    "GroupNorm": (2, 4),
    "LayerNorm": (6,),
    "LazyLinear": (3,),
    "Linear": (6, 3),
    "LocalResponseNorm": (3,),
    "PixelShuffle": (2,),
    "PixelUnshuffle": (2,),
    "RMSNorm": (6,),
    "Softmax": (-1,),
    "Threshold": (0.1, 0.2),
    "Unflatten": (1, (2, 2)),
    "Unfold": (2,),
    "Upsample": (None, 2),
    "UpsamplingBilinear2d": (None, 2),
    "UpsamplingNearest2d": (None, 2),
}
# Losses of an input of two rows and three columns, with what comes after it.
LOSSES = {
    "BCEWithLogitsLoss": (PART,),
    "CosineEmbeddingLoss": (torch.ones(2, 3), torch.tensor([1.0, -1.0])),
    "CrossEntropyLoss": (CLASSES,),
    "GaussianNLLLoss": (PART, PART),
    "HingeEmbeddingLoss": (SIGNS,),
    "HuberLoss": (PART,),
    "KLDivLoss": (PART,),
    "L1Loss": (PART,),
    "MSELoss": (PART,),
    "MarginRankingLoss": (PART, SIGNS),
    "MultiLabelMarginLoss": (torch.tensor([[0, 2, -1], [1, -1, -1]]),),
    "MultiLabelSoftMarginLoss": ((SIGNS > 0).float(),),
    "MultiMarginLoss": (CLASSES,),
    "NLLLoss": (CLASSES,),
    "PairwiseDistance": (PART,),
    "CosineSimilarity": (PART,),
    "PoissonNLLLoss": (PART,),
    "SmoothL1Loss": (PART,),
    "SoftMarginLoss": (SIGNS,),
    "TripletMarginLoss": (PART, SIGNS),
    "TripletMarginWithDistanceLoss": (PART, SIGNS),
}


def noise(*shape):
    return torch.randn(shape).requires_grad_()


# How each of the others is made, and what it is given.
OTHERS = {
    "AdaptiveLogSoftmaxWithLoss": lambda: (
        nn.AdaptiveLogSoftmaxWithLoss(6, 10, [4]),
        (noise(5, 6), torch.tensor([0, 5, 9, 2, 4])),
    ),
    "BCELoss": lambda: (nn.Sequential(nn.Sigmoid(), Loss(nn.BCELoss(), PART)), (noise(2, 3),)),
    "Bilinear": lambda: (nn.Bilinear(3, 4, 2), (noise(5, 3), noise(5, 4))),
    "CTCLoss": lambda: (
        nn.Sequential(nn.LogSoftmax(-1), Loss(nn.CTCLoss(), *ctc())),
        (noise(8, 2, 5),),
    ),
    "Embedding": lambda: (nn.Embedding(7, 3, padding_idx=0), (torch.tensor([[1, 0, 6, 1]]),)),
    "EmbeddingBag": lambda: (nn.EmbeddingBag(7, 3), (torch.tensor([[1, 0, 6], [1, 1, 2]]),)),
    "Fold": lambda: (nn.Fold((4, 4), 2), (noise(2, 8, 9),)),
    "GRU": lambda: (nn.GRU(4, 5, 2, dropout=0.2, bidirectional=True), (noise(3, 2, 4),)),
    "GRUCell": lambda: (nn.GRUCell(4, 5), (noise(2, 4),)),
    "LSTM": lambda: (nn.LSTM(4, 5, 2, dropout=0.2, proj_size=3), (noise(3, 2, 4),)),
    "LSTMCell": lambda: (nn.LSTMCell(4, 5), (noise(2, 4),)),
    "LinearCrossEntropyLoss": lambda: (nn.LinearCrossEntropyLoss(4, 3), (noise(2, 4), CLASSES)),
    "MaxUnpool1d": lambda: (Unpooled(1), (noise(*ROW),)),
    "MaxUnpool2d": lambda: (Unpooled(2), (noise(*MAP),)),
    "MaxUnpool3d": lambda: (Unpooled(3), (noise(*VOLUME),)),
    "MultiheadAttention": lambda: (nn.MultiheadAttention(8, 2, 0.1), (noise(5, 2, 8),) * 3),
    "NLLLoss2d": lambda: (
        nn.NLLLoss2d(),
        (noise(2, 3, 2, 2), torch.tensor([[[0, 2], [1, 1]]] * 2)),
    ),
    "RNN": lambda: (nn.RNN(4, 5, 2, nonlinearity="relu"), (noise(3, 2, 4),)),
    "RNNCell": lambda: (nn.RNNCell(4, 5), (noise(2, 4),)),
    "Transformer": lambda: (nn.Transformer(8, 2, 1, 1, 16), (noise(5, 2, 8), noise(3, 2, 8))),
    "TransformerDecoder": lambda: (
        nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2),
        (noise(3, 2, 8), noise(5, 2, 8)),
    ),
    "TransformerDecoderLayer": lambda: (
        nn.TransformerDecoderLayer(8, 2, 16, norm_first=True),
        (noise(3, 2, 8), noise(5, 2, 8)),
    ),
    "TransformerEncoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        (noise(2, 5, 8),),
    ),
    "TransformerEncoderLayer": lambda: (
        nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"),
        (noise(5, 2, 8),),
    ),
}
# What computes nothing by itself, or not rightly.
WITHOUT = {
    **dict.fromkeys(("Module", "RNNBase", "RNNCellBase"), "is there to be inherited from"),
    **dict.fromkeys(("Container", "ModuleDict", "ModuleList", "Sequential"), "holds modules"),
    **dict.fromkeys(("ParameterDict", "ParameterList"), "holds parameters"),
    **dict.fromkeys(("DataParallel", "SyncBatchNorm"), "needs several devices"),
    "CrossMapLRN2d": "has a backward that is wrong: below",
}


def ctc():
    lengths = torch.tensor([8, 8]), torch.tensor([3, 2])
    return (torch.tensor([[1, 2, 2], [3, 4, 0]]), *lengths)


class Loss(nn.Module):
    """A loss whose target is known, so that it can end a Sequential."""

    def __init__(self, loss, *target):
        super().__init__()
        self.loss, self.target = loss, target

    def forward(self, x):
        return self.loss(x, *self.target)


class Unpooled(nn.Module):
    """A pooling and its undoing."""

    def __init__(self, dimensions):
        super().__init__()
        self.pool = getattr(nn, f"MaxPool{dimensions}d")(2, return_indices=True)
        self.unpool = getattr(nn, f"MaxUnpool{dimensions}d")(2)

    def forward(self, x):
        return self.unpool(*self.pool(x))


def made(name, options, shape, *rest):
    return getattr(nn, name)(*options), (noise(*shape), *rest)


CASES = {
    **{name: partial(made, name, (), MAP) for name in ELEMENTWISE},
    **{name: partial(made, name, options, MAP) for name, options in SIZED.items()},
    **{name: partial(made, name, (), (2, 3), *rest) for name, rest in LOSSES.items()},
    **{
        kind + end: partial(made, kind + end, options, shape)
        for kind, options in IN_DIMENSIONS.items()
        for end, shape in SHAPES.items()
        if hasattr(nn, kind + end)
    },
    **OTHERS,
}


def test_every_module_of_torch_is_tried_or_it_is_said_why_not():
    kinds = {name for name, kind in vars(nn).items() if isinstance(kind, type)}
    modules = {name for name in kinds if issubclass(getattr(nn, name), nn.Module)}
    assert modules == CASES.keys() | WITHOUT.keys()


def verified(module, arguments):
    if any(isinstance(part, nn.modules.lazy.LazyModuleMixin) for part in module.modules()):
        module(*arguments)
    with bp.record(module) as tape:
        answers = answered(module(*arguments))
        sum(answer.square().sum() for answer in answers).backward()
    report = tape.check()
    assert report.ok, f"\n{report}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
    assert all(row.isolated.rank < Verdict.UNVERIFIED.rank for row in report.ops), report.ops
    trained = {name for name, each in module.named_parameters() if each.grad is not None}
    assert trained <= {row.name for row in report.parameters}
    assert trained or not list(module.parameters())


def answered(output):
    """All tensors of an answer that need a gradient."""
    parts = output if isinstance(output, tuple) else (output,)
    nested = [answered(part) if isinstance(part, tuple) else [part] for part in parts]
    return [item for part in nested for item in part if item is not None and item.requires_grad]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:NLLLoss2d", "ignore:Lazy")
@pytest.mark.parametrize("name", CASES)
def test_a_module(name):
    module, arguments = CASES[name]()
    verified(module, arguments)


@pytest.mark.parametrize(
    "parametrized",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        partial(parametrizations.orthogonal, orthogonal_map="cayley"),
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
def test_a_weight_that_is_computed(parametrized):
    verified(nn.Sequential(parametrized(nn.Linear(4, 4)), nn.Tanh()), (noise(3, 4),))


def test_the_module_whose_backward_is_wrong_is_found():
    """Torch's old CrossMapLRN2d, a Function in Python, fails torch's own gradcheck too."""
    module, x = nn.CrossMapLRN2d(3, alpha=0.5), noise(*MAP)
    assert not torch.autograd.gradcheck(module, (x.double(),), raise_exception=False)
    with bp.record(module) as tape:
        module(x).square().sum().backward()
    report = tape.check()
    assert report.worst.op == "CrossMapLRN2d" and report.worst.isolated is Verdict.DIFFERENT


def test_complex_parameters():
    weight = nn.Parameter(torch.randn(4, 3, dtype=torch.complex64))
    with bp.record() as tape:
        ((torch.randn(5, 4) + 0j) @ weight).abs().square().sum().backward()
    assert tape.check().ok
