"""Error: a weight that two layers share is updated with the gradient of one of them."""

import torch

torch.manual_seed(0)
w = (torch.randn(4, 4) / 2).requires_grad_()
x, y = torch.randn(8, 4), torch.randn(8, 4)
for _ in range(3):
    hidden = torch.tanh(x @ w)
    out = hidden @ w
    loss = (out - y).square().sum()
    loss.backward()
    with torch.no_grad():
        dout = 2 * (out - y)
        dhidden = (dout @ w.T) * (1 - hidden**2)
        dw = x.T @ dhidden  # <-- fault
        w -= 1e-3 * dw
    w.grad = None
