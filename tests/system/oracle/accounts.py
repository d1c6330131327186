"""The accounts of one app and what commands do to them: sections 2 to 4 of the contract."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from oracle.rules import PROFILE_FIELDS

LAST_MS = 253402300799999  # 9999-12-31T23:59:59.999Z


def clamped(ms):
    return min(max(ms, 0), LAST_MS)


def as_time(ms):
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass
class Refusal(Exception):
    code: str
    revision: object = None


@dataclass(frozen=True)
class Account:
    type: str
    revision: int
    created_ms: int
    updated_ms: int
    profile: dict = field(default_factory=dict)

    def record(self, app, name):
        profile = {key: self.profile[key] for key in PROFILE_FIELDS if key in self.profile}
        return {
            "app": app,
            "account": name,
            "type": self.type,
            "revision": self.revision,
            "created_at": as_time(self.created_ms),
            "updated_at": as_time(self.updated_ms),
            "profile": profile,
        }

    def row(self, name):
        row = {"account": name, "type": self.type, "created_at": as_time(self.created_ms)}
        return {**row, **{key: self.profile[key] for key in ("nickname", "avatar_url") if key in self.profile}}

    def hash(self):
        """What HGETALL must show."""
        content = {
            "type": self.type,
            "rev": str(self.revision),
            "created_at": str(self.created_ms),
            "updated_at": str(self.updated_ms),
        }
        for key, value in self.profile.items():
            if key == "custom":
                content.update({f"custom.{tag}": text for tag, text in value.items()})
            else:
                content[key] = str(value)
        return content


def merged(profile, change):
    """RFC 7396, with an empty string for null, whole floats as integers, and no empty map kept."""
    result = dict(profile)
    for key, value in change.items():
        if key == "custom" and value is not None and value != "":
            kept = merged(result.pop("custom", {}), value)
            if kept:
                result["custom"] = kept
        elif value is None or value == "":
            result.pop(key, None)
        else:
            result[key] = int(value) if isinstance(value, float) else value
    if len(result.get("custom", {})) > 20:
        raise Refusal("custom_limit")
    return result


class App:
    def __init__(self):
        self.accounts = {}
        self.last_revision = {}  # also of those that were deleted

    def copy(self):
        other = App()
        other.accounts = dict(self.accounts)
        other.last_revision = dict(self.last_revision)
        return other

    def ordered(self):
        return sorted(self.accounts, key=lambda name: (self.accounts[name].created_ms, name.encode()))

    def admins(self):
        return {name for name, account in self.accounts.items() if account.type == "admin"}

    def create(self, target, on_exists, ms, admins_max):
        name, old = target.account, self.accounts.get(target.account)
        if old and on_exists == "error":
            raise Refusal("account_exists")
        if old and on_exists == "skip":
            return old.revision, False
        if old:
            return self.change(target, ms)
        kind = target.type or "general"
        if kind == "admin" and len(self.admins()) >= admins_max:
            raise Refusal("admin_limit")
        revision = self.last_revision.get(name, 0) + 1
        self.put(name, Account(kind, revision, ms, ms, merged({}, target.profile or {})))
        return revision, True

    def edit(self, target, ms):
        self.existing(target)
        return self.change(target, ms)

    def delete(self, target):
        revision = self.existing(target).revision + 1
        del self.accounts[target.account]
        self.last_revision[target.account] = revision
        return revision, True

    def existing(self, target):
        account = self.accounts.get(target.account)
        if account is None:
            raise Refusal("account_not_found")
        if target.if_revision is not None and target.if_revision != account.revision:
            raise Refusal("revision_conflict", account.revision)
        return account

    def change(self, target, ms):
        old = self.accounts[target.account]
        if target.type not in (None, old.type):
            raise Refusal("immutable_field")
        profile = merged(old.profile, target.profile or {})
        if profile == old.profile:
            return old.revision, False
        self.put(target.account, replace(old, revision=old.revision + 1, updated_ms=ms, profile=profile))
        return old.revision + 1, True

    def put(self, name, account):
        self.accounts[name] = account
        self.last_revision[name] = account.revision
