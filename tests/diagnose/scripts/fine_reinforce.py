"""REINFORCE with a baseline: returns without a gradient, log-probabilities of what was drawn."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
policy, baseline = nn.Linear(4, 3), nn.Linear(4, 1)
optimizer = torch.optim.Adam([*policy.parameters(), *baseline.parameters()], lr=1e-2)
for _ in range(3):
    state, chosen, values, rewards = torch.randn(4), [], [], []
    for _ in range(6):
        drawn = Categorical(logits=policy(state))
        action = drawn.sample()
        chosen.append(drawn.log_prob(action))
        values.append(baseline(state).squeeze())
        rewards.append(float(action == 1))
        state = torch.randn(4)
    returns = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
    returns = (returns - returns.mean()) / (returns.std() + 1e-8)
    value = torch.stack(values)
    advantage = returns - value.detach()
    loss = -(torch.stack(chosen) * advantage).sum() + (value - returns).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
