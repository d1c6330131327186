"""An app of which every account has every field, exported by accountctl and imported again, in every format and
compression. ACCOUNTS tells how many (make roundtrip); they are made, written and compared one at a time."""

import csv
import gzip
import io
import json
import os
import subprocess
import time

import msgpack
import pytest
import zstandard

from exports import NUMBERS
from oracle.rules import PROFILE_FIELDS
from test_import import Ctl, full
from world import World

ACCOUNTS = int(os.environ.get("ACCOUNTS") or 3000)
PACKS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
FORMS = ["ndjson", "json", "csv", "msgpack"]

pytestmark = pytest.mark.timeout(300 + ACCOUNTS // 500)


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("roundtrip"), "roundtrip", 4)
    made.stop_listening()
    yield made
    made.close()


@pytest.fixture(scope="module")
def ctl(here):
    return Ctl(here)


def run(ctl, app, *arguments):
    """What accountctl prints as JSON, and the accounts a second."""
    begin = time.monotonic()
    command = [*ctl.command, "--app", app, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout, ACCOUNTS / (time.monotonic() - begin)


def take_in(ctl, app, file):
    out, rate = run(ctl, app, "import", file, "--json")
    told = json.loads(out)
    assert [told[name] for name in ("read", "created", "rejected")] == [ACCOUNTS, ACCOUNTS, 0], told
    return rate


def forget(here, app):
    """Makes room in Redis; the app's name is not used again."""
    while names := here.redis.zpopmin(f"accounts:{{{app}}}", 10_000):
        here.redis.unlink(*(f"acct:{{{app}}}:{name}" for name, _ in names))
    here.redis.unlink(f"admins:{{{app}}}")


@pytest.fixture(scope="module")
def source(here, ctl, tmp_path_factory):
    file = tmp_path_factory.mktemp("source") / "accounts.ndjson"
    with open(file, "w") as out:
        for i in range(ACCOUNTS):
            out.write(json.dumps(full(i), ensure_ascii=False) + "\n")
    rate = take_in(ctl, "source", file)
    print(f"{ACCOUNTS} accounts, {file.stat().st_size >> 20} MiB of ndjson: {rate:.0f} accounts/s imported")
    file.unlink()
    return "source"


def opened(file, compression):
    if compression == "gzip":
        return gzip.open(file, "rb")
    raw = open(file, "rb")
    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw)) if compression == "zstd" else raw


def csv_records(plain):
    rows = csv.reader(io.TextIOWrapper(plain, "utf-8", newline=""), strict=True)
    header = next(rows)
    for row in rows:
        assert len(row) == len(header)
        record = {"profile": {}}
        for name, cell in zip(header, row):
            assert cell[:1] not in ("=", "+", "-", "@", "\t", "\n"), f"unguarded cell {cell!r}"
            cell = cell[1:] if cell.startswith("'") else cell
            value = json.loads(cell) if name == "custom" else int(cell) if name in NUMBERS else cell
            (record["profile"] if name in PROFILE_FIELDS or name == "custom" else record)[name] = value
        yield record


def json_records(plain):
    """The items of one array, which has no newlines to read it by."""
    text = io.TextIOWrapper(plain, "utf-8", newline="")
    decode = json.JSONDecoder().raw_decode
    assert text.read(1) == "["
    rest, at = text.read(1 << 16), 0
    while True:
        try:
            record, end = decode(rest, at)
        except json.JSONDecodeError:
            more = text.read(1 << 16)
            assert more, f"the array breaks off: {rest[at:at + 200]!r}"
            rest, at = rest[at:] + more, 0
            continue
        yield record
        rest, at = (rest, end) if end < len(rest) else (text.read(1 << 16), 0)
        if rest[at] == "]":
            assert rest[at + 1:] + text.read() == ""
            return
        assert rest[at] == ","
        at += 1


READ = {
    "ndjson": lambda plain: map(json.loads, plain),
    "json": json_records,
    "csv": csv_records,
    "msgpack": lambda plain: msgpack.Unpacker(plain),
}


def check(file, form, compression):
    """Every account once, and each as it was made."""
    seen = bytearray(ACCOUNTS)
    with opened(file, compression) as plain:
        for record in READ[form](plain):
            i = int(record["account"][1:])
            wanted = full(i)
            found = {name: record[name] for name in wanted}
            assert found == wanted and not seen[i], (found, wanted)
            seen[i] = 1
    assert sum(seen) == ACCOUNTS


@pytest.mark.parametrize("compression", PACKS)
@pytest.mark.parametrize("form", FORMS)
def test_an_export_comes_back_as_it_was(ctl, here, source, app, tmp_path, form, compression):
    first, second = (tmp_path / f"{name}.{form}{PACKS[compression]}" for name in ("first", "second"))
    _, exported = run(ctl, source, "export", "--all", "-o", first)
    check(first, form, compression)
    imported = take_in(ctl, app, first)
    run(ctl, app, "export", "--all", "-o", second)
    check(second, form, compression)
    print(f"{form} {compression}: {first.stat().st_size} bytes, {exported:.0f} accounts/s exported, {imported:.0f} imported")
    forget(here, app)
