"""The history of one account. Its changes are put in the order of their revisions and done again, one by one; every
other thing that was said of it must have been true at a moment that its command and reply allow."""

from bisect import bisect_left
from itertools import accumulate

from oracle.accounts import App, Refusal

# The clocks of client and accountd are one, but it may be set right a little meanwhile.
CLOCK_MS = 2

NO_LIMIT = 1 << 30


class Chronicle:
    """`states[n]` is the account from its revision n on, None where it does not exist; `changes[n]` made it so."""

    def __init__(self, app, name, looks):
        self.app, self.name = app, name
        self.faults = []
        self.changes = {}
        self.states = [None]
        self.rows = {}
        self.spans = []  # (look, first revision that it may have seen, last one)
        looks.sort(key=lambda look: (look.deed.partition, look.deed.offset))
        for look in looks:
            if look.is_change:
                revision = look.said.get("revision")
                if revision in self.changes:
                    self.fault(f"revision {revision} twice: {self.changes[revision]}; {look}")
                self.changes[revision] = look
        self.redo()
        self.prepare_bounds()
        self.check_order(looks)

    def fault(self, text):
        self.faults.append(f"{self.app}/{self.name}: {text}")

    @property
    def revision(self):
        return len(self.states) - 1

    def redo(self):
        for revision in range(1, len(self.changes) + 1):
            look = self.changes.get(revision)
            if look is None:
                self.fault(f"no revision {revision}, but {sorted(self.changes, key=str)[-3:]}")
                return
            said, after = self.does(look, revision - 1)
            if said != (revision, True):
                self.fault(f"at revision {revision - 1}, {self.states[-1]}, it would have been {said}: {look}")
            self.states.append(after)

    def does(self, look, revision):
        """What the command does at a revision, (revision, changed) or (code, revision); and the account after it."""
        app, old = App(), self.states[revision]
        app.last_revision[self.name] = revision
        if old:
            app.accounts[self.name] = old
        try:
            if look.op == "create":
                said = app.create(look.target, look.on_exists, look.ms, NO_LIMIT)
            elif look.op == "edit":
                said = app.edit(look.target, look.ms)
            else:
                said = app.delete(look.target)
        except Refusal as refusal:
            return (refusal.code, refusal.revision), old
        return said, app.accounts.get(self.name)

    # Revision n's change took effect after its command was posted and before its reply was written. So whatever was
    # posted after the reply of revision n has seen n or a later one, and what was answered before n was posted has not.

    def prepare_bounds(self):
        deeds = [self.changes[revision].deed for revision in range(1, len(self.states))]
        replied = sorted((deed.replied, revision) for revision, deed in enumerate(deeds, 1))
        posted = sorted(((deed.posted, revision) for revision, deed in enumerate(deeds, 1)), reverse=True)
        self.replied = [ms for ms, _ in replied]
        self.newest = list(accumulate((revision for _, revision in replied), max))
        self.posted = [-ms for ms, _ in posted]
        self.oldest = list(accumulate((revision for _, revision in posted), min))

    def bounds(self, deed):
        before = bisect_left(self.replied, deed.posted - CLOCK_MS)
        after = bisect_left(self.posted, -(deed.replied + CLOCK_MS))
        least = self.newest[before - 1] if before else 0
        most = self.oldest[after - 1] - 1 if after else self.revision
        return least, most

    def check_order(self, looks):
        """The commands of a partition take effect in their order."""
        partition = None
        for look in looks:
            if look.deed.partition != partition:
                partition, reached = look.deed.partition, 0
            least, most = self.bounds(look.deed)
            if look.is_change:
                seen = look.said["revision"] - 1
                if not isinstance(seen, int) or not max(least, reached) <= seen:
                    self.fault(f"was at revision {max(least, reached)} already: {look}")
                reached = max(reached, seen + 1)
                continue
            first = self.find(look, range(max(least, reached), most + 1))
            if first is None:
                span = f"revisions {max(least, reached)} and {most}"
                self.fault(f"not true between {span}: {look}; {self.near(least, most)}")
                continue
            reached = first
            if look.op not in ("row", "absent"):
                self.spans.append((look, first, self.find(look, range(most, first - 1, -1))))

    def near(self, least, most):
        return [str(self.states[revision]) for revision in range(least, min(most + 1, least + 3))]

    def find(self, look, revisions):
        """The first of the revisions at which it is true."""
        exact = self.told_revision(look)
        if exact is not None:
            return exact if exact in revisions and self.holds(look, exact) else None
        return next((revision for revision in revisions if self.holds(look, revision)), None)

    def told_revision(self, look):
        """The one that the answer names, if it does."""
        said = look.said
        if look.op == "get" and said.get("status") == "ok":
            return said["record"]["revision"]
        if look.code == "revision_conflict":
            return said["error"].get("revision")
        if said.get("status") == "ok" and look.op in ("create", "edit", "delete"):
            return said["revision"] - (said["changed"] is True)
        return None

    def holds(self, look, revision):
        state, said = self.states[revision], look.said
        if look.op == "row":
            return state is not None and self.row(revision) == said
        if look.op == "absent":
            return state is None or (self.row(revision)["created_at"], self.name.encode()) > said["last"]
        if look.op == "get":
            if said["status"] == "ok":
                return state is not None and state.record(self.app, self.name) == said["record"]
            return state is None and look.code == "account_not_found"
        if look.code == "admin_limit":
            return look.op == "create" and state is None and look.target.type == "admin"
        outcome = self.does(look, revision)[0]
        if said.get("status") == "ok":
            return outcome == (said["revision"], said["changed"])
        return outcome == (look.code, said["error"].get("revision"))

    def row(self, revision):
        if revision not in self.rows:
            self.rows[revision] = self.states[revision].row(self.name)
        return self.rows[revision]

    def lives(self):
        """(change that made it, state, change that ended it or None), for each time that it existed."""
        began = None
        for revision in range(1, len(self.states)):
            before, after = self.states[revision - 1], self.states[revision]
            if before is None and after is not None:
                began = revision
            elif before is not None and after is None:
                yield self.changes[began], before, self.changes[revision]
        if self.states[-1] is not None:
            yield self.changes[began], self.states[-1], None
