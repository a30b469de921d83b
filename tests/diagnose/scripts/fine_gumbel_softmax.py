"""Hard choices with a soft gradient: gumbel_softmax, and straight-through by detach."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
chooser, codes, head = nn.Linear(5, 4), nn.Parameter(torch.randn(4, 6)), nn.Linear(6, 2)
optimizer = torch.optim.Adam([*chooser.parameters(), codes, *head.parameters()], lr=1e-2)
for _ in range(3):
    x, y = torch.randn(12, 5), torch.randint(2, (12,))
    logits = chooser(x)
    hard = F.gumbel_softmax(logits, tau=0.7, hard=True)
    soft = torch.softmax(logits, 1)
    top = F.one_hot(logits.argmax(1), 4).float() + soft - soft.detach()
    loss = F.cross_entropy(head((hard + top) @ codes), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
