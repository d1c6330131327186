"""Bytes to a tree of dict, list, str, int, float, bool, None and Opaque (MessagePack bin and ext)."""

import json
import math
import struct

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
DEPTH_MAX = 16


class Malformed(Exception):
    pass


class Opaque:
    """A well-formed value that is nothing the contract has a use for."""


def encoding(value, content_type):
    """json or msgpack: by content type where that names one, else by the first byte."""
    named = (content_type or b"").split(b";")[0].strip().lower()
    if named == b"application/json":
        return "json"
    if named in (b"application/msgpack", b"application/x-msgpack", b"application/vnd.msgpack"):
        return "msgpack"
    first = unframed(value or b"")[:1]
    if first and (0x80 <= first[0] <= 0x8F or first[0] in (0xDE, 0xDF)):
        return "msgpack"
    return "json"


def unframed(value):
    return value[5:] if value[:1] == b"\0" else value


def decode(value, content_type, bytes_max):
    if not value or len(value) > bytes_max:
        raise Malformed("no value, or too long a one")
    body = unframed(value)
    tree = from_json(body) if encoding(value, content_type) == "json" else from_msgpack(body)
    if not isinstance(tree, dict):
        raise Malformed("not a map")
    return tree


def checked_map(pairs):
    tree = {}
    for key, value in pairs:
        if not isinstance(key, str) or key in tree or "\0" in key:
            raise Malformed("a key that is no string, comes twice or holds a NUL")
        tree[key] = value
    return tree


def checked_int(number):
    if not INT64_MIN <= number <= INT64_MAX:
        raise Malformed("beyond int64")
    return number


def checked_float(number):
    if not math.isfinite(number):
        raise Malformed("not a finite number")
    return number


def from_json(body):
    def refuse(_):
        raise Malformed("NaN or infinity")

    try:
        tree = json.loads(
            body.decode(),
            object_pairs_hook=checked_map,
            parse_int=lambda text: checked_int(int(text)),
            parse_float=lambda text: checked_float(float(text)),
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    check_tree(tree, 1)
    return tree


def check_tree(tree, depth):
    """Depth, and the halves of surrogate pairs that JSON can spell but UTF-8 can't."""
    if isinstance(tree, str):
        try:
            tree.encode()
        except UnicodeEncodeError:
            raise Malformed("half a surrogate pair") from None
    if isinstance(tree, (dict, list)):
        if depth > DEPTH_MAX:
            raise Malformed("nested too deep")
        for item in tree.values() if isinstance(tree, dict) else tree:
            check_tree(item, depth + 1)
        for key in tree if isinstance(tree, dict) else ():
            check_tree(key, depth + 1)


class MsgpackReader:
    def __init__(self, body):
        self.body = body
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.body):
            raise Malformed("ends too early")
        self.at += count
        return self.body[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def text(self, count):
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise Malformed("invalid UTF-8") from None

    def opaque(self, count):
        self.take(count)
        return Opaque()

    def array(self, count, depth):
        if depth > DEPTH_MAX:
            raise Malformed("nested too deep")
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count, depth):
        if depth > DEPTH_MAX:
            raise Malformed("nested too deep")
        return checked_map((self.value(depth + 1), self.value(depth + 1)) for _ in range(count))

    def value(self, depth):
        tag = self.number("B")
        if tag <= 0x7F:
            return tag
        if tag <= 0x8F:
            return self.map(tag & 0x0F, depth)
        if tag <= 0x9F:
            return self.array(tag & 0x0F, depth)
        if tag <= 0xBF:
            return self.text(tag & 0x1F)
        if tag >= 0xE0:
            return tag - 256
        if tag in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
        if tag in (0xC4, 0xC5, 0xC6):
            return self.opaque(self.number("BHI"[tag - 0xC4]))
        if tag in (0xC7, 0xC8, 0xC9):
            return self.opaque(1 + self.number("BHI"[tag - 0xC7]))
        if tag in (0xCA, 0xCB):
            return checked_float(self.number("fd"[tag - 0xCA]))
        if 0xCC <= tag <= 0xD3:
            return checked_int(self.number("BHIQbhiq"[tag - 0xCC]))
        if 0xD4 <= tag <= 0xD8:
            return self.opaque(1 + (1 << (tag - 0xD4)))
        if tag in (0xD9, 0xDA, 0xDB):
            return self.text(self.number("BHI"[tag - 0xD9]))
        if tag in (0xDC, 0xDD):
            return self.array(self.number("HI"[tag - 0xDC]), depth)
        if tag in (0xDE, 0xDF):
            return self.map(self.number("HI"[tag - 0xDE]), depth)
        raise Malformed("a byte that MessagePack does not use")


def from_msgpack(body):
    reader = MsgpackReader(body)
    tree = reader.value(1)
    if reader.at != len(body):
        raise Malformed("more than one value")
    return tree
