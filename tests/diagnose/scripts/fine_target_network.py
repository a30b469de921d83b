"""Q-learning: a target network under no_grad that follows slowly, and a gathered action."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
online = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
target = copy.deepcopy(online)
optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
for _ in range(4):
    state, following = torch.randn(16, 4), torch.randn(16, 4)
    action, reward = torch.randint(2, (16,)), torch.randn(16)
    with torch.no_grad():
        best = online(following).argmax(1, keepdim=True)
        goal = reward + 0.99 * target(following).gather(1, best).squeeze(1)
    value = online(state).gather(1, action[:, None]).squeeze(1)
    loss = F.smooth_l1_loss(value, goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
            slow.lerp_(fast, 0.01)
