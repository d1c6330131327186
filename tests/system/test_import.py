"""accountctl import on real servers: every account once and in order, whatever the file and whatever dies."""

import base64
import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import msgpack
import pytest
import zstandard

from client import Tap
from servers import BUILD, WITH_PARENT, wait_for
from world import World

ROOT = Path(__file__).resolve().parents[2]
PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(level=1).compress}


class Ctl:
    """Runs accountctl with the configuration of a world's first daemon."""

    def __init__(self, world):
        self.command = [str(BUILD / "accountctl"), "-c", str(world.daemons[0].config)]

    def __call__(self, app, *arguments, stdin=b""):
        done = subprocess.run(
            [*self.command, "--app", app, *map(str, arguments)], input=stdin, capture_output=True, timeout=120
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def counts(self, app, *arguments, code=0, **how):
        """Imports, and returns created, updated, skipped, rejected."""
        status, out, said = self(app, "import", *arguments, "--json", **how)
        assert status == code, (status, out, said)
        told = json.loads(out)
        counts = [told[name] for name in ("created", "updated", "skipped", "rejected")]
        assert sum(counts) == told["read"], told
        return counts

    def start(self, app, *arguments):
        command = [*WITH_PARENT, *self.command, "--app", app, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("import"), "import", 4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ctl(here):
    return Ctl(here)


def stored(here, app, name):
    return here.redis.hgetall(f"acct:{{{app}}}:{name}")


def ndjson(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def accounts(count):
    return [{"account": f"n{i}", "profile": {"nickname": f"N {i}", "level": i % 7}} for i in range(count)]


def test_ndjson(ctl, here, app, tmp_path):
    file = tmp_path / "a.ndjson"
    file.write_bytes(ndjson(accounts(5000)))
    assert ctl.counts(app, file) == [5000, 0, 0, 0]
    assert here.redis.zcard(f"accounts:{{{app}}}") == 5000
    for i in (0, 1, 4999):
        found = stored(here, app, f"n{i}")
        assert (found["nickname"], found["level"], found["rev"]) == (f"N {i}", str(i % 7), "1")
    code, out, said = ctl(app, "import", file)
    assert code == 1 and "0 created" in out and "5000 rejected" in out and "account_exists" in said
    assert ctl.counts(app, file, "--on-exists", "skip") == [0, 0, 5000, 0]


def test_two_lines_of_one_account_take_effect_in_order(ctl, here, app, tmp_path):
    chance = random.Random(7)
    file = tmp_path / "order.ndjson"
    lines, last = [], {}
    for i in range(25_000):
        name = f"n{chance.randrange(500)}"
        lines.append({"account": name, "profile": {"level": i}})
        last[name] = i
    file.write_bytes(ndjson(lines))
    assert ctl.counts(app, file, "--on-exists", "update") == [len(last), 25_000 - len(last), 0, 0]
    for name, level in last.items():
        assert stored(here, app, name)["level"] == str(level), name


TEXTS = ["=1+1", "+a", "-b", "@c", "'d", "''e", "'=f", 'quo"ted', "a,b", "línea, 日本 🎉", " blank ", "plain", "#", "null"]


def full(i, name=None):
    """An account with every field, and what parsers and spreadsheets stumble over."""
    text = TEXTS[i % len(TEXTS)]
    return {
        "account": name or f"n{i}",
        "type": "admin" if i in (3, 4) else "general",
        "profile": {
            "nickname": f"{text}{i}" if i % 2 else text,
            "avatar_url": f"https://example.com/{i}?a=,\"b'",
            "gender": ["unknown", "female", "male"][i % 3],
            "birthday": f"19{i % 90 + 10}-02-0{i % 9 + 1}",
            "location": "=x" if i % 5 else "日本",
            "signature": ["\nfirst", "two\nlines", "\ttab", text, 'a "b"\n,c\n'][i % 5],
            "allow_type": ["need_confirm", "allow_any", "deny_any"][i % 3],
            "language": i,
            "message_settings": 4294967295 - i,
            "admin_forbid": ["none", "send_out"][i % 2],
            "level": i % 101,
            "role": 0,
            "custom": {"Note": text, "a": "🎉" * (i % 20 + 1), "zZ": "'"},
        },
    }


def as_csv(records, **how):
    columns = ["account", "type", *records[0]["profile"]]
    out = io.StringIO(newline="")
    writer = csv.writer(out, **how)
    writer.writerow(columns)
    for record in records:
        values = {**record, **record["profile"]}
        values["custom"] = json.dumps(values["custom"], ensure_ascii=False)
        cells = [str(values[name]) for name in columns]
        writer.writerow(["'" + cell if cell[:1] in tuple("=+-@'\t\n") and cell else cell for cell in cells])
    return out.getvalue().encode()


WRITE = {
    "ndjson": ndjson,
    "json": lambda records: json.dumps(records, indent=1).encode(),
    "csv": as_csv,
    "msgpack": lambda records: b"".join(map(msgpack.packb, records)),
}


def record_of(ctl, app, name):
    code, out, said = ctl(app, "get", name, "--json")
    assert code == 0, said
    return json.loads(out)["record"]


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("form", WRITE)
def test_formats_and_compression(ctl, here, app, tmp_path, form, pack):
    records = [full(i) for i in range(60)]
    data = PACK[pack](WRITE[form](records))
    file = tmp_path / f"accounts.{form}{pack}"
    file.write_bytes(data)
    assert ctl.counts(app, file) == [60, 0, 0, 0]
    some = (0, 3, 17, 59)
    code, out, _ = ctl(app, "get", *(f"n{i}" for i in some), "--json")
    profiles = [result["record"]["profile"] for result in json.loads(out)["results"]]
    assert code == 0 and profiles == [records[i]["profile"] for i in some]
    assert here.redis.smembers(f"admins:{{{app}}}") == {"n3", "n4"}
    # By the first bytes, from stdin.
    assert ctl.counts(app, "-", "--on-exists", "update", stdin=data) == [0, 0, 60, 0]
    with open(file, "rb") as opened:
        command = [*ctl.command, "--app", app, "import", "/dev/stdin", "--on-exists", "skip"]
        assert subprocess.run(command, stdin=opened, timeout=60).returncode == 0
    assert not Path("/dev/stdin.import-state").exists()


def test_labels_of_the_console(ctl, app, tmp_path):
    file = tmp_path / "console.csv"
    file.write_bytes(
        "\ufeffAccount,TYPE,Nickname,Profile photo,Gender,Birth date,Location,What's Up,Friend request verification,"
        "Language,Message settings,Friending,Level,Role,custom.Team,custom.b,app,revision\r\n"
        "a,,Al,http://x.y/z,male,2000-02-29,Wien,\"hi\nyou\",allow_any,7,1,send_out,3,4,blue,,other,9\r\n".encode()
    )
    assert ctl.counts(app, file) == [1, 0, 0, 0]
    assert record_of(ctl, app, "a")["profile"] == {
        "nickname": "Al", "avatar_url": "http://x.y/z", "gender": "male", "birthday": "2000-02-29", "location": "Wien",
        "signature": "hi\nyou", "allow_type": "allow_any", "language": 7, "message_settings": 1,
        "admin_forbid": "send_out", "level": 3, "role": 4, "custom": {"Team": "blue"},
    }  # fmt: skip


def test_files_that_cannot_be_imported(ctl, app, tmp_path):
    for name, data, why in (
        ("a.csv", b"account,nicknam\na,b\n", 'line 1: column "nicknam"'),
        ("b.csv", b"\r\nnickname\nb\n", "line 2: the first row names no column account"),
        ("c.csv", b"account,Nickname,nickname\na,b\n", 'line 1: column "nickname" is there twice'),
        ("d.csv", "account\na\n".encode("utf-16"), "UTF-16"),
        ("e.csv.gz", b"account\na\n", "its name says gzip, but the file is not"),
        ("f.ndjson.zst", gzip.compress(b'{"account":"a"}\n'), "its name says zstd, but the file is gzip"),
        ("g.ndjson.gz", PACK[".zst"](b'{"account":"a"}\n'), "its name says gzip, but the file is zstd"),
        ("h.ndjson.gz", b"", "the gzip data ends too early"),
        ("i.ndjson.zst", b"", "the zstd data ends too early"),
        ("j.csv", b"account\ra\r", "column"),
        ("k.csv.gz", gzip.compress(b"account\na\n")[:9] + b"\xff" * 9, "the gzip data is broken"),
        ("l.ndjson.zst", b"\x28\xb5\x2f\xfd\0\0" + b"\xff" * 9, "the zstd data is broken"),
        ("m.csv.bz2", bz2.compress(b"account\na\n"), "packed by bzip2; unpack it first"),
        ("n.ndjson", lzma.compress(b'{"account":"a"}\n'), "packed by xz; unpack it first"),
        ("o.zip", b"PK\x03\x04", "packed by zip; unpack it first"),
    ):
        (tmp_path / name).write_bytes(data)
        code, out, said = ctl(app, "import", tmp_path / name)
        assert code == 1 and why in said and not out, (name, said)
    code, _, said = ctl(app, "import", tmp_path / "a.csv", "--compression", "gzip")
    assert code == 1 and "--compression says gzip, but the file is not" in said
    assert ctl(app, "import", tmp_path / "none")[0] == 1
    code, out, said = ctl(app, "import", tmp_path)
    assert code == 1 and "Is a directory" in said and not out
    for arguments in ((), ("a", "b"), ("a", "--on-exists", "x"), ("a", "--format", "x"), ("a", "--resume", "--dry-run")):
        assert ctl(app, "import", *arguments)[0] == 2, arguments
    assert ctl("no app", "import", tmp_path / "a.csv")[0] == 2


def test_files_that_are_odd_but_good(ctl, here, app, tmp_path):
    """A byte order mark, CRLF, nothing at all."""
    for number, (name, data, count) in enumerate((
        ("a.ndjson", b"\xef\xbb\xbf" + b'{"account":"0a"}\r\n{"account":"0b"}\r\n', 2),
        ("b.json", b"\xef\xbb\xbf" + b'[{"account":"1a"},\r\n{"account":"1b"}]\r\n', 2),
        ("c.csv", b"account\n", 0),
        *((f"empty.{form}", b"", 0) for form in WRITE),
    )):
        (tmp_path / name).write_bytes(data)
        assert ctl.counts(app, tmp_path / name) == [count, 0, 0, 0], (number, name)
    assert sorted(here.redis.zrange(f"accounts:{{{app}}}", 0, -1)) == ["0a", "0b", "1a", "1b"]


def test_binary_garbage(ctl, here, app, tmp_path):
    for name, data in (("a.ndjson", b"\0\1\2\xff" * 100), ("b.msgpack", b"\xc1" * 100), ("c", bytes(range(128, 256)) * 99)):
        (tmp_path / name).write_bytes(data)
        code, out, said = ctl(app, "import", tmp_path / name)
        assert code == 1 and "line 1: " in said and " 0 created" in out, (name, out, said)
    assert not here.redis.exists(f"accounts:{{{app}}}")


def test_a_line_of_a_gibibyte(ctl, here, app, tmp_path):
    """Packed, so that it takes no room: it is passed over, and the lines around it are imported."""
    file = tmp_path / "long.ndjson.zst"
    with open(file, "wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as out:
        out.write(b'{"account":"before"}\n{"account":"long","profile":{"nickname":"')
        for _ in range(1024):
            out.write(b"y" * (1 << 20))
        out.write(b'"}}\n{"account":"after"}\n')
    code, out, said = ctl(app, "import", file)
    assert code == 3 and "3 lines read: 2 created" in out and "line 2: malformed: the record is longer" in said, (out, said)
    assert sorted(here.redis.zrange(f"accounts:{{{app}}}", 0, -1)) == ["after", "before"]


def test_a_file_that_breaks_off_at_once(ctl, here, app, tmp_path):
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(ndjson(accounts(9)), 0)[:30])
    code, out, said = ctl(app, "import", tmp_path / "a.ndjson.gz")
    assert code == 1 and "; nothing is imported" in said and "0 lines read" in out, (out, said)
    assert not here.redis.exists(f"accounts:{{{app}}}")


def test_files_that_break_off(ctl, here, app, tmp_path):
    whole = ndjson(accounts(3000))
    for name, data in (
        ("a.ndjson.gz", gzip.compress(whole)[:-400]),
        ("b.json", b"[" + b",".join(whole.splitlines())),
        ("c.msgpack", b"".join(map(msgpack.packb, accounts(100)))[:-1]),
    ):
        (tmp_path / name).write_bytes(data)
        code, out, said = ctl(app, "import", tmp_path / name, "--on-exists", "skip", "--json")
        told = json.loads(out)
        assert code == 1 and "the lines before are imported" in said and told["read"] >= 99, (name, said)
        assert here.redis.zcard(f"accounts:{{{app}}}") >= told["read"] and not told["complete"]
        # A script that resumes until all is well must not be told so.
        for _ in range(2):
            again = ctl(app, "import", tmp_path / name, "--on-exists", "skip", "--json", "--resume")
            assert (again[0], json.loads(again[1])) == (1, told) and "the lines before are imported" in again[2], again


def test_csv_that_breaks_off(ctl, here, app, tmp_path):
    """A last row without its end is no account with fewer fields."""
    for name, data, counts in (
        ("cells", b"a1,b,1\na2,bb", [1, 0, 0, 1]),
        ("quotes", b'a3,b,1\na4,"b', [1, 0, 0, 1]),
        ("line", b"a5,b,1\na6,b,2", [2, 0, 0, 0]),
        ("short", b"a7,b,1\na8,b\n", [2, 0, 0, 0]),
    ):
        file, rejects = tmp_path / f"{name}.csv", tmp_path / f"{name}.rejects.csv"
        file.write_bytes(b"account,nickname,level\n" + data)
        assert ctl.counts(app, file, "--rejects", rejects, code=3 if counts[3] else 0) == counts, name
    rows = list(csv.DictReader(io.StringIO((tmp_path / "cells.rejects.csv").read_text(), newline="")))
    assert [(row["account"], row["rejected_line"], row["rejected_message"]) for row in rows] == [
        ("a2", "3", "the file ends within the row")
    ]
    assert here.redis.zcard(f"accounts:{{{app}}}") == 6 and not stored(here, app, "a2")


def test_resumed_when_all_is_done(ctl, app, tmp_path):
    """As often as one likes: the counts are told again, and nothing is done."""
    file = tmp_path / "a.ndjson"
    file.write_bytes(ndjson(accounts(10)))
    state = tmp_path / "a.ndjson.import-state"
    assert ctl.counts(app, file, "--resume") == [10, 0, 0, 0]
    before = state.read_bytes()
    for _ in range(3):
        assert ctl.counts(app, file, "--resume") == [10, 0, 0, 0]
    assert state.read_bytes() == before
    assert ctl.counts(app, file, "--on-exists", "skip") == [0, 0, 10, 0]


BAD = [
    (b'{"account":"ok"}', None, None),
    (b'{"account":"bad name"}', "invalid_field", "account"),
    (b"{", "malformed", None),
    (b'{"account":"x","profile":{"level":"high"}}', "invalid_field", "profile.level"),
    (b'{"account":"x","profile":{"nick":"high"}}', "unknown_field", "profile.nick"),
    (b'{"account":"x","team":1}', "unknown_field", "team"),
    (b'{"account":"ok","type":"general"}', "account_exists", None),
    (b'{"profile":{}}', "missing_field", "account"),
    (b"\xff\xfe", "malformed", None),
    (b"[" * 100_000, "malformed", None),
    (b'{"account":"x","profile":{"nickname":"' + b"y" * 600_000 + b'"}}', "malformed", None),
    (b'{"account":"x","profile":{"nickname":"' + b"z" * 200_000, "malformed", None),
    (b"", None, None),
    (b'{"account":"last","revision":7,"app":"other","created_at":"x","type":null}', None, None),
]


def test_rejected_lines_of_ndjson(ctl, here, app, tmp_path):
    file, rejects = tmp_path / "a.ndjson", tmp_path / "rejects.ndjson"
    file.write_bytes(b"\n".join(line for line, _, _ in BAD))
    expected = [(i + 1, code, field) for i, (_, code, field) in enumerate(BAD) if code]
    assert ctl.counts(app, file, "--rejects", rejects, code=3) == [2, 0, 0, len(expected)]
    lines = [json.loads(line) for line in rejects.read_text().splitlines()]
    told = [(line["rejected"]["line"], line["rejected"]["code"], line["rejected"].get("field")) for line in lines]
    assert told == expected
    assert all(line["rejected"]["message"] for line in lines)
    assert lines[0]["account"] == "bad name" and lines[1]["rejected"]["text"] == "{"
    # As they were, all that is read of a line at most; of what is longer the beginning.
    kept = {line["rejected"]["line"]: line["rejected"].get("text", "").encode() for line in lines}
    assert kept[10] == BAD[9][0] and kept[11] == BAD[10][0][:4096] and kept[12] == BAD[11][0]
    assert base64.b64decode(lines[7]["rejected"]["text_base64"]) == b"\xff\xfe"
    code, out, said = ctl(app, "import", file, "--on-exists", "skip")
    assert code == 3 and "line 4, x: invalid_field at profile.level" in said
    # Mended, in the same format and with what import adds.
    mended = [line for line in lines if line.get("account") == "x"]
    for i, line in enumerate(mended):
        line["account"] = f"x{i}"
        line.pop("team", None)
        line["profile"] = {"level": i}
    again = tmp_path / "again.ndjson"
    rejects.write_bytes(ndjson(mended + [line for line in lines if line.get("account") == "bad name"]))
    assert ctl.counts(app, rejects, "--rejects", again, code=3) == [3, 0, 0, 1]
    (line,) = map(json.loads, again.read_text().splitlines())
    assert line["account"] == "bad name" and line["rejected"]["line"] == 4
    assert stored(here, app, "x2")["level"] == "2"


def test_names_of_rejected_lines(ctl, app, tmp_path):
    """Under a name that says something else they could not be imported."""
    for form, names in (("csv", "a.ndjson a.json a.csv.gz a.gz"), ("ndjson", "a.csv a.zst"), ("msgpack", "a.msgpack")):
        file = tmp_path / f"file.{form}"
        file.write_bytes(WRITE[form]([full(0, "!")]))
        for name in names.split():
            code, out, said = ctl(app, "import", file, "--rejects", tmp_path / name)
            assert code == 2 and "give it another name" in said and not out, (form, name, said)
        code, out, said = ctl(app, "import", file, "--rejects", "-")
        assert code == 2 and "name a file" in said
        assert sorted(path.name for path in tmp_path.iterdir()) == [file.name]
        good = tmp_path / ("good.csv" if form == "csv" else "good.json")
        assert ctl.counts(app, file, "--rejects", good, code=1) == [0, 0, 0, 1]
        assert ctl.counts(app, good, code=1) == [0, 0, 0, 1]
        for path in tmp_path.iterdir():
            path.unlink()


def test_rows_in_another_encoding_can_be_mended(ctl, here, app, tmp_path):
    """What is rejected of a file in Latin-1 is a file in Latin-1."""
    file, rejects = tmp_path / "a.csv", tmp_path / "rejects.csv"
    file.write_bytes("account,nickname\na,Jürgen\nb,Bob\n".encode("latin-1"))
    assert ctl.counts(app, file, "--rejects", rejects, code=3) == [1, 0, 0, 1]
    rejects.write_bytes(rejects.read_bytes().decode("latin-1").encode())
    assert ctl.counts(app, rejects) == [1, 0, 0, 0]
    assert stored(here, app, "a")["nickname"] == "Jürgen"


def test_rejected_rows_of_csv(ctl, here, app, tmp_path):
    file, rejects = tmp_path / "a.csv", tmp_path / "rejects.csv"
    file.write_bytes(
        b"account,level,signature,custom\r\n"
        b"ok,1,,\r\n"
        b'"bad ""name",2,"two\nlines",\r\n'
        b"a,high,'=1,\r\n"
        b"ok,3,,\r\n"
        b"b,4,x,{\r\n"
        b"c,5,x,,,more\r\n"
        b'd,6,"x"y,\r\n'
        b"\r\n"
        b"e,7\r\n"
        b"f,8,\xff,\r\n"
        b'g,9,"' + b"z" * 300_000 + b'",\r\n'
        b'h,10,"never closed\r\n'
    )
    assert ctl.counts(app, file, "--rejects", rejects, code=3) == [2, 0, 0, 9]
    rows = list(csv.DictReader(io.StringIO(rejects.read_bytes().decode(errors="surrogateescape"), newline=""), strict=True))
    assert [(int(row["rejected_line"]), row["rejected_code"], row["rejected_field"]) for row in rows] == [
        (3, "invalid_field", "account"),
        (5, "invalid_field", "profile.level"),
        (6, "account_exists", ""),
        (7, "malformed", "profile.custom"),
        (8, "malformed", ""),
        (9, "malformed", ""),
        (12, "malformed", ""),
        (13, "malformed", ""),
        (14, "malformed", ""),
    ]
    assert (rows[0]["account"], rows[0]["signature"]) == ('bad "name', "two\nlines")
    assert rows[1]["signature"] == "'=1" and rows[4]["rejected_text"] == "c,5,x,,,more"
    assert (rows[6]["account"], rows[6]["signature"]) == ("f", "\udcff")
    text = rejects.read_bytes().replace(b"high", b"44").replace(b'"bad ""name"', b"good")
    rejects.write_bytes(text)
    again = tmp_path / "again.csv"
    assert ctl.counts(app, rejects, "--rejects", again, code=3) == [2, 0, 0, 7]
    assert (stored(here, app, "a")["signature"], stored(here, app, "good")["signature"]) == ("=1", "two\nlines")
    header = again.read_bytes().split(b"\r\n")[0]
    assert header.count(b"rejected_line") == 1 and header.startswith(b"account,level,signature,custom,rejected_line")


def test_dry_run(ctl, here, app, tmp_path):
    assert ctl(app, "create", "old")[0] == 0
    file = tmp_path / "a.ndjson"
    file.write_bytes(ndjson([*accounts(300), {"account": "old"}, {"account": "-"}]))
    code, out, _ = ctl(app, "import", file, "--dry-run")
    assert code == 3 and "300 created, 0 updated, 0 skipped, 2 rejected" in out and "dry run" in out
    assert ctl.counts(app, file, "--dry-run", "--on-exists", "skip", code=3) == [300, 0, 1, 1]
    assert here.redis.zrange(f"accounts:{{{app}}}", 0, -1) == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


# ---- Interrupted and resumed


def posted(here, app):
    """What of an app is on the command topic, as others see it."""
    with_app = f'"app":"{app}"'.encode()
    tap = Tap(here.kafka.address, here.topics.commands)
    try:
        return [message for message in tap.drain() if with_app in message.value]
    finally:
        tap.close()


def check_each_once(here, app, count):
    ids, names = [], []
    for message in posted(here, app):
        command = json.loads(message.value)
        ids.append(command["id"])
        names += [entry["account"] for entry in command["accounts"]]
    assert len(ids) == len(set(ids))
    assert sorted(names) == sorted(f"n{i}" for i in range(count))
    index = here.redis.zrange(f"accounts:{{{app}}}", 0, -1)
    assert sorted(index) == sorted(names)
    pipe = here.redis.pipeline()
    for name in index:
        pipe.hget(f"acct:{{{app}}}:{name}", "rev")
    assert set(pipe.execute()) == {"1"}


def test_killed_and_resumed(ctl, here, app, tmp_path, seed):
    chance = random.Random(seed)
    count = 120_000
    file, rejects = tmp_path / "big.ndjson.gz", tmp_path / "rejects.ndjson"
    lines = ndjson(accounts(count)).splitlines(keepends=True)
    for i in range(count, 0, -2000):
        lines.insert(i, b'{"account":"!"}\n')
    file.write_bytes(gzip.compress(b"".join(lines), 1))
    killed = 0
    for _ in range(40):
        process = ctl.start(app, "import", file, "--resume", "--rejects", rejects, "--json")
        time.sleep(chance.random() * 0.7)  # any moment of its life is to be hit
        process.kill()
        out, said = process.communicate()
        if process.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed > 1
    assert ctl.counts(app, file, "--resume", "--rejects", rejects, code=3) == [count, 0, 0, 60]
    check_each_once(here, app, count)
    told = [json.loads(line)["rejected"]["line"] for line in rejects.read_text().splitlines()]
    assert told == [i + 1 for i, line in enumerate(lines) if b"!" in line]
    # Complete: nothing is done again, and without --resume everything is.
    assert ctl.counts(app, file, "--resume", "--rejects", rejects, code=3) == [count, 0, 0, 60]
    assert len(rejects.read_text().splitlines()) == 60
    check_each_once(here, app, count)


def begun(here, app):
    return here.redis.zcard(f"accounts:{{{app}}}")


def test_interrupted(ctl, here, app, tmp_path):
    count = 100_000
    file = tmp_path / "big.csv"
    file.write_bytes(b"account\n" + b"".join(b"n%d\n" % i for i in range(count)))
    process = ctl.start(app, "import", file)
    wait_for(lambda: "the import to begin", lambda: begun(here, app) > 0, 30, every=0.002)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert process.returncode == 130 and b"--resume goes on" in said, (out, said)
    done = begun(here, app)
    assert f"{done} created".encode() in out and done < count
    code, _, said = ctl(app, "import", file)
    assert code == 1 and "--resume" in said
    for arguments, why in ((("--on-exists", "skip"), "--on-exists"), (("--app", "other"), "--app")):
        code, _, said = ctl(app, "import", file, "--resume", *arguments)
        assert code == 1 and why in said
    assert ctl.counts(app, file, "--resume") == [count, 0, 0, 0]
    check_each_once(here, app, count)
    file.write_bytes(b"account\nz\n")
    code, _, said = ctl(app, "import", file, "--resume")
    assert code == 1 and "the file is another" in said


def test_interrupted_within_a_line_that_does_not_end(ctl, here, app):
    for arguments in (("--format", "ndjson"), ("--format", "csv"), ("--format", "json", "--dry-run")):
        process = ctl.start(app, "import", "/dev/zero", *arguments)
        read = lambda: int(Path(f"/proc/{process.pid}/io").read_text().split()[1])
        wait_for(lambda: f"the import to read, {read()} bytes so far", lambda: read() > 5_000_000, 30)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        assert process.returncode == 130 and b"interrupted" in said, (arguments, out, said)
    assert not here.redis.exists(f"accounts:{{{app}}}")


def test_nobody_answers(world, tmp_path):
    here = world(partitions=2)
    ctl = Ctl(here)
    here.daemons[0].stop()
    file = tmp_path / "a.ndjson"
    count, posted = 42_000, 40_000  # more than is under way at once
    lines = ndjson(accounts(count)).splitlines(keepends=True)
    # What is long to be read comes after the first of what was posted, so that replies to all of it come meanwhile.
    lines.insert(12_000, b"\n" * 30_000_000)
    file.write_bytes(b"".join(lines))
    code, out, said = ctl("demo", "import", file, "--timeout", "2")
    assert code == 5 and "--resume goes on" in said and out.startswith("0 lines read")
    here.daemons[0].start()
    # All is answered before anybody listens.
    wait_for(lambda: "what was posted to be there", lambda: begun(here, "demo") == posted, 60)
    assert ctl.counts("demo", file, "--resume") == [count, 0, 0, 0]
    check_each_once(here, "demo", count)


# ---- The document


def test_the_blocks_of_the_document(here, tmp_path):
    """docs/bulk.md has the blocks "sh import", "sh resume" and "sh export-all"; they run as they stand."""
    text = (ROOT / "docs" / "bulk.md").read_text()
    (tmp_path / "accounts.ndjson").write_bytes(ndjson(accounts(10)))
    printed = []
    for name in ("import", "resume", "export-all"):
        block = re.search(rf"^```sh {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
        environment = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "conf": str(here.daemons[0].config)}
        done = subprocess.run(
            ["sh", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout.splitlines()
    told = "10 lines read: 10 created, 0 updated, 0 skipped, 0 rejected"
    assert printed[:-1] == [f"a dry run, nothing is changed: {told}", told, told]
    assert printed[-1].startswith("exported 10 accounts to shop.ndjson.zst (")
    records = zstandard.ZstdDecompressor().stream_reader((tmp_path / "shop.ndjson.zst").read_bytes()).read().splitlines()
    assert {json.loads(line)["account"] for line in records} == {one["account"] for one in accounts(10)}
