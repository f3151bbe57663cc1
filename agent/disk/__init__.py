"""PID 1 of a sandbox whose workspace is on the host's disk."""
