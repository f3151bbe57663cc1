"""Builds archives by hand, sound and hostile ones."""

import struct

BLOCK = 512


def header(name, size=0, kind=b"0", link=b"", mode=b"0000644", mtime=b"14524770000", magic=b"ustar\x0000", prefix=b"", size_field=None):
    block = bytearray(BLOCK)
    block[0 : min(100, len(name))] = name[:100]
    block[100 : 100 + len(mode)] = mode
    block[108:124] = b"0000000\x000000000\0"
    block[124:136] = (b"%011o\0" % size) if size_field is None else size_field
    block[136 : 136 + len(mtime)] = mtime
    block[156:157] = kind
    block[157 : 157 + min(100, len(link))] = link[:100]
    block[257:265] = magic
    block[345 : 345 + min(155, len(prefix))] = prefix[:155]
    return seal(block)


def seal(block):
    """The header with its sum made right."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry(name, content=b"", **fields):
    return header(name, len(content), **fields) + content + bytes(-len(content) % BLOCK)


def pax(*records, kind=b"x"):
    content = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        while len(b"%d %b=%b\n" % (length, key, value)) != length:
            length += 1
        content += b"%d %b=%b\n" % (length, key, value)
    return entry(b"pax", content, kind=kind)


def archive(*entries):
    return b"".join(entries) + bytes(2 * BLOCK)


def records(data):
    """What "pack" sends, taken apart: a list of (kind, mode, mtime, name, target, content)."""
    found = []
    position = 0
    while position < len(data):
        kind, mode, mtime, size, name_bytes, target_bytes = struct.unpack_from(">cIQQHH", data, position)
        name = position + 25
        target = name + name_bytes
        content = target + target_bytes
        position = content + size
        assert position <= len(data)
        found.append((kind, mode, mtime, data[name:target], data[target:content], data[content:position]))
    return found


def archive_of(data):
    """The tar that a host makes of what "pack" sends."""
    parts = []
    for kind, mode, mtime, name, target, content in records(data):
        parts.append(pax((b"path", name), *([(b"linkpath", target)] if target else [])))
        parts.append(entry(b"x", content, kind=kind, mode=b"%07o" % mode, mtime=b"%011o" % mtime))
    return archive(*parts)
