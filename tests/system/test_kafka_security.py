"""A broker with TLS, logins and access control: accountd needs what docs/security.md lists, and nothing else; and where it
is refused it says so."""

import re
import subprocess
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from certificates import Authority, Certificate
from daemon import QUICK, libconfig
from servers import ROOT, Kafka, wait_for
from test_exits import CREATE, OK, assert_ends, run
from world import World

UNREACHABLE, NOPERM = 69, 77
PASSWORD = "hush hush"
# localhost may be ::1, too, where nobody listens.
IPV4 = "broker.address.family=v4"

SETTINGS = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={server}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.ssl.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([a-z]+)$/$1/,DEFAULT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""

Right = namedtuple("Right", "principal resource name pattern operation")


def rights_of(block, name):
    """What a block of the document gives, with the names of a world's topics and group in the place of the defaults."""
    document = (ROOT / "docs/security.md").read_text()
    blocks = dict(re.findall(r"^```sh ([a-z-]*rights)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL))
    script = blocks[block] if block != "more-rights" else blocks["rights"].splitlines()[0] + "\n" + blocks[block]
    script = script.replace("account.dead-letters", "account.dead_letters").replace(" account.", f" {name}.")
    script = script.replace("--group accountd", f"--group {name}").replace(" accountd- ", f" {name}- ")
    script = script.replace(" accountd-dlq-replay", f" {name}-dlq-replay").replace(" accountd-import-", f" {name}-import-")
    # Whatever the shell makes of it is what kafka-acls.sh gets.
    printed = subprocess.check_output(["bash", "-euc", "kafka-acls.sh() { printf '%s\\n' \"$@\" END; }\n" + script], text=True)
    return [right for command in printed.split("END\n") for right in rights_in(command.split("\n")[:-1])]


def rights_in(arguments):
    options = list(zip(arguments, arguments[1:]))

    def values(option):
        return [value for name, value in options if name == option]

    pattern = "".join(values("--resource-pattern-type")) or "literal"
    return [
        Right(principal, resource, name, pattern, operation)
        for resource in ("topic", "group", "transactional-id")
        for name in values("--" + resource)
        for operation in values("--operation")
        for principal in values("--allow-principal")
    ]


def acl(kind, right):
    return kind(
        ResourceType[right.resource.upper().replace("-", "_")],
        right.name,
        ResourcePatternType[right.pattern.upper()],
        right.principal,
        "*",
        AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", right.operation).upper()],
        AclPermissionType.ALLOW,
    )


class Guarded(Kafka):
    """Its listener in the clear is that of the only super user: the test itself."""

    def __init__(self, directory):
        self.directory_of_keys = directory
        self.authority = Authority(directory)
        self.stranger = Authority(directory, "stranger")
        server = self.authority.issue("broker", "DNS:localhost")
        self.client = self.authority.issue("accountd")
        self.shop = self.authority.issue("shop")
        (directory / "password").write_text(PASSWORD + "\n")
        super().__init__(("SSL", "SASL_SSL"), SETTINGS.format(server=server.pem(), authority=self.authority.file))
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        upsertion = UserScramCredentialUpsertion("accountd", login, PASSWORD.encode())
        self.admin.alter_user_scram_credentials([upsertion])["accountd"].result(15)

    def give(self, *rights):
        for future in self.admin.create_acls([acl(AclBinding, right) for right in rights]).values():
            future.result(15)

    def take(self, *rights):
        for future in self.admin.delete_acls([acl(AclBindingFilter, right) for right in rights]).values():
            assert len(future.result(15)) == 1

    def by_certificate(self, client=None, authority=None, host="localhost"):
        client = client or self.client
        return {
            "brokers": self.addresses["SSL"].replace("localhost", host),
            "properties": [
                "security.protocol=ssl",
                IPV4,
                f"ssl.ca.location={(authority or self.authority).file}",
                *([f"ssl.certificate.location={client.certificate}", f"ssl.key.location={client.key}"] if client.key.exists() else []),
            ],
        }

    def by_password(self, file):
        return {
            "brokers": self.addresses["SASL_SSL"],
            "properties": [
                "security.protocol=sasl_ssl",
                IPV4,
                f"ssl.ca.location={self.authority.file}",
                "sasl.mechanism=SCRAM-SHA-512",
                "sasl.username=accountd",
                f"sasl.password_file={file}",
            ],
        }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    broker = Guarded(tmp_path_factory.mktemp("keys"))
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def kafka(guarded):
    """Worlds are made on this broker; their daemons reach it as strangers do."""
    return guarded


@pytest.fixture
def make(guarded, world):
    def made(access=None, rights=("rights",), start=True, **how):
        access = access or guarded.by_certificate()
        kafka = {**access, "properties": access["properties"] + QUICK, **how.pop("kafka", {})}
        here = world(settings={"kafka": kafka, **how.pop("settings", {})}, start=False, **how)
        for block in rights:
            guarded.give(*rights_of(block, here.name))
        here.daemon(start=start)
        return here

    return made


def every_kind(here, name="a"):
    """All that accountd writes anywhere, and one thing of each kind that it reads."""
    account = {"app": "demo", "account": name}
    return [
        {"op": "create", **account, "type": "admin"},
        {"op": "edit", **account, "profile": {"level": 3}},
        {"op": "get", **account},
        {"op": "list", "app": "demo"},
        {"op": "export", "app": "demo", "accounts": [name], "format": "csv"},
        {"op": "delete", **account, "confirm": True},
        {"op": "create", **account},
        b"no command at all",
    ]


def check_all(here):
    here.check_exactly_once()
    here.check_changelog()
    here.check_redis()


# ---- Rights


def test_the_rights_are_enough(make):
    """For commands of each kind, two workers, a second daemon that comes and goes, and a restore of Redis."""
    here = make()
    here.send(*every_kind(here, "a"))
    here.send(*every_kind(here, "b"), partition=1)
    second = here.daemon()
    here.send(*every_kind(here, "c"), partition=1)
    second.stop()
    here.redis.flushall()
    here.send({"op": "get", "app": "demo", "account": "a"}, {"op": "edit", "app": "demo", "account": "b", "profile": {"level": 1}})
    assert "accounts restored" in here.logs()
    check_all(here)
    here.daemons[0].stop()


# Kafka hides a topic from whoever has no right to it, so these are missed before anything else is done.
HIDDEN = {("commands", "Read"), ("replies", "Write"), ("exports", "Write"), ("dead_letters", "Write")}

# The others, and what accountd says without them.
SAID = {
    ("changelog", "Read"): "for which the changelog must be readable: Broker: Topic authorization failed",
    ("changelog", "Write"): "Kafka: transaction: ",
    ("group", "Read"): "waiting for the consumer group: FindCoordinator response error: Group authorization failed",
    ("transactional-id", "Write"): "Kafka: producer: Failed to find transaction coordinator: ",
}


def uses(here, right):
    return (right.name.removeprefix(here.name + ".") if right.resource == "topic" else right.resource, right.operation)


def check(daemon, **how):
    return run("accountd", "--check-config", "--connect", "-c", daemon.config, **how)


def test_each_right_is_needed(make, guarded):
    """Without it accountd says what it misses, and serves as soon as it gets it."""
    here = make(start=False)
    daemon = here.daemons[0]
    rights = {uses(here, right): right for right in rights_of("rights", here.name)}
    assert set(rights) == HIDDEN | set(SAID)

    guarded.take(*(rights[use] for use in HIDDEN))
    code, printed = check(daemon)
    assert code == NOPERM, printed
    for topic, operation in HIDDEN:
        wanted = f"error: topic {here.name}.{topic}: Kafka gives this user no right to it: allow {operation},"
        assert printed.count(wanted) == 1, printed
    daemon.start(ready=False)
    wait_for(daemon.log, lambda: "Kafka gives this user no right to it" in daemon.http("/readyz")[1])
    guarded.give(*(rights[use] for use in HIDDEN))
    here.send(*every_kind(here))
    daemon.stop()

    for use, wanted in SAID.items():
        guarded.take(rights[use])
        daemon.errors.write_text("")
        daemon.start(ready=False)
        records = [here.post(command) for command in every_kind(here, "-".join(use).lower())]
        here.poster.flush()
        wait_for(lambda: f"{wanted}, without {use}\n{daemon.log()}", lambda: wanted in daemon.log())
        # A group that has served before goes on, until it has to restore something.
        assert use == ("changelog", "Read") or wanted in daemon.http("/readyz")[1]
        guarded.give(rights[use])
        for record in records:
            here.check(record)
        daemon.stop()
    check_all(here)


def test_a_new_group_must_read_its_changelog(make, guarded):
    here = make(start=False)
    reading = Right("User:accountd", "topic", f"{here.name}.changelog", "literal", "Read")
    guarded.take(reading)
    daemon = here.daemons[0].start(ready=False)
    wait_for(daemon.log, lambda: "for which the changelog must be readable" in daemon.http("/readyz")[1])
    guarded.give(reading)
    here.send(*every_kind(here))
    daemon.stop()


def test_reply_topics(make, guarded):
    """One that may not be written is as good as none: the reply goes where all others go."""
    allowed = ["reply", "mute", "hidden"]
    here = make(
        rights=(),
        extra_topics=[(f"shop.{name}", 2) for name in allowed],
        kafka={"reply_topics": [f"shop.{name}" for name in allowed]},
        start=False,
    )
    guarded.give(*rights_of("rights", here.name))
    guarded.give(Right("User:accountd", "topic", "shop.reply", "literal", "Write"))
    guarded.give(Right("User:accountd", "topic", "shop.mute", "literal", "Describe"))
    daemon = here.daemons[0].start()
    answered = here.ask({**CREATE, "account": "a"}, headers=[("kafka_replyTopic", b"shop.reply")])
    assert answered.message.topic == "shop.reply"
    for name, code in [("mute", None), ("hidden", "reply_topic_forbidden")]:
        record = here.post({**CREATE, "account": name}, headers=[("kafka_replyTopic", f"shop.{name}".encode())])
        here.poster.flush()
        message = here.reply_to(record)
        assert (message.topic, message.body().get("error", {}).get("code")) == (f"{here.name}.replies", code)
    assert "reply topic shop.mute cannot be used: the reply goes to" in daemon.log()
    daemon.stop()


def test_more_rights(make, guarded):
    """To see the settings of topics, to make them, and to give the changelog as many partitions as the commands."""
    here = make(start=False)
    made = {role: f"{here.name}.made.{role}" for role in ("commands", "replies", "exports", "changelog", "dead_letters")}
    kafka = {**here.daemons[0].settings["kafka"], **made}
    daemon = here.daemon(start=False, kafka=kafka, topics={"partitions": 1})
    more = [right for right in rights_of("more-rights", f"{here.name}.made") if right.name != "shop.replies"]
    guarded.give(*rights_of("rights", f"{here.name}.made"))
    guarded.give(*rights_of("rights", here.name))  # of the group, which is not the made ones'

    code, printed = run("accountd", "--create-topics", "-c", daemon.config)
    assert code == NOPERM and "commands cannot be made: " in printed and "uthorization failed" in printed, printed
    guarded.give(*(right for right in more if right.operation == "Create"))
    code, printed = run("accountd", "--create-topics", "-c", daemon.config)
    assert code == OK and printed.count("was made, with 1 partitions") == 5, printed

    assert printed.count("its settings cannot be read: allow DescribeConfigs on it") == 5, printed
    guarded.give(*(right for right in more if right.operation == "DescribeConfigs"))
    code, printed = check(daemon)
    assert code == OK and [line for line in printed.splitlines() if "warning: topic" in line] == [], printed

    guarded.grow_topic(made["commands"], 2)
    daemon.start(ready=False)
    wait_for(daemon.log, lambda: re.search("changelog.*authorization failed", daemon.log(), re.IGNORECASE), 20)
    guarded.give(*(right for right in more if right.operation == "Alter"))
    partitions = lambda: len(guarded.admin.list_topics(made["changelog"], timeout=5).topics[made["changelog"]].partitions)
    wait_for(daemon.log, lambda: partitions() == 2)
    daemon.stop()


def test_the_rights_of_a_client(make, guarded, tmp_path):
    here = make()
    rights = {uses(here, right): right for right in rights_of("client-rights", here.name)}
    file = tmp_path / "shop.conf"
    names = {role: f"{here.name}.{role}" for role in ("commands", "replies", "exports")}
    file.write_text(libconfig({"kafka": {**guarded.by_certificate(guarded.shop), **names}}))
    arguments = ["-c", file, "--app", "demo", "--timeout", "10"]
    code, printed = run("accountctl", *arguments, "create", "a")
    assert code == 6 and f"cannot use topic {names['commands']}" in printed and "authorization failed" in printed, printed
    guarded.give(*rights.values())
    assert_ends(OK, "accountctl", *arguments, "create", "a")
    assert "a" in assert_ends(OK, "accountctl", *arguments, "export", "a", "--format", "csv")
    for (topic, _), right in rights.items():
        guarded.take(right)
        code, printed = run("accountctl", *arguments, "export", "a", "--format", "csv")
        assert code == 6 and f"cannot use topic {names[topic]}" in printed and "authorization failed" in printed, printed
        guarded.give(right)
    here.daemons[0].stop()


def test_the_rights_of_a_replay(make, guarded, tmp_path):
    here = make()
    letter = here.post(b"no command", partition=0)
    here.poster.flush()
    here.reply_to(letter)
    rights = rights_of("replay-rights", here.name)
    file = tmp_path / "operator.conf"
    certificate = guarded.by_certificate(guarded.authority.issue("operator"))
    names = {**here.settings["kafka"], **certificate}
    file.write_text(libconfig({"kafka": names}))
    replay = ["-c", file, "--timeout", "10", "dlq", "replay", "0:0", "--force"]
    guarded.give(*rights)
    # The reply says that it is no command still.
    code, printed = run("accountctl", *replay)
    assert code == 1 and "malformed" in printed, printed
    for right in rights:
        guarded.take(right)
        code, printed = run("accountctl", *replay)
        assert code in (1, 6) and "uthorization failed" in printed, (right, printed)
        guarded.give(right)
    here.daemons[0].stop()


def test_the_rights_of_an_import(make, guarded, tmp_path):
    here = make()
    rights = rights_of("import-rights", here.name)
    settings = tmp_path / "importer.conf"
    certificate = guarded.by_certificate(guarded.authority.issue("importer"))
    settings.write_text(libconfig({"kafka": {**here.settings["kafka"], **certificate}}))

    def imported(name, *options):
        accounts = tmp_path / f"{name}.ndjson"
        accounts.write_text(f'{{"account": "{name}"}}\n')
        return run("accountctl", "-c", settings, "--app", "demo", "--timeout", "10", "import", accounts, *options)

    guarded.give(*rights)
    code, printed = imported("a")
    assert code == OK and "1 created" in printed, printed
    [look] = [right for right in rights if right.operation == "Read" and right.name == here.topics.commands]
    begun = [right for right in rights if right != look]
    for number, right in enumerate(begun):
        guarded.take(right)
        code, printed = imported(f"b{number}")
        assert code in (1, 6) and "uthorization failed" in printed, (right, code, printed)
        guarded.give(right)
    # Whoever goes on looks for its commands among those that were posted since.
    code, printed = imported("c")
    assert code == OK, printed
    guarded.take(look)
    code, printed = imported("b0", "--resume")
    assert code in (1, 6) and "uthorization failed" in printed, (code, printed)
    guarded.give(look)
    for number in range(len(begun)):
        code, printed = imported(f"b{number}", "--resume")
        assert code == OK and "1 created" in printed, (number, code, printed)
    here.daemons[0].stop()


# ---- Identity


def library(directory):
    """The environment in which the programs have a librdkafka whose SCRAM Kafka 4 takes: the one that is there, or the one
    of the Python package."""
    version = subprocess.check_output(["pkg-config", "--modversion", "rdkafka"], text=True)
    if tuple(map(int, version.split("."))) >= (2, 6, 1):
        return {}
    [bundled] = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*.so*")
    (directory / "librdkafka.so.1").symlink_to(bundled)
    return {"LD_LIBRARY_PATH": str(directory)}


def test_password(make, guarded, tmp_path, monkeypatch):
    """The right one serves; the wrong one is told from a broker that is away, and may be mended without a restart of it."""
    secret = tmp_path / "password"
    secret.write_text("not this\n")
    here = make(guarded.by_password(secret), start=False)
    daemon = here.daemons[0]
    old = library(tmp_path)
    if old:
        code, printed = check(daemon)
        assert code == NOPERM and "Kafka 4 refuses any SCRAM of a librdkafka before 2.6.1" in printed, printed
    for name, value in old.items():
        monkeypatch.setenv(name, value)
    code, printed = check(daemon)
    assert code == NOPERM and "refuses the login: " in printed and "invalid credentials" in printed, printed
    assert "Kafka 4" not in printed and "not this" not in printed
    daemon.start(ready=False)
    wait_for(daemon.log, lambda: "refuses the login" in daemon.http("/readyz")[1])
    daemon.stop()
    secret.write_text(PASSWORD + "\n")
    daemon.start()
    here.send(*every_kind(here))
    check_all(here)
    daemon.stop()


def test_certificates(make, guarded, tmp_path):
    """Wrong in each way: accountd says so at once, waits, and answers to SIGTERM."""
    here = make(start=False)
    strange = guarded.stranger.issue("others")
    nobody = Certificate(tmp_path, "nobody")
    wrong = [
        (guarded.by_certificate(authority=guarded.stranger), NOPERM, "no TLS: .*certificate verify failed"),
        (guarded.by_certificate(host="127.0.0.1"), NOPERM, "no TLS: .*certificate verify failed"),
        (guarded.by_certificate(strange), NOPERM, "no TLS: .*SSL alert number"),
        # The alert of a broker that misses a certificate depends on its Java.
        (guarded.by_certificate(nobody), NOPERM, "no TLS: .*(certificate required|bad certificate)"),
        ({"brokers": guarded.addresses["SSL"], "properties": [IPV4]}, UNREACHABLE, "incorrect security.protocol"),
    ]
    daemons = [here.daemon(start=False, kafka=access) for access, _, _ in wrong]
    with ThreadPoolExecutor() as pool:  # each waits for a second
        for (access, code, wanted), (found, printed) in zip(wrong, pool.map(check, daemons)):
            assert found == code and re.search("error: Kafka at .*" + wanted, printed), (access, printed)
    daemons[0].start(ready=False)
    wait_for(daemons[0].log, lambda: "no TLS: " in daemons[0].http("/readyz")[1])
    daemons[0].stop()
    # It ends while librdkafka tries again; that has crashed once in sixty times.
    refused = lambda _: run("accountctl", "-c", daemons[0].config, "--app", "demo", "--timeout", "1", "list")
    with ThreadPoolExecutor(4) as pool:
        for code, printed in pool.map(refused, range(40)):
            assert code == 6 and "certificate verify failed" in printed, (code, printed)
