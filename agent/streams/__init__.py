"""The relay: a process of the agent that carries byte streams between the host and sockets."""
