"""The rules against autograd, finite differences and PyTorch's own samples."""
