"""Every derivative, by hand."""
