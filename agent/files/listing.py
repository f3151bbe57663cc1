"""list and stat: what is in a directory, and what is at a path."""

import os
import stat

from files import conditions, file_names, paths, skips, walking
from wire import frames, messages

_CHUNK = frames.MAX_AGENT_PAYLOAD
_CANCEL_CHECK_INTERVAL = 256
_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink"}


def list_directory(channel, request):
    limit = request.get("limit", 0)
    with paths.resolve(request["path"]) as place:
        directory = place.open_directory()
    try:
        count = size = 0
        truncated = False
        lines = []
        left_out = _LeftOut(request["path"])
        for path, _, status, _ in walking.entries(directory, request.get("depth", 1), leave_out=left_out.note):
            if limit and count == limit:
                truncated = True
                break
            line = _line(path, status)
            lines.append(line)
            size += len(line)
            count += 1
            if size > _CHUNK:
                channel.send_output("".join(lines).encode())
                lines = []
                size = 0
            elif count % _CANCEL_CHECK_INTERVAL == 0:
                channel.receive()
        channel.send_output("".join(lines).encode() + left_out.lines)
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
    key, name = ("name", path) if path.isascii() else file_names.member("name", path)
    # To the millisecond, which is all that the host shows. All digits would take twice as long.
    modified = (status.st_mtime * 1000 + 0.5) // 1
    return '{"%s":%s,"type":"%s","size":%d,"modified":%de-3}\n' % (key, messages.quote(name), type_of(status.st_mode), status.st_size, modified)


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
    return _TYPES.get(stat.S_IFMT(mode), "other")
