"""The edit operation: where an edit matches, what it changes, and why it does not apply."""
