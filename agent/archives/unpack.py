"""Unpacks an archive into a directory of the workspace, all of it or nothing (PROTOCOL.md, "unpack").

It is unpacked as it arrives into a directory of its own in the workspace's root, and moved to its place once all of it was seen to be sound.
"""

import os

from archives import staging, tarball
from archives.archive_input import Input
from archives.archive_tree import Tree
from archives.merge import merge
from archives.tarball import BLOCK
from files import conditions, paths
from wire.errors import RequestError


def unpack_archive(channel, request):
    _check_target(request["path"])
    umask = os.umask(0)
    try:
        with staging.Directory(channel) as directory:
            tree = Tree(directory.handle)
            try:
                result = _receive(Input(channel), tree, request["max_size"], request["max_entries"])
                tree.set_times()
            finally:
                tree.close()
            # Before the parents are made, so that nothing was changed where it is not to be had.
            with conditions.locked(channel), paths.resolve(request["path"], make_parents=True) as place:
                merge(directory.handle, place, channel.receive)
        return result
    finally:
        os.umask(umask)


def _check_target(path):
    """Says at once what would else be found out behind the whole archive."""
    try:
        with paths.resolve(path) as place:
            os.close(place.open(os.O_PATH | os.O_DIRECTORY))
    except FileNotFoundError:
        pass  # it is made


def _receive(source, tree, max_size, max_entries):
    headers = tarball.Headers()
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
        add(found, source)
    if headers.pending:
        raise tarball.refused("ends behind a header that has no entry")
    source.finish()
    return {"entries": count, "size": size}
