"""mark_claimed: decides which API process may give a waiting sandbox to a session.

Each API process has an agent of its own in the sandbox. Two of them may want the sandbox at once.
"""

import os

# Only agents can have made it, because no command has run here yet.
_MARK = "/tmp/.sandbox-claimed"


def mark_claimed(channel, request):
    """Makes the mark. `first` is true for one call in the life of the sandbox."""
    try:
        os.mkdir(_MARK)
    except FileExistsError:
        return {"first": False}
    return {"first": True}
