"""edit: replaces pieces of a text file, all of them or none."""

import os

import conditions
import diffs
import files
import messages
import paths
from errors import RequestError

# An edit holds the file, its new content and their lines in memory.
_MAX_BYTES = 16 << 20
_MAX_DIFF_BYTES = 1 << 20
_CHUNK = 64 << 10

# Without the lock at first, since an edit may take long. Whoever lost so often to other calls keeps them off; then only a command that
# goes on writing to the file can still come between.
_TRIES_WITHOUT_LOCK = 3
_TRIES = 10


def edit(link, request):
    limit = min(request["max_size"] or _MAX_BYTES, _MAX_BYTES)
    edits = _receive_edits(link)
    with paths.resolve(request["path"]) as place, conditions.Lock(link) as lock:
        for count in range(_TRIES):
            if count >= _TRIES_WITHOUT_LOCK:
                lock.take()
            old, tag = _read(place, limit, request)
            new = _apply(edits, old, limit, link)
            with files.Replacement(place) as replacement:
                replacement.write(new)
                replacement.finish()
                lock.take()
                status = place.stat()
                if conditions.etag(status) == tag:
                    tag = replacement.commit()
                    lock.release()
                    return {"etag": tag, "truncated": not _send_diff(link, old, new, request["path"])}
            lock.release()
    raise RequestError("EDIT_NOT_APPLICABLE", "A process in the sandbox changes the file again and again.")


def _receive_edits(link):
    text = bytearray()
    while True:
        for data in link.wait_input():
            if data is None:
                return [(each["old"].encode(), each["new"].encode(), each["all"]) for each in messages.loads(text)]
            text += data
            link.grant(len(data))


def _read(place, limit, request):
    """(content, entity tag)"""
    files.check_regular(place.stat())
    file = place.open(os.O_RDONLY)
    try:
        status = os.fstat(file)
        files.check_regular(status)
        files.check_size(status.st_size, limit)
        conditions.check(request, status)
        content = bytearray()
        while len(content) <= limit:
            data = os.read(file, _CHUNK)
            if not data:
                break
            content += data
        files.check_size(len(content), limit)
    finally:
        os.close(file)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError("EDIT_NOT_APPLICABLE", "The file is not text in UTF-8.")
    return bytes(content), conditions.etag(status)


def _apply(edits, content, limit, link):
    # In bytes: UTF-8 has no character within another, and a replacement of everything could be too large to be tried.
    for index, (old, new, everywhere) in enumerate(edits):
        count = content.count(old) if everywhere else _matches(content, old)
        if count == 0 or count > 1 and not everywhere:
            hint = "it has to be there exactly, white space too" if count == 0 else "give more of what is around it, or `all`"
            raise RequestError("EDIT_NOT_APPLICABLE", "edits[%d]: `old` matches %d times and not once: %s." % (index, count, hint))
        files.check_size(len(content) + count * (len(new) - len(old)), limit)
        content = content.replace(old, new)
        link.receive()
    return content


def _matches(content, old):
    """How often it is there; matches that overlap count as two at least, since either could be meant."""
    first = content.find(old)
    if first == -1:
        return 0
    return max(2, content.count(old)) if content.find(old, first + 1) != -1 else 1


def _send_diff(link, old, new, path):
    """Whether that was all of it: a diff over its bound is cut after a line."""
    output = bytearray()
    sent = 0
    for line in diffs.unified(old, new, path.encode("utf-8", "surrogateescape")):
        sent += len(line)
        if sent > _MAX_DIFF_BYTES:
            link.send_output(output)
            return False
        output += line
        if len(output) > _CHUNK:
            link.send_output(output)
            output = bytearray()
    link.send_output(output)
    return True
