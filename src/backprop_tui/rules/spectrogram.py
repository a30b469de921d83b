"""The short-time Fourier transform: a signal cut into overlapping frames, each transformed.

Cutting into frames and adding overlapping frames up are each other's adjoints.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .arrange import pad
from .broadcast import as_dtype
from .fft import fft, ifft, irfft, rfft
from .registry import rule, sample
from .samples import complex_normal


def overlap_add(frames, hop, length):
    """Frames, …×T×N, added up where they lie in a signal of `length`, `hop` apart."""
    places = torch.arange(length, device=frames.device).unfold(0, frames.shape[-1], hop)
    signal = frames.new_zeros(*frames.shape[:-2], length)
    return signal.index_add(-1, places.flatten(), frames.flatten(-2))


def framed(signal, n_fft, hop, edge, mode):
    """The frames of a signal with borders, …×T×N, and their backward."""
    padded, pad_backward = pad(signal, (edge, edge), mode)
    frames = padded.unfold(-1, n_fft, hop)

    def backward(dframes):
        dpadded = overlap_add(dframes, hop, padded.shape[-1])
        dsignal = pad_backward(as_dtype(dpadded, signal.dtype))
        return dsignal

    return frames, backward


def centered(window, n_fft, win_length, like):
    """A window of win_length, ones if none is given, with zeros on both sides up to n_fft."""
    size = n_fft if win_length is None else win_length
    ones = like.new_ones(size, dtype=like.real.dtype)
    window = ones if window is None else window * 1.0  # of whole numbers, too
    left = (n_fft - size) // 2
    return pad(window, (left, n_fft - size - left))


def stft_samples(make):
    yield sample(make(2, 12), 6, 2, window=make.constant(6), return_complex=True)
    yield sample(make(12), 6, 3, 4, make.positive(4), False, normalized=True, return_complex=False)
    yield sample(make(10), 4, center=True, pad_mode="constant", onesided=False, return_complex=True)


@rule(torch.stft, Tensor.stft, samples=stft_samples)
def stft(
    input,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
):
    """The transforms of overlapping frames, y[…, k, t] = Σⱼ w[j]·x[t·hop + j]·e^(−2πi·jk/N)."""
    hop = n_fft // 4 if hop_length is None else hop_length
    edge = n_fft // 2 if center else 0
    if align_to_window:
        edge = (n_fft - win_length) // 2
    signal = input.reshape(-1, input.shape[-1])
    frames, frames_backward = framed(signal, n_fft, hop, edge, pad_mode if center else "constant")
    weights, window_backward = centered(window, n_fft, win_length, input)
    windowed = frames * weights
    half = not windowed.is_complex() if onesided is None else onesided
    transform = rfft if half else fft
    spectrum, transform_backward = transform(windowed, norm="ortho" if normalized else None)
    y = spectrum.mT.reshape(*input.shape[:-1], spectrum.shape[-1], spectrum.shape[-2])
    if not (windowed.is_complex() if return_complex is None else return_complex):
        y = torch.view_as_real(y)

    def backward(dy):
        if not y.is_complex():
            dy = torch.complex(dy[..., 0], -dy[..., 1])
        dspectrum = dy.reshape(spectrum.mT.shape).mT
        dwindowed = transform_backward(dspectrum)
        dweights = as_dtype((dwindowed * frames).sum((0, 1)), weights.dtype)
        dwindow = None if window is None else window_backward(dweights)
        dinput = frames_backward(dwindowed * weights).reshape(input.shape)
        return dinput, None, None, None, dwindow

    return y, backward


def least_squares(frames, weights, hop, start, end):
    """The signal from `start` to `end` whose frames, windowed, come nearest to those given."""
    count, n_fft = frames.shape[-2:]
    whole = n_fft + hop * (count - 1)
    squares = (weights * weights).expand(count, n_fft)
    envelope = F.pad(overlap_add(squares, hop, whole), (-start, end - whole), value=1)
    summed = F.pad(overlap_add(frames * weights, hop, whole), (-start, end - whole))
    y = summed / envelope

    def backward(dy):
        dsummed = dy / envelope
        denvelope = -dsummed * y
        dwindowed = F.pad(dsummed, (start, whole - end)).unfold(-1, n_fft, hop)
        dsquares = F.pad(denvelope, (start, whole - end)).unfold(-1, n_fft, hop)
        dframes = dwindowed * weights
        dweights = (dwindowed * frames + 2 * dsquares * weights).sum_to_size(weights.shape)
        return dframes, as_dtype(dweights, weights.dtype)

    return y, backward


def istft_samples(make):
    yield sample(complex_normal(make, 2, 4, 5), 6, 2, window=make.positive(6))
    yield sample(complex_normal(make, 4, 5), 6, 2, 4, make.positive(4), length=9, normalized=True)
    yield sample(complex_normal(make, 6, 5), 6, 2, window=make.positive(6), onesided=False)


@rule(torch.istft, Tensor.istft, samples=istft_samples)
def istft(
    input,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
):
    """The signal whose frames come nearest to those of a spectrum: x = Σ w·frames / Σ w².

    That is least squares (Griffin and Lim, 1984, doi:10.1109/TASSP.1984.1164317). For a
    real signal half a spectrum is enough, and no more of it is read.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    weights, window_backward = centered(window, n_fft, win_length, input)
    transform = ifft if return_complex else irfft
    spectrum = input.mT
    frames, transform_backward = transform(spectrum, n_fft, norm="ortho" if normalized else None)
    start = n_fft // 2 if center else 0
    end = n_fft + hop * (spectrum.shape[-2] - 1) - start if length is None else start + length
    y, signal_backward = least_squares(frames, weights, hop, start, end)

    def backward(dy):
        dframes, dweights = signal_backward(dy)
        dwindow = None if window is None else window_backward(dweights)
        dinput = transform_backward(dframes).mT
        return dinput, None, None, None, dwindow

    return y, backward
