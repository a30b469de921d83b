"""Connectionist temporal classification: labels with no alignment.

(Graves, Fernández, Gomez and Schmidhuber, 2006, doi:10.1145/1143844.1143891.)

The labels are written with a blank before, between and after them; α and β run over this
extended sequence in time, forwards and backwards, in logarithms.
"""

import math

import torch
import torch.nn.functional as F

from .registry import rule, sample


def extended(targets, lengths, blank):
    """Each label sequence with blanks around its labels: (batch, 2·longest + 1)."""
    if targets.dim() == 1:
        targets = torch.nn.utils.rnn.pad_sequence(targets.split(lengths.tolist()), True, blank)
    targets = targets.to(lengths.device, torch.int64)
    sequence = targets.new_full((len(targets), 2 * targets.shape[1] + 1), blank)
    sequence[:, 1::2] = targets
    return sequence


def before(steps, log_p):
    """[t, n]: whether time t is before the end of sequence n."""
    return torch.arange(len(log_p), device=log_p.device)[:, None] < steps


def lattice(log_p, labels, steps, lengths, blank):
    """What α and β run over: log yₜ(s), where a blank may be skipped, and where a path may end.

    yₜ(s) is the probability at time t of the label that stands at place s.
    """
    places = torch.arange(labels.shape[1], device=log_p.device)
    final = 2 * lengths.unsqueeze(1)
    log_y = log_p.gather(-1, labels.expand(len(log_p), -1, -1))
    log_y = torch.where(places <= final, log_y, -math.inf)
    may_skip = (labels != blank) & (labels != labels.roll(2, 1)) & (places > 1)
    at_end = before(steps, log_p) & ~before(steps - 1, log_p)
    ends = at_end.unsqueeze(-1) & (places <= final) & (places >= final - 1)
    return log_y, may_skip, ends


def shifted(log_alpha, by):
    """log α of the place `by` places before each, and log 0 where there is none."""
    return F.pad(log_alpha, (by, 0), value=-math.inf)[:, : log_alpha.shape[1]]


def log_sum(*terms):
    """log Σ exp of tensors of one shape."""
    return torch.logsumexp(torch.stack(terms), 0)


def log_alphas(log_y, may_skip):
    """log αₜ(s): the likelihood of all ways to have reached place s of the sequence at time t.

    αₜ(s) = (αₜ₋₁(s) + αₜ₋₁(s − 1) + αₜ₋₁(s − 2))·yₜ(s), the last term where the two labels
    around a blank differ.
    """
    start = torch.full_like(log_y[0], -math.inf)
    start[:, :2] = log_y[0, :, :2]
    log_alpha = [start]
    for log_y_t in log_y[1:]:
        stay = log_alpha[-1]
        step = shifted(stay, 1)
        skip = torch.where(may_skip, shifted(stay, 2), -math.inf)
        log_alpha.append(log_sum(stay, step, skip) + log_y_t)
    return torch.stack(log_alpha)


def log_betas(log_y, may_skip, ends):
    """log βₜ(s): the likelihood of all ways to go on from place s at time t to the end.

    The same recursion, run from the end. `ends[t, n, s]` says where sequence n may end.
    """
    may_skip = F.pad(may_skip[:, 2:], (0, 2), value=False).flip(1)
    log_beta = [torch.full_like(log_y[0], -math.inf)]
    for log_y_t, ends_t in zip(log_y.flip(0, 2), ends.flip(0, 2), strict=True):
        stay = log_beta[-1]
        step = shifted(stay, 1)
        skip = torch.where(may_skip, shifted(stay, 2), -math.inf)
        log_beta.append(torch.where(ends_t, log_y_t, log_sum(stay, step, skip) + log_y_t))
    return torch.stack(log_beta[:0:-1]).flip(2)


def posteriors(log_alpha, log_beta, log_y, losses):
    """The probability that an alignment is at place s at time t: αₜ(s)βₜ(s)/(yₜ(s)·p(l|x))."""
    log_here = torch.where(log_y > -math.inf, log_alpha + log_beta - log_y, -math.inf)
    return (log_here + losses[:, None]).exp()


def gathered(posterior, labels, log_p):
    """The probability of each label at time t, summed over the places that carry it."""
    return torch.zeros_like(log_p).scatter_add(-1, labels.expand(posterior.shape), posterior)


def ctc_samples(make):
    log_probs = make(5, 2, 4).log_softmax(-1)
    yield sample(log_probs, torch.tensor([[1, 1], [2, 3]]), (5, 4), (2, 1))
    yield sample(log_probs, torch.tensor([1, 1, 2]), (5, 4), (2, 1), reduction="sum")


@rule(F.ctc_loss, samples=ctc_samples)
def ctc_loss(
    log_probs,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    reduction="mean",
    zero_infinity=False,
):
    """−ln p(l|x), where p(l|x) = Σₛ αₜ(s)βₜ(s)/yₜ(s) sums over all alignments, at any t.

    ∂p/∂yₜ(k) gathers the terms of the places with the label k (eq. 15). PyTorch adds yₜ(k):
    its gradient is that of the softmax's input, which a log_softmax before it leaves as it is.
    Where log yₜ(k) is −∞ autograd gives NaN, of −∞ + ∞; here it is the limit, 0.
    """
    batched = log_probs.dim() == 3
    log_p = log_probs if batched else log_probs.unsqueeze(1)
    steps = torch.as_tensor(input_lengths, device=log_p.device).reshape(-1)
    lengths = torch.as_tensor(target_lengths, device=log_p.device).reshape(-1)
    labels = extended(targets if batched else targets.reshape(1, -1), lengths, blank)
    log_y, may_skip, ends = lattice(log_p, labels, steps, lengths, blank)
    log_alpha = log_alphas(log_y, may_skip)
    losses = -torch.where(ends, log_alpha, -math.inf).logsumexp((0, 2))
    losses = torch.where((steps == 0) & (lengths == 0), 0, losses)
    lost = losses == math.inf
    kept = torch.where(lost, 0, losses) if zero_infinity else losses
    size = lengths.clamp(min=1) * len(losses)
    y = kept if batched else kept.squeeze(0)
    if reduction != "none":
        y = (kept / size).sum() if reduction == "mean" else kept.sum()

    def backward(dy):
        dlosses = dy / size if reduction == "mean" else dy.expand(losses.shape)
        log_beta = log_betas(log_y, may_skip, ends)
        posterior = posteriors(log_alpha, log_beta, log_y, losses)
        occupancy = gathered(posterior, labels, log_p)
        dlog_p = (log_p.exp() - occupancy) * dlosses[:, None]
        dlog_p = torch.where(lost[:, None], 0 if zero_infinity else math.nan, dlog_p)
        dlog_p = torch.where(before(steps, log_p).unsqueeze(-1), dlog_p, 0)
        dlog_probs = dlog_p if batched else dlog_p.squeeze(1)
        return dlog_probs

    return y, backward
