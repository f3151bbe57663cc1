"""Watching directories of the workspace: which directories are watched, and what has changed."""
