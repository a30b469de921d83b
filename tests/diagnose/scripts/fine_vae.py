"""A variational autoencoder: noise times a scale, and a divergence in closed form."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 6))
decoder = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 12))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
for _ in range(3):
    x = torch.rand(10, 12).round()
    mean, log_variance = encoder(x).chunk(2, 1)
    z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
    likelihood = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
    optimizer.zero_grad()
    (likelihood + divergence).backward()
    optimizer.step()
