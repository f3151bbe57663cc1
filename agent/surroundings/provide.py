"""provide_files: writes files that programs look for at fixed places."""

import os
import stat

from processes import own_process
from surroundings import trusted


def provide_files(channel, request):
    """Writes `files`, {path: text}, and what follows from `trust`. Raises OSError.

    A file that is there with that content is left as it is. Another agent of the sandbox may write
    the same files at the same time.
    """
    channel.after_end = own_process.give_back_memory
    for path, text in request["files"].items():
        _provide(path, text.encode())
    return {"trusted": request["trust"] is None or _provide_trust(**request["trust"])}


def _provide_trust(directory, certificates, otherwise):
    """Returns whether there are public certificates, from the image or in `otherwise`."""
    base = trusted.image_certificates() or trusted.parse(otherwise or "")
    if not base:
        return False
    for name, content in trusted.make_files(base, certificates):
        _provide(os.path.join(directory, name), content)
    return True


def _provide(path, content):
    if _has_content(path, content):
        return
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    temporary = os.path.join(directory, ".sandbox-tmp-" + os.urandom(8).hex())
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with open(file, "wb") as output:
            output.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _has_content(path, content):
    """Returns whether a regular file is there with that content. A command may have put a pipe."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        status = os.fstat(file)
        return stat.S_ISREG(status.st_mode) and status.st_size == len(content) and os.read(file, len(content)) == content
    finally:
        os.close(file)
