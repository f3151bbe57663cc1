"""own_programs: tells whether the programs that a command names are its session's own."""

import os

from processes import shell

# A session can write there. It can run what is there by its path anyway.
_WRITABLE = (b"/workspace/", b"/tmp/", b"/dev/shm/")


def find_first_other(channel, request):
    """Finds the first of `names` that is no program of the session's own. None if there is none."""
    search_path = request.get("search_path")
    search_path = shell.COMMAND_PATH if search_path is None else shell.encode(search_path)
    places = range(len(request["names"]))
    return {"first_other": next((at for at in places if not _is_own(shell.encode(request["names"][at]), search_path)), None)}


def _is_own(name, search_path):
    program = shell.find_program(name, search_path)
    if program is None:
        return False
    try:
        # A link may lead into the image.
        return os.path.realpath(program).startswith(_WRITABLE)
    except OSError:
        return False  # realpath fails if a link on the way changes meanwhile
