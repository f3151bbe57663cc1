"""list and stat: what is in a directory, and what is at a path."""

import os
import stat

from files import conditions, file_names, paths, skips, walking
from wire import frames, messages

_CHUNK = frames.MAX_AGENT_PAYLOAD
_CANCEL_CHECK_INTERVAL = 256


def list_directory(channel, request):
    limit = request.get("limit", 0)
    with paths.resolve(request["path"]) as place:
        directory = place.open_directory()
    try:
        count = 0
        truncated = False
        lines = bytearray()
        left_out = _LeftOut(request["path"])
        for path, _, status, _ in walking.entries(directory, request.get("depth", 1), leave_out=left_out.note):
            if limit and count == limit:
                truncated = True
                break
            lines += _line(path, status)
            count += 1
            if len(lines) > _CHUNK:
                channel.send_output(lines)
                lines = bytearray()
            elif count % _CANCEL_CHECK_INTERVAL == 0:
                channel.receive()
        channel.send_output(lines + left_out.lines)
        return {"count": count, "truncated": truncated, "skipped": left_out.count}
    finally:
        os.close(directory)


class _LeftOut:
    """The entries that the listing cannot show, because a directory's permissions close them."""

    def __init__(self, top):
        self.count = 0
        self.lines = bytearray()  # for the first skips.MAX_LISTED
        self._prefix = top + "/" if top else ""

    def note(self, path, why):
        if why != walking.DENIED:
            return
        self.count += 1
        if self.count <= skips.MAX_LISTED:
            self.lines += skips.line(self._prefix + path, skips.NOT_READABLE)


def _line(path, status):
    line = '{"%s":%s,"type":"%s","size":%d,"modified":%r}\n'
    key, name = file_names.member("name", path)
    return (line % (key, messages.dumps(name), type_of(status.st_mode), status.st_size, status.st_mtime)).encode()


def stat_path(channel, request):
    with paths.resolve(request["path"], follow_last=False) as place:
        status = place.stat()
    return {
        "type": type_of(status.st_mode),
        "size": status.st_size,
        "modified": status.st_mtime,
        "mode": stat.S_IMODE(status.st_mode),
        "etag": conditions.etag(status),
    }


def type_of(mode):
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "symlink" if stat.S_ISLNK(mode) else "other"
