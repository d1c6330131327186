"""Puts an export together as a reader does, checks every promise about it, and reads its records."""

import csv
import gzip
import hashlib
import io
import json

import msgpack
import zstandard

from oracle import differences
from oracle.rules import COLUMNS, PROFILE_FIELDS

NUMBERS = {"revision", "language", "message_settings", "level", "role"}


def fetch(world, exchange):
    """The file of an export, checked: sequence, checksums, manifest, one partition."""
    said = exchange.reply["export"]
    record = exchange.record
    source = f"{record.topic}:{record.partition}:{record.offset}".encode()
    manifest = world.exports.wait(
        1, lambda m: m.header("export-source") == source and m.header("export-manifest") == b"1", what="manifests"
    )
    assert len(manifest) == 1
    manifest = manifest[0]
    assert json.loads(manifest.value) == said
    assert manifest.key == exchange.reply["id"].encode() == manifest.header("export-id")
    chunks = world.exports.select(
        lambda m: m.header("export-source") == source
        and m.header("export-attempt") == str(said["attempt"]).encode()
        and m.header("export-manifest") is None
    )
    assert [chunk.header("export-seq") for chunk in chunks] == [b"%d" % (i + 1) for i in range(said["chunks"])]
    encodings = {"none": None, "gzip": b"gzip", "zstd": b"zstd"}
    for chunk in chunks:
        assert chunk.key == manifest.key and chunk.partition == manifest.partition
        assert chunk.offset < manifest.offset
        assert chunk.header("export-id") == manifest.key
        assert chunk.header("export-sha256").decode() == hashlib.sha256(chunk.value).hexdigest()
        assert chunk.header("content-type")
        assert chunk.header("content-encoding") == encodings[said["compression"]]
    joined = b"".join(chunk.value for chunk in chunks)
    assert (len(joined), hashlib.sha256(joined).hexdigest()) == (said["bytes"], said["sha256"])
    return joined


def check(world, exchange):
    """Fetches the export that a command made, and compares its records with the model's. Returns the raw file."""
    wanted = exchange.expected.file
    joined = fetch(world, exchange)
    plain = {"none": bytes, "gzip": gzip.decompress, "zstd": unzstd}[wanted.compression](joined)
    records = {"ndjson": read_ndjson, "json": json.loads, "msgpack": read_msgpack, "csv": read_csv}[wanted.format](plain)
    columns = wanted.columns or COLUMNS
    if wanted.format == "csv":
        assert plain.decode().split("\r\n")[0].split(",") == columns
    expected = [kept(record, columns) for record in wanted.records]
    if not set(columns) & set(PROFILE_FIELDS):
        # Whether a record of which no profile field is kept has an empty profile is left open.
        records = [{key: value for key, value in record.items() if (key, value) != ("profile", {})} for record in records]
    found = differences(expected, records, "records")
    assert not found, "\n".join(found[:10])
    return plain


def kept(record, columns):
    result = {key: value for key, value in record.items() if key in columns}
    if set(columns) & set(PROFILE_FIELDS):
        result["profile"] = {key: value for key, value in record["profile"].items() if key in columns}
    return result


def unzstd(data):
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()


def read_ndjson(plain):
    assert plain == b"" or plain.endswith(b"\n")
    return [json.loads(line) for line in plain.decode().split("\n")[:-1]]


def read_msgpack(plain):
    return list(msgpack.Unpacker(io.BytesIO(plain)))


def read_csv(plain):
    """RFC 4180 with CRLF; the guard apostrophe comes off as an import takes it off."""
    text = plain.decode()
    assert text.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    records = []
    for row in rows[1:]:
        assert len(row) == len(rows[0])
        record = {}
        for name, cell in zip(rows[0], row):
            assert cell[:1] not in ("=", "+", "-", "@", "\t", "\n"), f"unguarded cell {cell!r}"
            cell = cell[1:] if cell.startswith("'") else cell
            if name in PROFILE_FIELDS:
                record.setdefault("profile", {})
            if cell != "":
                value = json.loads(cell) if name == "custom" else int(cell) if name in NUMBERS else cell
                (record["profile"] if name in PROFILE_FIELDS else record)[name] = value
        records.append(record)
    return records
