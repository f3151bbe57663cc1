"""The agent's main process, which carries frames, and its workers, which serve requests."""
