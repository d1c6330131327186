"""The contract's section 2: a tree to a command, or the fault of highest precedence."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any as Anything

OPS = ("create", "edit", "delete", "get", "list", "export")
FORMATS = ("ndjson", "json", "csv", "msgpack")
COMPRESSIONS = ("none", "gzip", "zstd")

# The table of section 2, in its order, with the operations that know each field.
ALL, NAMED, WRITES = set(OPS), set(OPS) - {"list"}, {"create", "edit", "delete"}
FIELDS = {
    "v": ALL,
    "id": ALL,
    "op": ALL,
    "app": ALL,
    "account": NAMED,
    "accounts": NAMED,
    "type": {"create", "edit", "export"},
    "profile": {"create", "edit"},
    "if_revision": {"edit", "delete"},
    "on_exists": {"create"},
    "confirm": {"delete"},
    "dry_run": WRITES,
    "limit": {"list"},
    "after": {"list"},
    "all": {"export"},
    "format": {"export"},
    "fields": {"export"},
    "compression": {"export"},
    "created_after": {"export"},
    "created_before": {"export"},
    "updated_after": {"export"},
}
ENTRY_FIELDS = ("account", "type", "profile", "if_revision")
# What chooses among all accounts, and is of no use without "all".
CHOOSING = ("type", "created_after", "created_before", "updated_after")
ROW = {name: number for number, name in enumerate(FIELDS)}
AFTER_ALL_ROWS = len(ROW)

PROFILE_FIELDS = (
    "nickname avatar_url gender birthday location signature allow_type language message_settings "
    "admin_forbid level role custom"
).split()
RECORD_FIELDS = ["app", "account", "type", "revision", "created_at", "updated_at"]
COLUMNS = RECORD_FIELDS + PROFILE_FIELDS

PRECEDENCE = (
    "malformed unsupported_version unknown_op missing_field unknown_field invalid_field "
    "reply_topic_forbidden app_forbidden confirmation_required"
).split()

ID = re.compile(r"[!-~]{1,64}")
APP = re.compile(r"[A-Za-z0-9_-]{1,32}")
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,31}")
URL = re.compile(r"https?://(?![/?#])[!-~]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
TAG = re.compile(r"[A-Za-z]{1,8}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CONTROL_BUT_NEWLINE_AND_TAB = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_int(value):
    """A whole float is an integer, as in JSON Schema; a boolean is not."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def is_text(value, pattern):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_time(value):
    if not is_text(value, TIME):
        return False
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").year >= 1970
    except ValueError:
        return False


def is_string(value, bytes_max, forbidden=CONTROL):
    return isinstance(value, str) and len(value.encode()) <= bytes_max and not forbidden.search(value)


def is_date(value):
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_uint32(value):
    return is_int(value) and 0 <= value < 2**32


def one_of(*choices):
    return lambda value: isinstance(value, str) and value in choices


# `custom` is checked by itself.
PROFILE_RULES = {
    "nickname": lambda value: is_string(value, 500),
    "avatar_url": lambda value: is_text(value, URL) and len(value) <= 500,
    "gender": one_of("unknown", "female", "male"),
    "birthday": is_date,
    "location": lambda value: is_string(value, 16),
    "signature": lambda value: is_string(value, 500, CONTROL_BUT_NEWLINE_AND_TAB),
    "allow_type": one_of("need_confirm", "allow_any", "deny_any"),
    "language": is_uint32,
    "message_settings": is_uint32,
    "admin_forbid": one_of("none", "send_out"),
    "level": is_uint32,
    "role": is_uint32,
}


def cut(path):
    return path.encode()[:128].decode(errors="ignore")


@dataclass(frozen=True)
class Fault:
    code: str
    field: Anything = None  # a path, or a tuple of paths where the contract leaves open which one
    place: tuple = ()  # in the order of the tables
    document: tuple = ()  # of a field that is not known: in the order of the message


@dataclass
class Target:
    account: str
    type: Anything = None
    profile: Anything = None
    if_revision: Anything = None


@dataclass
class Command:
    op: str
    app: str
    many: bool = False
    targets: list = field(default_factory=list)
    whole_app: bool = False
    on_exists: str = "error"
    dry_run: bool = False
    limit: int = 100
    after: Anything = None
    format: str = "ndjson"
    columns: Anything = None
    compression: str = "none"
    choice: dict = field(default_factory=dict)

    def within(self, record):
        """True where an export of all looks for accounts: times are written such that texts compare like them."""
        return self.choice.get("created_after", "") <= record["created_at"] < self.choice.get("created_before", "~")

    def chooses(self, record):
        return (
            self.choice.get("type", record["type"]) == record["type"]
            and self.choice.get("updated_after", "") <= record["updated_at"]
        )


def present(tree):
    """What counts as there: null does not, nor does an export's all when it is false."""
    absent = {key for key, value in tree.items() if value is None}
    if tree.get("op") == "export" and tree.get("all") is False:
        absent.add("all")
    return {key: value for key, value in tree.items() if key not in absent}


class Checker:
    def __init__(self, tree, knows_cursor):
        self.tree = present(tree)
        self.document = list(self.tree)
        self.knows_cursor = knows_cursor
        self.op = self.tree.get("op")
        self.faults = []

    def fault(self, code, path, *place):
        self.faults.append(Fault(code, path, place))

    def unknown(self, path, document, *place):
        self.faults.append(Fault("unknown_field", path, place, document))

    def invalid(self, path, *place):
        self.fault("invalid_field", path, *place)

    def has(self, name):
        return name in self.tree and self.op in FIELDS[name]

    def run(self):
        version = self.tree.get("v", 1)
        if not is_int(version) or version != 1:
            self.fault("unsupported_version", "v", ROW["v"])
        if "op" not in self.tree:
            self.fault("missing_field", "op", ROW["op"])
        elif not isinstance(self.op, str) or self.op not in OPS:
            self.fault("unknown_op", "op", ROW["op"])
        else:
            self.check_known_op()
        return self.faults

    def check_known_op(self):
        for index, name in enumerate(self.document):
            if name not in FIELDS or self.op not in FIELDS[name]:
                self.unknown(name, (index,), AFTER_ALL_ROWS, index)
        if not self.has("app"):
            self.fault("missing_field", "app", ROW["app"])
        self.check_scalars()
        self.check_selection()
        if self.has("profile"):
            self.check_profile(self.tree["profile"], "profile", (self.document.index("profile"),), ROW["profile"])
        elif self.op == "edit":
            self.check_profile_is_somewhere()
        if self.has("fields"):
            self.check_columns()

    def check_scalars(self):
        rules = {
            "id": lambda value: is_text(value, ID),
            "app": lambda value: is_text(value, APP),
            "account": lambda value: is_text(value, ACCOUNT),
            "type": one_of("general", "admin"),
            "if_revision": lambda value: is_int(value) and value >= 0,
            "on_exists": one_of("error", "update", "skip"),
            "confirm": lambda value: isinstance(value, bool),
            "dry_run": lambda value: isinstance(value, bool),
            "limit": lambda value: is_int(value) and 1 <= value <= 1000,
            "after": lambda value: isinstance(value, str) and self.knows_cursor(value),
            "all": lambda value: value is True,
            "format": one_of(*FORMATS),
            "compression": one_of(*COMPRESSIONS),
            "created_after": is_time,
            "created_before": is_time,
            "updated_after": is_time,
        }
        for name, valid in rules.items():
            if self.has(name) and not valid(self.tree[name]):
                self.invalid(name, ROW[name])

    def check_selection(self):
        given = [name for name in ("account", "accounts", "all") if self.has(name)]
        if self.op != "list" and not given:
            self.fault("missing_field", "account", ROW["account"])
        for name in given[1:]:
            self.invalid(name, ROW[name])
        for name in CHOOSING if self.op == "export" and "all" not in given else ():
            if self.has(name):
                self.invalid(name, ROW[name])
        if self.has("accounts"):
            self.check_accounts(self.tree["accounts"])

    def check_accounts(self, entries):
        if not isinstance(entries, list) or not 1 <= len(entries) <= 100:
            self.invalid("accounts", ROW["accounts"])
            return
        seen = set()
        for index, entry in enumerate(entries):
            name = entry.get("account") if isinstance(entry, dict) else entry
            path = f"accounts[{index}]"
            if isinstance(entry, dict):
                self.check_entry(entry, path, index)
                path += ".account"
            elif not is_text(entry, ACCOUNT):
                self.invalid(path, ROW["accounts"], index, 0)
            if isinstance(name, str):
                if name in seen:
                    self.invalid(path, ROW["accounts"], index, 0)
                seen.add(name)

    def has_entry_field(self, name):
        """The type of an export chooses among all; what is named has the type that it has."""
        return name in ENTRY_FIELDS and self.op in FIELDS[name] and (name, self.op) != ("type", "export")

    def check_entry(self, entry, path, index):
        place = (ROW["accounts"], index)
        document = (self.document.index("accounts"), index)
        entry = {key: value for key, value in entry.items() if value is not None}
        for position, name in enumerate(entry):
            if not self.has_entry_field(name):
                self.unknown(f"{path}.{name}", (*document, position), *place, len(ENTRY_FIELDS), position)
        if "account" not in entry:
            self.fault("missing_field", f"{path}.account", *place, 0)
        elif not is_text(entry["account"], ACCOUNT):
            self.invalid(f"{path}.account", *place, 0)
        if "type" in entry and self.has_entry_field("type") and entry["type"] not in ("general", "admin"):
            self.invalid(f"{path}.type", *place, 1)
        if "profile" in entry and self.op in FIELDS["profile"]:
            position = list(entry).index("profile")
            self.check_profile(entry["profile"], f"{path}.profile", (*document, position), *place, 2)
        if "if_revision" in entry and self.op in FIELDS["if_revision"]:
            if not is_int(entry["if_revision"]) or entry["if_revision"] < 0:
                self.invalid(f"{path}.if_revision", *place, 3)

    def check_profile_is_somewhere(self):
        """Edit needs one: the command's, or one in every entry. Which of both is to blame is left open."""
        entries = self.tree.get("accounts")
        if not isinstance(entries, list):
            self.fault("missing_field", "profile", ROW["profile"])
            return
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict) or entry.get("profile") is None:
                self.fault("missing_field", ("profile", f"accounts[{index}].profile"), ROW["profile"])
                return

    def check_profile(self, profile, path, document, *place):
        if not isinstance(profile, dict):
            self.invalid(path, *place)
            return
        for index, (name, value) in enumerate(profile.items()):
            if name not in PROFILE_FIELDS:
                self.unknown(f"{path}.{name}", (*document, index), *place, len(PROFILE_FIELDS), index)
            elif name == "custom":
                self.check_custom(value, f"{path}.custom", *place, PROFILE_FIELDS.index(name))
            elif value is not None and value != "" and not PROFILE_RULES[name](value):
                self.invalid(f"{path}.{name}", *place, PROFILE_FIELDS.index(name))

    def check_custom(self, custom, path, *place):
        if custom is None or custom == "":
            return
        if not isinstance(custom, dict) or len(custom) > 20:
            self.invalid(path, *place)
            return
        for index, (tag, value) in enumerate(custom.items()):
            if not is_text(tag, TAG) or not (value is None or is_string(value, 500)):
                self.invalid(f"{path}.{tag}", *place, index)

    def check_columns(self):
        names = self.tree["fields"]
        if not isinstance(names, list):
            self.invalid("fields", ROW["fields"])
            return
        for index, name in enumerate(names):
            if not isinstance(name, str) or name not in COLUMNS or name in names[:index]:
                self.invalid(f"fields[{index}]", ROW["fields"], index)


def first_fault(faults):
    """The one that the contract's precedence asks for, its path cut as the contract says. Of several unknown
    fields at different levels the contract lets the first in the tables or the first in the message be named."""
    if not faults:
        return None
    code = min((fault.code for fault in faults), key=PRECEDENCE.index)
    same = [fault for fault in faults if fault.code == code]
    first = min(same, key=lambda fault: fault.place)
    paths = first.field if isinstance(first.field, tuple) else (first.field,)
    if code == "unknown_field":
        in_message = min(same, key=lambda fault: fault.document)
        paths = tuple(dict.fromkeys([*paths, in_message.field]))
    return Fault(code, tuple(path if path is None else cut(path) for path in paths))


def echo(tree):
    """What a reply repeats of a command, refused or not: the fields whose values are valid."""
    said = {}
    if is_text(tree.get("id"), ID):
        said["id"] = tree["id"]
    if isinstance(tree.get("op"), str) and tree["op"] in OPS:
        said["op"] = tree["op"]
    if is_text(tree.get("app"), APP):
        said["app"] = tree["app"]
    if is_text(tree.get("account"), ACCOUNT):
        said["account"] = tree["account"]
    return said


def read(tree):
    """A tree without faults to the command it says."""
    tree = present(tree)
    command = Command(tree["op"], tree["app"], many="accounts" in tree, whole_app="all" in tree)
    for entry in tree.get("accounts", [tree["account"]] if "account" in tree else []):
        entry = {"account": entry} if isinstance(entry, str) else entry
        own = {key: value for key, value in entry.items() if value is not None}
        common = {key: tree[key] for key in ENTRY_FIELDS[1:] if key in tree}
        command.targets.append(Target(**{**common, **own}))
    command.on_exists = tree.get("on_exists", "error")
    command.dry_run = tree.get("dry_run", False)
    command.limit = int(tree.get("limit", 100))
    command.after = tree.get("after")
    command.format = tree.get("format", "ndjson")
    command.columns = tree.get("fields")
    command.compression = tree.get("compression", "none")
    command.choice = {name: tree[name] for name in CHOOSING if name in tree and "all" in tree}
    return command
