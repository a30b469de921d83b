"""Pictures of the running program, drawn by `make screenshots`."""
