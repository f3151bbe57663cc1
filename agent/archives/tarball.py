"""The tar format: ustar headers with the extensions of pax and GNU, read strictly."""

import zlib

from files import file_names
from wire.errors import RequestError

BLOCK = 512
MAX_NAME_BYTES = 4096

FILE, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK = b"x", b"g", b"L", b"K"
EXTENSIONS = (PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK)
_REFUSED = {b"3": "a device", b"4": "a device", b"6": "a FIFO", b"S": "a sparse file"}
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"1": HARD_LINK, b"2": SYMLINK, b"5": DIRECTORY}

_MAX_EXTENSION_BYTES = 64 << 10  # of one extension; names have no more than MAX_NAME_BYTES
_MAX_EXTENSIONS = 4  # before one entry
_MAX_TIME = 1 << 33
_ADLER = 65521

_USTAR = b"ustar\x0000"
_GNU = b"ustar  \0"
_V7 = bytes(8)


def refused(reason, name=None):
    shown = "" if name is None else " (%s)" % file_names.shown(name)
    return RequestError("ARCHIVE_REFUSED", "The archive %s%s." % (reason, shown))


class Entry:
    """One entry. `kind` is FILE, HARD_LINK, SYMLINK or DIRECTORY.

    `size` bytes of content follow it, padded to whole blocks.
    """

    __slots__ = ("kind", "name", "link", "mode", "mtime", "size")


class Headers:
    """Makes entries of header blocks. An extension is about the one entry behind it."""

    def __init__(self):
        self._more = {}
        self._extensions = 0

    @property
    def pending(self):
        """Returns whether an extension waits for its entry."""
        return self._extensions > 0

    def parse(self, block):
        """Returns an Entry, or None for a block of zeros.

        For an extension it returns (type, size). The content of the extension follows then.
        """
        # The low half of Adler-32 is the sum of the bytes. It is much faster than sum().
        if zlib.adler32(block) & 0xFFFF != _sums[block[148:156]]:
            if not block.strip(b"\0"):
                return None
            raise refused("is no tar archive, or is damaged")
        kind = block[156:157]
        magic = block[257:265]
        if magic != _USTAR and magic != _GNU and magic != _V7:
            raise refused("is of an unknown format")
        size = _numbers[block[124:136]]
        if kind in EXTENSIONS:
            self._extensions += 1
            if self._extensions > _MAX_EXTENSIONS or size > _MAX_EXTENSION_BYTES:
                raise refused("has headers out of all proportion")
            return kind, size
        end = block.find(b"\0", 0, 100)
        name = block[: end if end >= 0 else 100]
        if block[345] and magic == _USTAR:
            name = _text(block[345:500]) + b"/" + name
        entry = Entry()
        entry.link = _text(block[157:257]) if block[157] else b""
        entry.mode = _numbers[block[100:108]] & 0o777
        entry.mtime = _times[block[136:148]]
        entry.size = size
        if self._extensions:
            name = self._apply(entry, name)
        entry.name = name
        entry.kind = _KINDS.get(kind)
        if entry.kind != FILE or name.endswith(b"/"):
            self._settle_kind(entry, kind)
        return entry

    def _settle_kind(self, entry, kind):
        if entry.kind is None:
            raise refused("holds %s" % _REFUSED.get(kind, "an entry of unknown type"), entry.name)
        if entry.kind == FILE:
            entry.kind = DIRECTORY
        if entry.size and entry.kind != HARD_LINK:
            raise refused("has content where none belongs", entry.name)
        entry.size = 0  # for a hard link, some writers give the size of its file

    def _apply(self, entry, name):
        more, self._more, self._extensions = self._more, {}, 0
        entry.link = more.get(b"linkpath", entry.link)
        if b"size" in more:
            entry.size = _decimal(more[b"size"])
        if b"mtime" in more:
            seconds = more[b"mtime"].partition(b".")[0]
            entry.mtime = 0 if seconds.startswith(b"-") else min(_decimal(seconds), _MAX_TIME)
        return more.get(b"path", name)

    def extend(self, kind, content):
        """Takes the content of an extension."""
        if kind == GNU_NAME:
            self._more[b"path"] = _text(content)
        elif kind == GNU_LINK:
            self._more[b"linkpath"] = _text(content)
        else:
            records = _records(content)
            if any(key.startswith(b"GNU.sparse.") for key in records):
                raise refused("holds a sparse file", records.get(b"GNU.sparse.name"))
            if kind == PAX:
                self._more.update(records)
            elif not records.keys().isdisjoint((b"path", b"linkpath", b"size")):
                raise refused("has a global header that names a file")


def _text(field):
    end = field.find(b"\0")
    return bytes(field) if end < 0 else bytes(field[:end])


def _octal(field):
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise refused("is no tar archive, or is damaged")
    return int(digits, 8)


def _number(field, may_be_negative=False):
    if field[0] < 0x80:
        return _octal(field)
    # GNU's form is two's complement, big-endian, with the first bit set.
    if field[0] == 0xFF and may_be_negative:
        return 0
    if field[0] != 0x80:
        raise refused("has a number out of range")
    return int.from_bytes(field[1:], "big")


class _Known(dict):
    """Remembers the values of fields. Most entries share modes, times and sizes with others."""

    def __init__(self, meaning):
        super().__init__()
        self._meaning = meaning

    def __missing__(self, field):
        if len(self) >= 4096:
            self.clear()
        value = self[field] = self._meaning(field)
        return value


def _expected_sum(field):
    """Returns the low half of the Adler-32 of a header whose checksum field is this.

    The checksum counts its own field as eight blanks.
    """
    return (1 + _octal(field) + sum(field) - 256) % _ADLER


_sums = _Known(_expected_sum)
_numbers = _Known(_number)
_times = _Known(lambda field: min(_number(field, True), _MAX_TIME))


def _decimal(digits):
    if not digits.isdigit() or len(digits) > 20:
        raise refused("has a malformed header")
    return int(digits)


def _records(content):
    """Returns {key: value} of a pax header.

    Its lines are `LENGTH KEY=VALUE`. LENGTH is that of the whole line.
    """
    records = {}
    position = 0
    while position < len(content):
        blank = content.find(b" ", position, position + 8)
        length = _decimal(content[position:blank]) if blank > position else 0
        end = position + length
        equals = content.find(b"=", blank, end)
        if equals < 0 or end > len(content) or content[end - 1 : end] != b"\n":
            raise refused("has a malformed header")
        records[bytes(content[blank + 1 : equals])] = bytes(content[equals + 1 : end - 1])
        position = end
    return records
