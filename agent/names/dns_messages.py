"""The DNS messages that programs send and get (RFC 1035, section 4).

A reply is never larger than 512 bytes: it has one question and at most one record.
"""

import struct

MAX_SIZE = 512  # bytes of a message; the EDNS option of a larger size is ignored
A, PTR, AAAA = 1, 12, 28
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED = 0, 1, 2, 3, 4

# The id, the flags, and the counts of questions, answers, authorities and additional records.
_HEADER = struct.Struct(">HHHHHH")
_TYPE_AND_CLASS = struct.Struct(">HH")
_RECORD = struct.Struct(">HHHIH")  # pointer to the name, type, class, TTL, size of the data
_IS_REPLY = 1 << 15
_OPCODE = 15 << 11
_RECURSION_DESIRED = 1 << 8
# Go's resolver takes a reply without records for a failure of the server if this is not set.
_RECURSION_AVAILABLE = 1 << 7
_POINTER_TO_QUESTION = 0xC000 | _HEADER.size
_MAX_LABEL, _MAX_NAME = 63, 255  # bytes; the name with its lengths
_IN = 1
# Seconds. A program that keeps an answer shall not outlive the session's rules for long.
_TTL = 10


class Query:
    __slots__ = ("id", "flags", "error", "question", "labels", "type")

    def __init__(self, query_id, flags):
        self.id = query_id
        self.flags = flags
        self.error = NO_ERROR  # what a reply says if the query cannot be served
        self.question = b""  # its own bytes, which the reply repeats
        self.labels = ()  # of the name, as bytes
        self.type = 0


def parse_query(message):
    """Returns a Query, or None if the message is no query: it gets no reply then."""
    if len(message) < _HEADER.size:
        return None
    query_id, flags, questions, _, _, _ = _HEADER.unpack_from(message)
    if flags & _IS_REPLY:
        return None
    query = Query(query_id, flags)
    if flags & _OPCODE:
        query.error = NOT_IMPLEMENTED
    elif questions != 1 or not _read_question(query, message):
        query.error = FORMAT_ERROR
    return query


def _read_question(query, message):
    """Returns whether the question is well-formed."""
    labels = []
    position = _HEADER.size
    while True:
        size = message[position] if position < len(message) else _MAX_LABEL + 1
        position += 1
        if size == 0:
            break
        # A larger size is a pointer. A question has nothing to point to.
        if size > _MAX_LABEL:
            return False
        labels.append(message[position : position + size])
        position += size
    end = position + _TYPE_AND_CLASS.size
    if position - _HEADER.size > _MAX_NAME or end > len(message):
        return False
    query.type, of_class = _TYPE_AND_CLASS.unpack_from(message, position)
    query.question = message[_HEADER.size : end]
    query.labels = labels
    if of_class != _IN:
        query.error = NOT_IMPLEMENTED
    return True


def make_reply(query, code, data=None):
    """Returns the message. `data` is that of a record of the type that was asked for."""
    flags = _IS_REPLY | query.flags & (_OPCODE | _RECURSION_DESIRED) | _RECURSION_AVAILABLE | code
    header = _HEADER.pack(query.id, flags, 1 if query.question else 0, 0 if data is None else 1, 0, 0)
    if data is None:
        return header + query.question
    return header + query.question + _RECORD.pack(_POINTER_TO_QUESTION, query.type, _IN, _TTL, len(data)) + data


def name_data(name):
    """Returns a name as the data of a PTR record has it."""
    labels = name.encode().split(b".")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
