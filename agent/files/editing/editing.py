"""edit: replaces pieces of a text file, all of them or none."""

import os

from files import checks, conditions, paths
from files.editing import diffs, occurrences
from files.workspace_lock import WorkspaceLock
from files.writing import Replacement
from wire import messages
from wire.errors import RequestError

# An edit holds the file, its new content and their lines in memory.
_MAX_BYTES = 16 << 20
_MAX_DIFF_BYTES = 1 << 20
_CHUNK = 64 << 10

# An edit first works without the lock, because it may take long. If other calls have changed the
# file so often meanwhile, it takes the lock first. Then only a command can still change the file.
_TRIES_WITHOUT_LOCK = 3
_TRIES = 10


def edit_file(channel, request):
    limit = min(request["max_size"] or _MAX_BYTES, _MAX_BYTES)
    edits = _receive_edits(channel)
    with paths.resolve(request["path"]) as place, WorkspaceLock(channel) as lock:
        for count in range(_TRIES):
            if count >= _TRIES_WITHOUT_LOCK:
                lock.take()
            old, tag = _read(place, limit, request)
            new = _apply(edits, old, limit, channel)
            with Replacement(place) as replacement:
                replacement.write(new)
                replacement.finish()
                lock.take()
                status = place.stat()
                if conditions.etag(status) == tag:
                    tag = replacement.commit()
                    lock.release()
                    return {"etag": tag, "truncated": not _send_diff(channel, old, new, request["path"])}
            lock.release()
    raise RequestError("EDIT_NOT_APPLICABLE", "A process in the sandbox changes the file again and again.")


def _receive_edits(channel):
    text = bytearray()
    while True:
        for data in channel.wait_input():
            if data is None:
                return [(each["old"].encode(), each["new"].encode(), each["all"]) for each in messages.loads(text)]
            text += data
            channel.grant(len(data))


def _read(place, limit, request):
    """Returns (content, entity tag)."""
    checks.check_regular(place.stat())
    file = place.open(os.O_RDONLY)
    try:
        status = os.fstat(file)
        checks.check_regular(status)
        checks.check_size(status.st_size, limit)
        conditions.check(request, status)
        content = bytearray()
        while len(content) <= limit:
            data = os.read(file, _CHUNK)
            if not data:
                break
            content += data
        checks.check_size(len(content), limit)
    finally:
        os.close(file)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError("EDIT_NOT_APPLICABLE", _not_utf8(content, error.start))
    return bytes(content), conditions.etag(status)


def _not_utf8(content, at):
    advice = "convert it to UTF-8 by a command, such as iconv, or edit it by one."
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "The file is UTF-16, and an edit is for UTF-8: %s" % advice
    if b"\0" in content:
        return "The file is not text in UTF-8: it is binary."
    line = content.count(b"\n", 0, at) + 1
    return "The file is not text in UTF-8: line %d has another encoding. To go on, %s" % (line, advice)


def _apply(edits, content, limit, channel):
    for index, (old, new, everywhere) in enumerate(edits):
        content = _replaced(index, content, old, new, everywhere, limit)
        channel.receive()
    return content


def _replaced(index, content, old, new, everywhere, limit):
    """Returns the content after that edit.

    It works on bytes: in UTF-8 no character begins within another. It computes the size first,
    because the result may be too large for the memory.
    """
    if b"\r" in content or b"\r" in old or b"\r" in new:
        from files.editing import line_ends

        if line_ends.are_mixed(content):
            return _replaced_in_mixed(index, line_ends.MixedEdit(content, old, new, everywhere), limit)
        old, new = line_ends.fitted(content, old, new)
    count = content.count(old) if everywhere else occurrences.count(content, old)
    _check_count(index, count, everywhere, content, old, new)
    checks.check_size(len(content) + count * (len(new) - len(old)), limit)
    return content.replace(old, new)


def _replaced_in_mixed(index, edit, limit):
    _check_count(index, edit.count, edit.everywhere, *edit.searched, edit.new)
    result = bytearray()
    done = 0
    for start, end, text in edit.replacements():
        result += edit.content[done:start]
        result += text
        done = end
        checks.check_size(len(result), limit)
    checks.check_size(len(result) + len(edit.content) - done, limit)
    return bytes(result + edit.content[done:])


def _check_count(index, count, everywhere, content, old, new):
    if count == 1 or count > 1 and everywhere:
        return
    from files.editing import edit_hints

    if count:
        detail = edit_hints.ambiguous(index, content, old, count)
    else:
        detail = edit_hints.missing(index, *(text.replace(b"\r\n", b"\n") for text in (content, old, new)))
    raise RequestError("EDIT_NOT_APPLICABLE", detail)


def _send_diff(channel, old, new, path):
    """Sends the diff. Returns False if it had to cut it, which it does after a line."""
    output = bytearray()
    sent = 0
    for line in diffs.unified(old, new, path.encode("utf-8", "surrogateescape")):
        sent += len(line)
        if sent > _MAX_DIFF_BYTES:
            channel.send_output(output)
            return False
        output += line
        if len(output) > _CHUNK:
            channel.send_output(output)
            output = bytearray()
    channel.send_output(output)
    return True
