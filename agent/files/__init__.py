"""The workspace: its paths, and the operations on files and directories."""
