"""The panes of the debugger's screen, one file each."""
