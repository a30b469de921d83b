"""What opens over the screen, one file each."""
