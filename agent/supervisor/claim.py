"""To whom a sandbox that has waited for a session belongs: of all agents in it, one API process each, one may say that its own does."""

import os

# No command has run here yet, so nobody but agents can have made it.
_MARK = "/tmp/.sandbox-claimed"


def claim(link, request):
    try:
        os.mkdir(_MARK)
    except FileExistsError:
        return {"claimed": False}
    return {"claimed": True}
