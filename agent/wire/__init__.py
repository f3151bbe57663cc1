"""How the host, the agent's processes and the keepers of jobs talk: frames, JSON and errors."""
