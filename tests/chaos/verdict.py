"""Decides from the evidence alone whether every command took effect once and got one true reply."""

import collections
import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from oracle.accounts import App, as_time
from oracle.match import differences
from oracle.rules import Target

from chronicle import Chronicle
from evidence import Shown
from order import Order
from witness import Deed, Look, Witness


@dataclass
class Verdict:
    commands: int = 0
    accounts: int = 0
    changes: int = 0
    codes: collections.Counter = field(default_factory=collections.Counter)
    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def figures(self):
        codes = ", ".join(f"{code} {count}" for code, count in self.codes.most_common())
        return (
            f"{self.commands} commands: {len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.wrong)} wrong\n"
            f"{self.changes} changes of {self.accounts} accounts; {codes}"
        )

    def complaints(self, most):
        for name in ("lost", "doubled", "wrong"):
            found = getattr(self, name)
            yield from (f"{name}: {text}" for text in found[:most])
            if len(found) > most:
                yield f"{name}: … and {len(found) - most} more"


def judge(evidence, admins_max):
    verdict = Verdict(commands=len(evidence.commands))
    answers = pair(evidence, verdict)
    witness = Witness(evidence.topics, admins_max, by_source(evidence.exports))
    deeds, dead = [], []
    for record, message in answers:
        deed = Deed(len(deeds), record.partition, record.offset, record.timestamp, message.timestamp)
        deeds.append(deed)
        if witness.hear(deed, record, message):
            dead.append((record.partition, record.offset))
        code = dict(message.headers).get("accountd-code") or dict(message.headers).get("accountd-status", b"?")
        verdict.codes[code.decode()] += 1
    verdict.wrong += witness.faults
    turn_pages(witness)
    chronicles = {key: Chronicle(*key, looks) for key, looks in witness.looks.items()}
    for chronicle in chronicles.values():
        verdict.wrong += chronicle.faults
        verdict.accounts += 1
        verdict.changes += chronicle.revision
    check_admins(witness, chronicles, admins_max, verdict)
    check_order(deeds, chronicles, verdict)
    check_dead_letters(evidence, dead, verdict)
    check_changelog(evidence, chronicles, verdict)
    check_redis(evidence, chronicles, verdict)
    return verdict


def pair(evidence, verdict):
    """(command, reply) for all commands that have one."""
    replies = collections.defaultdict(list)
    for message in evidence.replies:
        try:
            replies[message.source()].append(message)
        except (ValueError, KeyError, TypeError) as failure:
            verdict.wrong.append(f"a reply that cannot be read: {message.value!r:.300}: {failure!r}")
    answers = []
    for record in evidence.commands:
        found = replies.pop((record.topic, record.partition, record.offset), [])
        place = f"partition {record.partition}, offset {record.offset}, {record.value!r:.200}"
        if not found:
            verdict.lost.append(f"no reply to {place}")
        else:
            answers.append((record, found[0]))
        if len(found) > 1:
            verdict.doubled.append(f"{len(found)} replies to {place}: {[message.value for message in found]!r:.1500}")
    verdict.doubled += [f"a reply to what was never posted: {source}" for source in replies]
    return answers


def by_source(messages):
    found = collections.defaultdict(list)
    for message in messages:
        found[message.header("export-source")].append(message)
    return found


def turn_pages(witness):
    """A list says something of every account of its app: that it is as the row says, or that it is not on the page."""
    names = collections.defaultdict(set)
    for app, name in witness.looks:
        names[app].add(name)
    for page in witness.pages:
        rows = {row["account"]: row for row in page.rows}
        names[page.app].update(rows)
        for name in names[page.app]:
            if name in rows:
                look = Look(page.deed, "row", Target(name), None, False, rows[name])
            else:
                look = Look(page.deed, "absent", Target(name), None, False, {"last": page.last or ("~", b"")})
            witness.looks.setdefault((page.app, name), []).append(look)


def check_admins(witness, chronicles, most, verdict):
    """There never were more than there may be; and where one was refused, there may have been as many."""
    lives = collections.defaultdict(list)
    for (app, _), chronicle in chronicles.items():
        lives[app] += [(made, ended) for made, state, ended in chronicle.lives() if state.type == "admin"]
    for app, spans in lives.items():
        certain = Count((made.deed.replied, ended.deed.posted if ended else None) for made, ended in spans)
        if certain.highest() > most:
            verdict.wrong.append(f"{app} had {certain.highest()} admins")
    for (app, name), looks in witness.looks.items():
        refused = [look for look in looks if look.code == "admin_limit"]
        possible = refused and Count(
            (made.deed.posted, ended.deed.replied if ended else None) for made, ended in lives[app]
        )
        for look in refused:
            if possible.highest(look.deed.posted, look.deed.replied) + look.made_before < most:
                verdict.wrong.append(f"{app}/{name}: there was room for an admin: {look}")


class Count:
    """How many of some spans of time there are at once."""

    def __init__(self, spans):
        steps = []
        for begin, end in spans:
            if end is None or end > begin:
                steps.append((begin, 1))
                steps += [(end, -1)] if end is not None else []
        self.times, self.counts = [], []
        count = 0
        for time, step in sorted(steps):
            count += step
            self.times.append(time)
            self.counts.append(count)

    def highest(self, since=None, until=None):
        """At any moment of [since, until], its ends included."""
        if since is None:
            return max(self.counts, default=0)
        first = max(bisect_left(self.times, since) - 1, 0)
        return max(self.counts[first : bisect_right(self.times, until)], default=0)


def check_order(deeds, chronicles, verdict):
    order = Order(deeds)
    for chronicle in chronicles.values():
        if not chronicle.faults:
            order.add_account(chronicle)
    circle = order.circle()
    if circle:
        places = [f"partition {deed.partition}, offset {deed.offset}" for deed in circle[:20]]
        verdict.wrong.append(f"each of these {len(circle)} must have come before the next one: {places}")


def check_dead_letters(evidence, dead, verdict):
    came = collections.Counter()
    for message in evidence.dead_letters:
        headers = dict(message.headers)
        place = (int(headers["__dlq.errors.partition"]), int(headers["__dlq.errors.offset"]))
        came[place] += 1
    wanted = collections.Counter(dead)
    verdict.lost += [f"no dead letter of {place}" for place in wanted - came]
    verdict.doubled += [f"a dead letter too many of {place}" for place in came - wanted]


def check_changelog(evidence, chronicles, verdict):
    """Each change once, in the partition and in the order of the commands."""
    came = {}
    last = {}
    count = evidence.topics.partitions[evidence.topics.changelog]
    for message in evidence.changelog:
        if message.key.startswith(b"accountd:"):
            # Exports of whole apps that are open; no app's name has a colon.
            continue
        value = json.loads(message.value)
        app, _, name = message.key.decode().partition("/")
        chronicle, revision = chronicles.get((app, name)), value["revision"]
        if (app, name, revision) in came:
            verdict.doubled.append(f"changelog: {app}/{name}, revision {revision} twice")
            continue
        came[app, name, revision] = True
        if chronicle is None or not 0 < revision <= chronicle.revision:
            verdict.wrong.append(f"changelog: no reply says {message.value!r:.300}")
            continue
        look, state = chronicle.changes[revision], chronicle.states[revision]
        gone = {"app": app, "account": name, "deleted": True, "revision": revision, "at": as_time(look.ms)}
        found = differences(state.record(app, name) if state else gone, value, f"changelog {app}/{name}")
        verdict.wrong += found
        if message.partition != look.deed.partition % count:
            verdict.wrong.append(f"changelog: {app}/{name}, revision {revision} in partition {message.partition}")
        if last.get(message.partition, -1) > look.deed.offset:
            verdict.wrong.append(f"changelog: {app}/{name}, revision {revision} out of its partition's order")
        last[message.partition] = look.deed.offset
    for (app, name), chronicle in chronicles.items():
        missing = [n for n in range(1, chronicle.revision + 1) if (app, name, n) not in came]
        verdict.lost += [f"changelog: {app}/{name}, revision {revision}" for revision in missing]


def check_redis(evidence, chronicles, verdict):
    apps = collections.defaultdict(App)
    for (app, name), chronicle in chronicles.items():
        if chronicle.states[-1]:
            apps[app].accounts[name] = chronicle.states[-1]
    for name in {*apps, *evidence.redis}:
        app, actual = apps[name], evidence.redis.get(name, Shown())
        wanted = {
            "hashes": {account: content.hash() for account, content in app.accounts.items()},
            "index": {account: float(content.created_ms) for account, content in app.accounts.items()},
            "admins": sorted(app.admins()),
        }
        shown = {"hashes": actual.hashes, "index": actual.index, "admins": sorted(actual.admins)}
        verdict.wrong += differences(wanted, shown, f"redis {name}")
