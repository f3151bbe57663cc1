"""own_programs: tells whether the programs that a command names are its session's own."""

import os

from processes import shell

# What a session can write: it runs what is there by a path too.
_WRITABLE = (b"/workspace/", b"/tmp/", b"/dev/shm/")


def find_first_other(channel, request):
    """Finds the first of `names` that PATH does not lead to a program of the session's own by."""
    search_path = request.get("search_path")
    search_path = shell.COMMAND_PATH if search_path is None else shell.encode(search_path)
    places = range(len(request["names"]))
    return {"first_other": next((at for at in places if not _is_own(shell.encode(request["names"][at]), search_path)), None)}


def _is_own(name, search_path):
    program = shell.find_program(name, search_path)
    # A link may lead into the image.
    return program is not None and os.path.realpath(program).startswith(_WRITABLE)
