"""The file operations of PROTOCOL.md. Each takes the link and the request and returns the `ok` of END."""

import errno
import json
import os
import stat

import frames
import paths
import removal
from errors import RequestError

_CHUNK = frames.MAX_AGENT_PAYLOAD
_DEFAULT_MODE = 0o644
_CANCEL_CHECK_INTERVAL = 256


def list_directory(link, request):
    with paths.resolve(request["path"]) as place:
        directory = place.open(os.O_RDONLY | os.O_DIRECTORY)
    try:
        count = 0
        lines = bytearray()
        # Names alone are held: with their attributes, a directory of a million would not fit a sandbox's memory.
        names = os.listdir(directory)
        names.sort()
        for name in names:
            line = _entry(name, directory)
            if line is not None:
                lines += line
                count += 1
            if len(lines) > _CHUNK:
                link.send_output(lines)
                lines = bytearray()
            elif count % _CANCEL_CHECK_INTERVAL == 0:
                link.receive()
        link.send_output(lines)
        return {"count": count}
    finally:
        os.close(directory)


def _entry(name, directory):
    """Its line of JSON; None where it is gone."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    line = '{"name":%s,"type":"%s","size":%d,"modified":%r}\n'
    return (line % (json.dumps(text), _type(status.st_mode), status.st_size, status.st_mtime)).encode()


def _type(mode):
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def read_file(link, request):
    with paths.resolve(request["path"]) as place:
        _check_regular(place.stat())
        file = place.open(os.O_RDONLY)
    try:
        status = os.fstat(file)
        _check_regular(status)
        _check_size(status.st_size, request["max_size"])
        offset, length = _range(status.st_size, request["offset"], request["length"])
        head = {"size": status.st_size, "modified": status.st_mtime, "offset": offset, "length": length}
        output = json.dumps(head, separators=(",", ":")).encode() + b"\n"
        while length:
            chunk = os.pread(file, min(length, _CHUNK), offset)
            if not chunk:
                raise RequestError("INTERNAL_ERROR", "The file became shorter while it was read.")
            offset += len(chunk)
            length -= len(chunk)
            link.send_output(output + chunk)
            output = b""
        link.send_output(output)
        return {}
    finally:
        os.close(file)


def _range(size, offset, length):
    """The part that is sent: (offset, length). A negative offset counts from the end."""
    if offset < 0:
        offset = max(0, size + offset)
    elif offset >= size and not (offset == 0 and length is None):
        raise RequestError("RANGE_NOT_SATISFIABLE", "The file has %d bytes." % size)
    rest = size - offset
    return offset, rest if length is None else min(length, rest)


def write_file(link, request):
    with paths.resolve(request["path"], make_parents=True) as place:
        mode = _replaced_mode(place)
        temporary = paths.Place(place.directory, b".sandbox-tmp-" + os.urandom(8).hex().encode())
        file = temporary.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            size = _receive_content(link, file, request["max_size"])
            os.fchmod(file, _DEFAULT_MODE if mode is None else mode)
            os.fsync(file)
            os.rename(temporary.name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except BaseException:
            _unlink_quietly(temporary)
            raise
        finally:
            os.close(file)
        return {"size": size, "created": mode is None}


def _replaced_mode(place):
    """Permission bits of the file that is there; None where none is."""
    try:
        status = place.stat()
    except FileNotFoundError:
        return None
    _check_regular(status)
    return stat.S_IMODE(status.st_mode) & 0o777


def _unlink_quietly(place):
    try:
        os.unlink(place.name, dir_fd=place.directory)
    except OSError:
        pass


def _receive_content(link, file, max_size):
    size = 0
    while True:
        for data in link.wait_input():
            if data is None:
                return size
            size += len(data)
            _check_size(size, max_size)
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            link.grant(len(data))


def delete(link, request):
    if not request["path"]:
        raise RequestError("INVALID_PATH", "The workspace itself cannot be deleted.")
    with paths.resolve(request["path"], follow_last=False) as place:
        if stat.S_ISDIR(place.stat().st_mode):
            removal.remove_tree(place.directory, place.name, link.receive)
        else:
            os.unlink(place.name, dir_fd=place.directory)
    return {}


def _check_regular(status):
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "a link since it was resolved")
    if stat.S_ISDIR(status.st_mode):
        raise RequestError("IS_A_DIRECTORY", "It is a directory.")
    if not stat.S_ISREG(status.st_mode):
        raise RequestError("NOT_A_REGULAR_FILE", "It is not a regular file.")


def _check_size(size, max_size):
    if max_size and size > max_size:
        raise RequestError("FILE_TOO_LARGE", "The file is larger than %d bytes." % max_size)


OPERATIONS = {"list": list_directory, "read": read_file, "write": write_file, "delete": delete}
