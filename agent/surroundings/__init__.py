"""Files that programs find apart from the workspace: settings and certificates."""
