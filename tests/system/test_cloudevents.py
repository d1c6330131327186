"""Commands as CloudEvents in Kafka's binary mode: read like any other, and answered by one."""

import pytest

BIG = b"x" * 1025

EVENT = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"A234-1234-1234"),
    ("ce_source", b"/shop/signup"),
    ("ce_type", b"com.example.account.create"),
    ("content-type", b"application/json; charset=utf-8"),
]


def create(app, name="a"):
    return {"op": "create", "app": app, "account": name}


def attributes(message):
    return {name: value for name, value in message.headers if name.startswith("ce_")}


def test_a_reply_to_an_event_is_one(shared, app):
    """That the reply has just these headers is what the model says, which each answer is compared with."""
    more = [("ce_time", b"2026-11-22T20:09:08Z"), ("ce_subject", b"a"), ("ce_correlationid", b"order-7")]
    answer = shared.ask(create(app), headers=EVENT + more)
    source = answer.reply["source"]
    assert attributes(answer.message) == {
        "ce_specversion": b"1.0",
        "ce_type": b"accountd.reply",
        "ce_source": b"/accountd/shared.commands",
        "ce_id": f"{source['topic']}:{source['partition']}:{source['offset']}".encode(),
        "ce_time": answer.reply["at"].encode(),
        "ce_causationid": b"A234-1234-1234",
        "ce_correlationid": b"order-7",
    }
    assert answer.message.header("content-type") == b"application/json"


def test_ids_differ_and_an_error_is_an_event_too(shared, app):
    answers = shared.send(create(app), create(app), b"rubbish", {"op": "list", "app": app}, headers=EVENT)
    assert [answer.code for answer in answers] == [None, "account_exists", "malformed", None]
    assert len({attributes(answer.message)["ce_id"] for answer in answers}) == 4
    assert {attributes(answer.message)["ce_causationid"] for answer in answers} == {b"A234-1234-1234"}


def test_msgpack(shared, app):
    headers = [*EVENT[:-1], ("content-type", b"application/msgpack")]
    answer = shared.ask(create(app), headers=headers, encode="msgpack")
    assert answer.message.header("content-type") == b"application/msgpack"
    assert answer.message.header("ce_specversion") == b"1.0"


def test_the_trace_of_an_event_comes_back(shared, app):
    trace = [("ce_traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("ce_tracestate", b"a=1")]
    answer = shared.ask(create(app), headers=EVENT + trace + [("traceparent", b"own"), ("kafka_correlationId", b"k")])
    assert all(answer.message.header(name) == value for name, value in trace)
    assert answer.message.header("traceparent") == b"own"
    assert answer.message.header("kafka_correlationId") == b"k"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        EVENT[1:],
        [("ce_specversion", b"0.3"), *EVENT[1:]],
        [("ce_specversion", None), *EVENT[1:]],
        [*EVENT, ("ce_specversion", b"2.0")],
        [("CE_specversion", b"1.0")],
        [("ce_", b"1.0")],
    ],
    ids=["plain", "no version", "0.3", "null", "the last one counts", "another case", "no name"],
)
def test_no_event_no_attributes(shared, app, headers):
    answer = shared.ask(create(app), headers=headers)
    assert answer.code is None and attributes(answer.message) == {}


def test_an_event_that_lacks_something_is_a_command_still(shared, app):
    headers = [("ce_specversion", b"1.0"), ("ce_id", None), ("ce_correlationid", b"")]
    answer = shared.ask(create(app), headers=headers)
    assert answer.code is None
    assert set(attributes(answer.message)) == {"ce_specversion", "ce_type", "ce_source", "ce_id", "ce_time"}


@pytest.mark.parametrize("name", ["ce_id", "ce_correlationid", "ce_traceparent", "ce_tracestate"])
def test_an_attribute_that_is_too_long_to_return(shared, app, name):
    headers = [header for header in EVENT if header[0] != name]
    fits = shared.ask(create(app), headers=[*headers, (name, BIG[:1024])])
    assert fits.code is None and BIG[:1024] in attributes(fits.message).values()
    refused = shared.ask(create(app, "b"), headers=[*headers, (name, BIG)])
    assert (refused.code, refused.field) == ("invalid_field", name)
    assert shared.ask(create(app, "b"), headers=[("ce_specversion", b"0.3"), (name, BIG)]).code is None
    assert shared.ask(create(app, "c"), headers=[*headers, ("ce_subject", BIG)]).code is None


def test_structured_mode_is_refused(shared, app):
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "y", "data": create(app)}
    answer = shared.ask(event, headers=[("content-type", b"application/cloudevents+json")])
    assert answer.code == "missing_field"
    assert attributes(answer.message) == {}
