"""What torch raises while a model is trained: what each means, and how to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Complaint:
    """A kind of exception, known by its words.

    Attributes:
        kind: the entry of the catalogue.
        pattern: finds it in the message; its named groups fill in `why` and `fix`.
        shown: what of the tensors that the op was given is evidence: "shape", "dtype", "device".
    """

    kind: str
    pattern: re.Pattern[str]
    why: str
    fix: str
    shown: str = "shape"


def _of(kind: str, pattern: str, why: str, fix: str, shown: str = "shape") -> Complaint:
    return Complaint(kind, re.compile(pattern, re.IGNORECASE), why, fix, shown)


COMPLAINTS = (
    _of(
        "leaf-in-place",
        r"leaf variable (that requires grad (is being|has been) used in|has been moved into)",
        "A parameter is where backward() leaves its gradient: were it overwritten by an op that "
        "autograd follows, it would be no leaf any more.",
        "Change a parameter under torch.no_grad(): with torch.no_grad(): w -= lr * w.grad; where "
        "the model needs another tensor, make a new one: w = w * mask.",
    ),
    _of(
        "loss-not-scalar",
        r"grad can be implicitly created only for scalar outputs",
        "backward() begins with dL/dL = 1, which there is only for a single number.",
        "Reduce it first, loss.mean().backward(), or say what each element counts: "
        "loss.backward(torch.ones_like(loss)) is that of their sum.",
    ),
    _of(
        "device-mismatch",
        r"expected all tensors to be on the same device|is not on the expected device"
        r"|input type \(torch\.cuda\.\w+\) and \w+ type \(torch\.\w+Tensor\) should be the same"
        r"|input type \(torch\.\w+Tensor\) and \w+ type \(torch\.cuda\.\w+\) should be the same",
        "An op computes on one device, and what it is given lies on two.",
        "Move the model once, model.to(device), and each batch: x, y = x.to(device), y.to(device); "
        "make new tensors where the others are, torch.zeros(n, device=x.device).",
        "device",
    ),
    _of(
        "dtype-mismatch",
        r"expected \w+ and \w+ to have the same dtype|expected scalar type|same dtype, but got"
        r"|found dtype \w+ but expected|does not match weight dtype|can't be cast to the desired"
        r"|expected target dtype|expected floating point type for target"
        r"|to have one of the following scalar types|type .* should be the same",
        "An op takes tensors of one dtype: numpy's floats are float64 and parameters are float32; "
        "class indices are int64, and targets of a regression or of BCE floats.",
        "Convert what was given where it is made: x.float(), target.long() for class indices, "
        "target.float() for BCE.",
        "dtype",
    ),
    _of(
        "shape-mismatch",
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(?P<given>\d+) and (?P<wanted>\d+)x\d+\)",
        "The product sums over the last dimension of the first and the first of the second: "
        "{given} is not {wanted}.",
        "Give the layer {given} input features, or bring {wanted} to it: flatten all but the "
        "batch with x.flatten(1), or transpose where the features are not last.",
    ),
    _of(
        "shape-mismatch",
        r"expected input.* to have (?P<wanted>\d+) channels, but got (?P<given>\d+) channels",
        "A convolution takes N×C×H×W, and its weight has C too: {given} is not {wanted}.",
        "Make the layer with {given} input channels; for channels last x.permute(0, 3, 1, 2), for "
        "images without a channel x.unsqueeze(1).",
    ),
    _of(
        "shape-mismatch",
        r"input batch_size .* to match target batch_size|target size .* input size"
        r"|0D or 1D target tensor expected",
        "A loss compares sample by sample: input and target need the same samples in the same "
        "places.",
        "Bring the target to the input's shape, target.view_as(input) or input.squeeze(1); for "
        "cross_entropy of sequences flatten both: logits.flatten(0, 1), target.flatten().",
    ),
    _of(
        "shape-mismatch",
        r"the size of tensor a .* must match|sizes of tensors must match|shape '.*' is invalid for"
        r"|view size is not compatible|expected size for first two dimensions|expanded size of the"
        r"|given normalized_shape|must be equal to input_size|expected \dD .* input to"
        r"|mismatch in shape: grad_output|must have same (size|shape)",
        "The sizes do not fit together.",
        "Print the shapes before this line: dimensions of 1 are broadcast, others must be equal.",
    ),
    _of(
        "one-value-per-channel",
        r"expected more than 1 value per channel when training",
        "Batch norm divides by the deviation over the batch, which one sample has not.",
        "Leave out a last batch of one, DataLoader(drop_last=True), use model.eval() where nothing "
        "is trained, or a norm that needs no batch: GroupNorm, LayerNorm.",
    ),
    _of(
        "index-out-of-range",
        r"target -?\d+ is out of bounds|index out of range in self"
        r"|index -?\d+ is out of bounds for dimension|class values must be smaller",
        "Classes and tokens are numbered from 0: n of them are 0 … n − 1.",
        "Count from 0, make the layer as large as the largest index + 1, and mark what is not to "
        "count by ignore_index or padding_idx.",
        "range",
    ),
    _of(
        "not-a-probability",
        r"all elements of (input|target) should be between 0 and 1",
        "binary_cross_entropy takes probabilities, and targets from 0 to 1.",
        "Leave the last layer without sigmoid and use F.binary_cross_entropy_with_logits, or put "
        "the sigmoid before this loss.",
        "range",
    ),
    _of(
        "numpy-of-graph",
        r"can't call numpy\(\) on tensor that requires grad",
        "An array has no history: what is computed with it would be cut off from the loss.",
        "Compute the loss with the tensor itself; to print, plot or keep it take a copy without "
        "its graph: x.detach().cpu().numpy().",
    ),
    _of(
        "integer-parameter",
        r"only tensors of floating point .*can require gradients|only tensors of floating point "
        r"dtype can require",
        "A derivative is a limit of small changes, and integers have none.",
        "Make it of floats: torch.tensor([1., 2.], requires_grad=True), or x.float() first.",
        "dtype",
    ),
    _of(
        "unused-input",
        r"appears to not have been used in the graph|expected to have finished reduction",
        "The output does not depend on it: it was not read, read as another tensor (a copy, a "
        "view, a slice of its own), or something on the way has cut it off.",
        "Differentiate with respect to the tensor that was used; allow_unused=True answers None "
        "(find_unused_parameters=True under DistributedDataParallel).",
    ),
    _of(
        "unused-input",
        r"one of the differentiated tensors does not require grad",
        "It required no gradient when the output was computed, so that autograd did not follow it.",
        "Call x.requires_grad_() before the forward pass.",
    ),
    _of(
        "non-leaf-parameter",
        r"can't optimize a non-leaf tensor",
        "The tensor is computed, by .to(device), .cuda() or arithmetic, and its gradient goes on "
        "to what it was computed from.",
        "Make it a leaf last: w = (torch.randn(3) * 0.1).to(device).requires_grad_().",
    ),
    _of(
        "no-parameters",
        r"optimizer got an empty parameter list",
        "The model registers nothing: its layers are in a plain list or dict, or its parameters "
        "are plain tensors; or a generator of them was read before.",
        "Hold layers in an nn.ModuleList and tensors in nn.Parameter; make a generator a list.",
    ),
    _of(
        "inference-tensor",
        r"inference tensors? ",
        "What is made in torch.inference_mode() has no version counter: autograd cannot save it.",
        "Use torch.no_grad() there, or x.clone() where training begins.",
    ),
    _of(
        "no-derivative",
        r"derivative for '?(aten::)?_?(?P<op>[a-z0-9_]+?)(_backward)?[:' ].*not implemented",
        "PyTorch has no derivative for this op.",
        "Write it with ops that have one, or as an autograd.Function with a backward of its own.",
    ),
    _of(
        "view-in-place",
        r"is a view and is being modified inplace|is a view and its base or another view",
        "The op answers with several views of one tensor, and a write to one changes the others.",
        "Write to a clone, or make a new tensor: x = x * 2 in place of x *= 2.",
    ),
    _of(
        "expanded-in-place",
        r"more than one element of the written-to tensor refers to a single memory location",
        "An expanded tensor holds each number once and shows it many times.",
        "x.expand(…).clone() has numbers of its own.",
    ),
    _of(
        "computed-flag",
        r"you can only change requires_grad flags of leaf variables",
        "A computed tensor requires a gradient because of what it was computed from.",
        "Use x.detach(), or freeze the parameters that it comes from.",
    ),
)
"""The first whose pattern is found is the one."""
