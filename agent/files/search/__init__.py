"""The search operation."""
