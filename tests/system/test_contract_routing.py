"""Where replies go and what they carry: Spring's and NestJS's headers, the allow-list, missing topics."""

import time

import pytest

BIG = b"x" * 1025


def get(app, **rest):
    return {"op": "get", "app": app, "account": "a", **rest}


@pytest.mark.parametrize("encode", ["json", "msgpack"])
def test_headers_come_back_unchanged(shared, app, encode):
    headers = [
        ("kafka_correlationId", bytes(range(256))),
        ("correlation_id", b"plain-1"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", b"a=1,b=2"),
        ("__TypeId__", b"com.example.Command"),
        ("kafka_replyto", b"private"),
        ("Kafka_replyTopic", b"private"),
        ("b3", b"x"),
    ]
    answer = shared.ask({"op": "create", "app": app, "account": "a"}, headers=headers, encode=encode)
    assert answer.message.header("kafka_correlationId") == bytes(range(256))
    assert answer.message.header("accountd-status") == b"ok"
    refused = shared.ask({"op": "create", "app": app, "account": "a"}, headers=headers, encode=encode)
    assert refused.message.header("accountd-code") == b"account_exists"
    malformed = shared.ask(b"\xc1", headers=headers)
    assert malformed.message.header("correlation_id") == b"plain-1"


def test_the_last_header_of_a_name_counts(shared, app):
    headers = [("kafka_correlationId", b"1"), ("kafka_replyTopic", b"private"), ("kafka_replyPartition", b"x")]
    headers += [("kafka_correlationId", b"2"), ("kafka_replyTopic", b"team.blue"), ("kafka_replyPartition", b"\0\0\0\1")]
    answer = shared.ask(get(app), headers=headers)
    assert (answer.message.topic, answer.message.partition) == ("team.blue", 1)
    assert answer.message.header("kafka_correlationId") == b"2"


@pytest.mark.parametrize(
    "partition, lands, digits",
    [
        (b"\0\0\0\0", 0, False),
        (b"\0\0\0\2", 2, False),
        (b"0", 0, True),
        (b"2", 2, True),
        (b"0002", 2, True),
        (b"00000000", 0, True),
    ],
)
def test_partition_as_spring_and_as_nest_write_it(shared, app, partition, lands, digits):
    headers = [("kafka_replyTopic", b"team.blue"), ("kafka_replyPartition", partition)]
    answer = shared.ask(get(app), headers=headers, partition=1)
    assert (answer.message.topic, answer.message.partition) == ("team.blue", lands)
    assert (answer.message.header("kafka_nest-is-disposed") is not None) == digits


@pytest.mark.parametrize(
    "partition", [b"", b"3", b"\0\0\0\3", b"\xff\xff\xff\xff", b"-1", b"1 ", b"+1", b"1.0", b"99999999999", b"x", b"\0\1"]
)
def test_no_such_partition(shared, app, partition):
    headers = [("kafka_replyTopic", b"team.blue"), ("kafka_replyPartition", partition)]
    refused = shared.ask(get(app), headers=headers, partition=1)
    assert (refused.code, refused.field) == ("reply_topic_forbidden", "kafka_replyPartition")
    assert (refused.message.topic, refused.message.partition) == ("shared.replies", 1)


def test_partition_of_the_default_topic(shared, app):
    assert shared.ask(get(app), headers=[("kafka_replyPartition", b"1")]).message.partition == 1
    assert shared.ask(get(app), headers=[("kafka_replyPartition", b"2")]).code == "reply_topic_forbidden"


def test_partition_follows_the_command(shared, app):
    for partition in (0, 1):
        for topic in (b"shared.replies", b"team.blue", b"commands.reply"):
            answer = shared.ask(get(app), headers=[("kafka_replyTopic", topic)], partition=partition)
            assert (answer.message.topic.encode(), answer.message.partition) == (topic, partition)


def test_reply_to(shared, app):
    answer = shared.ask(get(app), headers=[("reply_to", b"commands.reply"), ("correlation_id", b"7")])
    assert answer.message.topic == "commands.reply"
    both = [("kafka_replyTopic", b"team.blue"), ("reply_to", b"commands.reply")]
    assert shared.ask(get(app), headers=both).message.topic == "team.blue"
    refused = shared.ask(get(app), headers=[("reply_to", b"private")])
    assert (refused.code, refused.field) == ("reply_topic_forbidden", "reply_to")


@pytest.mark.parametrize(
    "topic",
    ["private", "team.later.not", "__secret", "team.missing", "xteam.blue", "team.blue2", "", "a b", "x" * 300, "ü", "."]
    + ["shared.commands", "shared.exports", "shared.changelog", "shared.dead_letters", "__consumer_offsets"],
)
def test_forbidden_topics(shared, app, topic):
    seconds, refused = shared.timed(
        {"op": "create", "app": app, "account": "a"}, headers=[("kafka_replyTopic", topic.encode())]
    )
    assert (refused.code, refused.field) == ("reply_topic_forbidden", "kafka_replyTopic")
    assert refused.message.topic == "shared.replies"
    assert seconds < 5, "a topic that is not there must not hold up the others"
    assert shared.ask(get(app)).code == "account_not_found"


def test_topic_that_is_no_utf8(shared, app):
    assert shared.ask(get(app), headers=[("kafka_replyTopic", b"\xff\xfe")]).code == "reply_topic_forbidden"


def test_precedence_of_routing_faults(shared, app):
    wrong = [("kafka_replyTopic", b"private"), ("kafka_replyPartition", b"99")]
    assert shared.ask({"op": "get", "app": app, "account": ""}, headers=wrong).code == "invalid_field"
    assert shared.ask(get(app), headers=wrong).field == "kafka_replyTopic"
    assert shared.ask({"op": "delete", "app": app, "accounts": ["a"]}, headers=wrong).code == "reply_topic_forbidden"
    assert shared.ask(b"rubbish", headers=wrong).code == "malformed"
    assert shared.ask(b"rubbish", headers=[("kafka_replyTopic", b"team.blue")]).message.topic == "team.blue"


@pytest.mark.parametrize("name", ["kafka_correlationId", "correlation_id", "traceparent", "tracestate"])
def test_a_header_that_is_too_long_to_return(shared, app, name):
    fits = shared.ask(get(app), headers=[(name, BIG[:1024])])
    assert fits.code == "account_not_found" and fits.message.header(name) == BIG[:1024]
    refused = shared.ask(get(app), headers=[(name, BIG)])
    assert (refused.code, refused.field) == ("invalid_field", name)
    assert refused.message.header(name) is None
    assert shared.ask({"op": "get", "app": app}, headers=[(name, BIG)]).code == "missing_field"
    assert shared.ask(get(app), headers=[("unknown", BIG), (name, b"x")]).code == "account_not_found"


def test_keys(shared, app):
    assert shared.ask(get(app), key=b"\0\xff").message.key == b"\0\xff"
    assert shared.ask(get(app)).message.key == b"a"
    assert shared.ask({"op": "list", "app": app}).message.key is None
    assert shared.ask({"op": "get", "app": app, "accounts": ["a"]}).message.key is None
    assert shared.ask(b"rubbish").message.key is None
    assert shared.ask({"op": "get", "app": app, "account": "a b"}).message.key is None
    assert shared.ask(get(app), key=BIG[:1024]).message.key == BIG[:1024]
    refused = shared.ask(get(app), key=BIG)
    assert refused.code == "invalid_field" and refused.message.key != BIG


def test_a_reply_topic_made_later_is_seen(world):
    """Within 10 s, and without a restart; until then the reply goes to the default topic."""
    here = world(settings={"kafka": {"reply_topics": ["fresh"]}})
    headers = [("kafka_replyTopic", b"fresh")]
    assert here.ask(get("demo"), headers=headers).code == "reply_topic_forbidden"
    here.kafka.make_topic("fresh", 1)
    made = time.monotonic()
    here.watch_replies("fresh")
    while True:
        # From now on either answer is right, so these are not compared with the model.
        record = here.post(get("demo"), headers=headers)
        here.poster.flush()
        message = here.reply_to(record)
        if message.topic == "fresh":
            break
        assert message.body()["error"]["code"] == "reply_topic_forbidden"
        assert time.monotonic() - made < 10, "the new topic is not seen"
    here.check_exactly_once()


def test_a_reply_topic_that_refuses_the_reply(world):
    """What the named topic does not take goes to the default one, and holds nobody up."""
    here = world(partitions=1, settings={"kafka": {"reply_topics": ["narrow"]}}, start=False)
    here.kafka.make_topic("narrow", 1, max_message_bytes="300")
    here.daemon()
    created = here.post({"op": "create", "app": "demo", "account": "a", "profile": {"nickname": "n" * 400}})
    routed = here.post(get("demo"), headers=[("kafka_replyTopic", b"narrow"), ("kafka_correlationId", b"c")])
    after = here.post(get("demo"))
    here.poster.flush()
    for record in (created, routed, after):
        message = here.reply_to(record, 60)
        assert message.body()["status"] == "ok"
        assert message.topic == here.topics.replies
    assert here.reply_to(routed).header("kafka_correlationId") == b"c"
    here.check_exactly_once()


def test_a_reply_topic_that_goes_away(world):
    here = world(partitions=1, settings={"kafka": {"reply_topics": ["brief"]}}, start=False)
    here.kafka.make_topic("brief", 1)
    here.daemon()
    here.watch_replies("brief")
    headers = [("kafka_replyTopic", b"brief")]
    here.ask({"op": "create", "app": "demo", "account": "a"})
    first = here.post(get("demo"), headers=headers)
    here.poster.flush()
    assert here.reply_to(first).topic == "brief"
    here.kafka.admin.delete_topics(["brief"])["brief"].result(15)
    # accountd may still believe in the topic; the reply must come all the same, and so must the next one.
    second = here.post(get("demo"), headers=headers)
    after = here.post(get("demo"))
    here.poster.flush()
    assert here.reply_to(second, 90).topic == here.topics.replies
    assert here.reply_to(after, 90).body()["status"] == "ok"
