"""delete: removes a file, a link, or a directory with all that is in it."""

import os
import stat

from files import conditions, paths, removal
from files.workspace_lock import take_lock
from wire.errors import RequestError


def delete_path(channel, request):
    if not request["path"]:
        raise RequestError("INVALID_PATH", "The workspace itself cannot be deleted.")
    with paths.resolve(request["path"], follow_last=False) as place:
        with take_lock(channel):
            status = place.stat()
            conditions.check(request, status)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(place.name, dir_fd=place.directory)
                return {}
        # Not under the lock, because it may take long. A directory's entity tag says nothing of
        # what is below it.
        removal.remove_tree(place.directory, place.name, channel.receive)
    return {}
