"""Warning: the mean over many pixels has a gradient that is too small for float16."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(4, 8),
    nn.Tanh(),
    nn.Linear(8, 8),
    nn.Tanh(),
    nn.Linear(8, 8),
    nn.Tanh(),
    nn.Linear(8, 1),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    pixels = torch.randn(4, 64, 64, 4)
    with torch.autocast("cpu", dtype=torch.float16):
        output = model(pixels)  # <-- fault
    loss = 0.01 * F.mse_loss(output.float(), pixels[..., :1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
