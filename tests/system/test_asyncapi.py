"""schemas/asyncapi.yaml is valid, and in step with the protocol's tables and the JSON Schemas."""

import html
import re

import pytest
import yaml

from fetched import node, node_packages, run
from schema import DIRECTORY, SCHEMAS
from servers import ROOT

DOCUMENT = yaml.safe_load((DIRECTORY / "asyncapi.yaml").read_text())
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()


def rows(heading):
    """The names in the first column of each table whose heading row begins with this."""
    tables = re.findall(rf"^{re.escape(heading)}.*\n\|---.*\n((?:\|.*\n)+)", PROTOCOL, re.M)
    assert tables, f"docs/protocol.md has no table with {heading}"
    first = [row.split("|")[1] for table in tables for row in table.splitlines()]
    return {name for cell in first for name in re.findall(r"`([^`]+)`", cell)}


def headers(name):
    return set(DOCUMENT["components"]["schemas"][name]["properties"])


def test_headers_are_those_of_the_protocol():
    assert headers("commandHeaders") == rows("| header of a command |") | rows("| header of a signed command |")
    assert headers("replyHeaders") == rows("| header of a reply |")
    assert headers("chunkHeaders") == rows("| header | value |")
    said = re.search(r"\*\*The manifest\*\* .*?\n\n", PROTOCOL, re.S)[0]
    assert headers("manifestHeaders") == {name.split(":")[0] for name in re.findall(r"`(export-[^`]+)`", said)}
    letter = re.search(r"\*\*A dead letter\*\* .*?\n\n", PROTOCOL, re.S)[0]
    assert headers("deadLetterHeaders") == set(re.findall(r"`(__dlq[^`]+|accountd-[^`]+)`", letter))
    note = re.search(r"\*\*A note\*\* .*?\n\n", PROTOCOL, re.S)[0]
    assert headers("replayNoteHeaders") == set(re.findall(r"`(accountd-[^`]+)`", note)) - {"accountd-error-code"}


def received_operations():
    return [name for name, op in DOCUMENT["components"]["operations"].items() if op["action"] == "receive"]


def test_operations_are_those_of_the_commands():
    ops = [branch["$ref"].rpartition("/")[2] for branch in SCHEMAS["command.schema.json"]["oneOf"]]
    assert received_operations() == ops
    for op in ops:
        assert DOCUMENT["components"]["messages"][op]["payload"] == {"$ref": f"./command.schema.json#/$defs/{op}"}
        assert DOCUMENT["operations"][op] == {"$ref": f"#/components/operations/{op}"}
        assert "reply" in DOCUMENT["components"]["operations"][op]


def test_codes_are_those_of_the_replies():
    codes = DOCUMENT["components"]["schemas"]["replyHeaders"]["properties"]["accountd-code"]["enum"]
    assert codes == SCHEMAS["reply.schema.json"]["$defs"]["error"]["properties"]["code"]["enum"]


def test_topics_are_those_of_the_protocol():
    named = {channel["address"] for channel in DOCUMENT["channels"].values()} - {None}
    assert named == rows("| topic | who writes |") - {"APP/ACCOUNT"}


@pytest.mark.clients
@pytest.mark.long
@pytest.mark.timeout(900)  # with what it may have to fetch
def test_the_parser_has_nothing_to_say_and_a_page_shows_all():
    """AsyncAPI's own parser; and its component, which makes build/asyncapi.html. `make html` is this test."""
    page = ROOT / "build" / "asyncapi.html"
    page.unlink(missing_ok=True)
    built = node_packages("asyncapi", ROOT / "tests" / "system" / "asyncapi")
    assert run(node(), built / "page.js", DIRECTORY / "asyncapi.yaml", page, seconds=300) == "ok\n"
    text = re.sub(r"<(script|style)>.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    shown = html.unescape(re.sub(r"<[^>]*>", "\n", text))
    lines = set(shown.splitlines())
    operations = {**DOCUMENT["operations"], **DOCUMENT["components"]["operations"]}
    for operation in operations.values():
        assert "$ref" in operation or operation["summary"] in lines, operation
    for channel in DOCUMENT["channels"].values():
        assert channel["address"] is None or channel["address"] in lines, channel
    for name, message in DOCUMENT["components"]["messages"].items():
        assert {name, message["summary"]} <= lines, name
    # Each payload is that of a JSON Schema, with its example.
    for what in ("reply", "manifest"):
        assert f"{what}.schema.json" in shown, what
    assert shown.count('"code":"account_not_found"') >= len(received_operations())
