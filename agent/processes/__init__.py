"""Commands: how one starts, runs and ends with all its processes."""
