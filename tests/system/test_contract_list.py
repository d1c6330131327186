"""List: order of creation, pages, totals; cursors stay good whatever happens meanwhile."""

import pytest

DAY = 86400000


def named(reply):
    return [row["account"] for row in reply["rows"]]


@pytest.mark.parametrize("encode", ["json", "msgpack"])
def test_order_and_pages(shared, app, encode):
    def create(name, when, **profile):
        return {"op": "create", "app": app, "account": name, "profile": profile}, {"timestamp": when}

    when = 1700000000000
    shared.send(
        create("m", when, nickname="N", avatar_url="http://a", level=1),
        create("z", when - DAY),
        create("B", when),
        create("a", when),
        create("later", when + 1),
        create("epoch", 1),
    )
    everything = shared.ask({"op": "list", "app": app}, encode=encode).reply
    assert named(everything) == ["epoch", "z", "B", "a", "m", "later"]
    assert (everything["total"], everything["next"]) == (6, None)
    assert everything["rows"][4] == {
        "account": "m",
        "type": "general",
        "created_at": "2023-11-14T22:13:20.000Z",
        "nickname": "N",
        "avatar_url": "http://a",
    }
    for limit in (1, 2, 3, 5, 6, 7):
        seen, after = [], {}
        while True:
            page = shared.ask({"op": "list", "app": app, "limit": limit, **after}, encode=encode).reply
            assert len(page["rows"]) <= limit
            seen += named(page)
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == named(everything)


def test_cursor_survives_changes(shared, app):
    names = [f"n{i}" for i in range(8)]
    shared.send(*(({"op": "create", "app": app, "account": n}, {"timestamp": 1000 + i}) for i, n in enumerate(names)))
    page = shared.ask({"op": "list", "app": app, "limit": 3}).reply
    # The row that the cursor stands on goes, one behind it is made anew (so it is young), one goes.
    shared.ask({"op": "delete", "app": app, "accounts": ["n2", "n1", "n5"], "confirm": True})
    shared.ask({"op": "create", "app": app, "account": "n1"}, timestamp=9999)
    rest = shared.ask({"op": "list", "app": app, "after": page["next"]}).reply
    assert named(rest) == ["n3", "n4", "n6", "n7", "n1"]
    assert rest["total"] == 6
    shared.ask({"op": "delete", "app": app, "accounts": ["n0", "n1", "n3", "n4", "n6", "n7"], "confirm": True})
    empty = shared.ask({"op": "list", "app": app, "after": page["next"]}).reply
    assert (empty["rows"], empty["total"], empty["next"]) == ([], 0, None)


def test_an_app_without_accounts(shared, app):
    reply = shared.ask({"op": "list", "app": app}).reply
    assert (reply["rows"], reply["total"], reply["next"]) == ([], 0, None)


def test_limits_and_large_rows(shared, app):
    names = [f"n{i:04}" for i in range(1100)]
    profile = {"nickname": "n" * 500, "avatar_url": "http://" + "a" * 493}
    commands = []
    for start in range(0, len(names), 100):
        commands.append({"op": "create", "app": app, "accounts": names[start : start + 100], "profile": profile})
    shared.send(*commands)
    assert len(shared.ask({"op": "list", "app": app}).reply["rows"]) == 100
    # A thousand of these rows do not fit 900 KiB: the reply brings fewer, and says where to go on.
    page = shared.ask({"op": "list", "app": app, "limit": 1000})
    assert 500 < len(page.reply["rows"]) < 1000 and len(page.message.value) <= 900 * 1024
    seen = named(page.reply)
    while page.reply["next"]:
        page = shared.ask({"op": "list", "app": app, "limit": 1000, "after": page.reply["next"]})
        seen += named(page.reply)
    assert sorted(seen) == names
    shared.check_redis(app)


def test_type_is_listed(shared, app):
    shared.ask({"op": "create", "app": app, "account": "boss", "type": "admin"})
    assert shared.ask({"op": "list", "app": app, "limit": 1}).reply["rows"][0]["type"] == "admin"
