"""DNS: its messages, which names the host is asked for, and which address a name gets."""
