"""The short-time Fourier transform: a signal cut into overlapping frames, each transformed."""

import torch

from .bend import pad
from .broadcast import unbroadcast
from .fft import fft, hfft, irfft, rfft
from .registry import rule, sample
from .view import unfold
