"""A GAN: two optimizers, a detached fake, and gradients of the critic that the generator leaves."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
by_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
by_critic = torch.optim.Adam(critic.parameters(), lr=1e-3)
for _ in range(3):
    real, fake = torch.randn(16, 2) + 2, generator(torch.randn(16, 4))
    by_critic.zero_grad()
    loss = F.binary_cross_entropy_with_logits(critic(real), torch.ones(16, 1))
    loss = loss + F.binary_cross_entropy_with_logits(critic(fake.detach()), torch.zeros(16, 1))
    loss.backward()
    by_critic.step()

    by_generator.zero_grad()
    F.binary_cross_entropy_with_logits(critic(fake), torch.ones(16, 1)).backward()
    by_generator.step()
