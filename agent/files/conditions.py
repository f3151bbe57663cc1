"""Entity tags of files, and preconditions on them (RFC 9110, section 13)."""

from wire.errors import RequestError


def etag(status):
    """Returns the entity tag of the file that has this status.

    A write to the file, its replacement, its renaming and a change of its mode each give another
    one.
    """
    return "%x.%x.%x.%x" % (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def status_of(place):
    """Returns the status of what is at the place, or None if nothing is."""
    try:
        return place.stat()
    except FileNotFoundError:
        return None


def check(request, status):
    """Compares both conditions of a request with the status of what is there, None for nothing.

    Raises RequestError PRECONDITION_FAILED.
    """
    check_match(request, status)
    check_none_match(request, status)


def check_match(request, status):
    tags = request.get("if_match")
    if tags is not None and not _match(tags, status):
        raise RequestError("PRECONDITION_FAILED", "What is there is not, or no longer, what If-Match names.")


def check_none_match(request, status):
    tags = request.get("if_none_match")
    if tags is not None and _match(tags, status):
        raise RequestError("PRECONDITION_FAILED", "What is there is what If-None-Match excludes.")


def _match(tags, status):
    return status is not None and (tags == "*" or etag(status) in tags)
