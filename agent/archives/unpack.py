"""unpack: puts an archive into a directory, all or nothing (PROTOCOL.md, "unpack").

It unpacks the archive, as it arrives, into a new directory in the workspace's root. When the
archive is whole and sound, it moves the result to its place.
"""

import os

from archives import staging, tarball
from archives.archive_input import ArchiveInput
from archives.archive_tree import ArchiveTree
from archives.merge import merge_directory
from archives.tarball import BLOCK
from files import paths
from files.disk_room import DiskRoom
from files.workspace_lock import take_lock
from wire.errors import RequestError

_ENTRY_BYTES = 4 << 10  # what an entry takes on a disk besides its content, about


def unpack_archive(channel, request):
    _check_target(request["path"])
    umask = os.umask(0)
    try:
        with staging.StagingDirectory(channel) as directory:
            tree = ArchiveTree(directory.handle)
            try:
                result = _receive(ArchiveInput(channel), tree, request["max_size"], request["max_entries"])
                tree.set_times()
            finally:
                tree.close()
            # It takes the lock before it makes the parents. If it gets no lock, nothing has
            # changed.
            with take_lock(channel), paths.resolve(request["path"], make_parents=True) as place:
                merge_directory(directory.handle, place, channel.receive)
        return result
    finally:
        os.umask(umask)


def _check_target(path):
    """Raises at once what would else come only after the whole archive."""
    try:
        with paths.resolve(path) as place:
            os.close(place.open(os.O_PATH | os.O_DIRECTORY))
    except FileNotFoundError:
        pass  # merge_directory makes it


def _receive(source, tree, max_size, max_entries):
    headers = tarball.Headers()
    room = DiskRoom()
    size = count = 0
    parse, take, add = headers.parse, source.take, tree.add
    while True:
        found = parse(take(BLOCK))
        if found is None:
            break
        if type(found) is tuple:
            kind, length = found
            headers.extend(kind, source.take(length))
            source.take(-length % BLOCK)
            continue
        count += 1
        size += found.size
        if count > max_entries:
            raise RequestError("FILE_TOO_LARGE", "The archive has more than %d entries: send it as several." % max_entries)
        if size > max_size:
            raise RequestError("FILE_TOO_LARGE", "The archive's content is larger than %d bytes: send it as several." % max_size)
        room.take(found.size + _ENTRY_BYTES)
        add(found, source)
    if headers.pending:
        raise tarball.refused("ends behind a header that has no entry")
    source.finish()
    return {"entries": count, "size": size}
