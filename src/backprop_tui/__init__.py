"""The debugger for backpropagation."""
