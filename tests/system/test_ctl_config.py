"""accountctl's own file, its environment and its command line: what counts, and what is refused."""

import os
import subprocess

import pytest

from servers import BUILD, ROOT, free_port
from world import World


@pytest.fixture(scope="module")
def here(kafka, tmp_path_factory):
    made = World(kafka, tmp_path_factory.mktemp("config"), "config", 1)
    yield made
    made.close()


@pytest.fixture
def ctl(here, tmp_path):
    """Runs accountctl with a file of its own: ctl("app = …;", "get", "a", ACCOUNTCTL_APP="…")."""
    home = tmp_path / "home" / ".config"
    home.mkdir(parents=True)

    def run(text, *arguments, **environment):
        file = home / "accountctl.conf"
        if text is not None:
            file.write_text(text)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCOUNTCTL_", "XDG_"))}
        done = subprocess.run(
            [BUILD / "accountctl", "--timeout", "10", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            env={**kept, "HOME": str(home.parent), **environment},
        )
        return done.returncode, done.stdout, done.stderr

    run.file = home / "accountctl.conf"
    run.conf = str(here.daemons[0].config)
    run.nobody = f"127.0.0.1:{free_port()}"
    return run


def test_the_file_is_enough(ctl, app):
    """Where Kafka is, the topics and the app come from the file."""
    text = f'app = "{app}";\nconfig = "{ctl.conf}";\nproperties = [ "client.id=mine" ];\n'
    assert ctl(text, "create", "a") == (0, "created a (revision 1)\n", "")
    elsewhere = ctl.file.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "accountctl.conf").write_text(text)
    ctl.file.write_text("nonsense")
    code, out, said = ctl(None, "get", "a", XDG_CONFIG_HOME=str(elsewhere))
    assert (code, said) == (0, "") and "account: a\n" in out
    # What is no absolute path is not meant, as the XDG specification says.
    code, _, said = ctl(None, "get", "a", XDG_CONFIG_HOME="elsewhere")
    assert code == 2 and f"{ctl.file}:1: " in said
    ctl.file.unlink()
    code, _, said = ctl(None, "get", "a")
    assert code == 2 and "--app" in said


def test_what_comes_later_counts(ctl, app):
    """The file, the environment, the command line; an accountd.conf counts where it is named."""
    file = f'app = "{app}f"; brokers = "{ctl.nobody}"; config = "{ctl.conf}";'
    named = ["-c", ctl.conf]

    def posted(name, *arguments, **environment):
        code, out, said = ctl(file, "create", "a", "--on-exists", "skip", "--json", *arguments, **environment)
        assert code == 0 and f'"app":"{name}"' in out, (code, out, said)

    def away(*arguments, **environment):
        code, _, said = ctl(file, "get", "a", "--timeout", "1", *arguments, **environment)
        assert code == 6 and ctl.nobody in said, (code, said)

    away()
    posted(f"{app}f", *named)
    posted(f"{app}e", *named, ACCOUNTCTL_APP=f"{app}e")
    posted(f"{app}c", *named, "--app", f"{app}c", ACCOUNTCTL_APP=f"{app}e")
    posted(f"{app}f", ACCOUNTCTL_CONFIG=ctl.conf)
    posted(f"{app}f", *named, ACCOUNTCTL_BROKERS=ctl.nobody)
    away(*named, "--brokers", ctl.nobody)
    away(ACCOUNTCTL_BROKERS=ctl.nobody, ACCOUNTCTL_CONFIG=ctl.conf)


def test_properties_add_up(ctl, app):
    """Those of the file, the environment and the command line apply, each after the one before."""
    file = f'app = "{app}"; config = "{ctl.conf}"; properties = [ "security.protocol=ssl" ];'
    again = "security.protocol=plaintext"
    assert ctl(file, "get", "a", "--timeout", "2")[0] == 6
    assert ctl(file, "get", "a", "-X", again)[0] == 1
    assert ctl(file, "get", "a", ACCOUNTCTL_PROPERTIES=f"client.id=a,{again}")[0] == 1
    assert ctl(file, "get", "a", ACCOUNTCTL_PROPERTIES=f'[ "client.id=a,b", "{again}" ]')[0] == 1
    assert ctl(file, "get", "a", "-X", "security.protocol=ssl", "--timeout", "2", ACCOUNTCTL_PROPERTIES=again)[0] == 6


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("app = 5;", 1, "app must be text"),
        ('\n\nap = "x";', 3, "did you mean app"),
        ('brokers = "x"\nsomething_else_entirely = 1;', 2, "unknown setting something_else_entirely"),
        ('app = "x";\nproperties = "a=b";', 2, "list of strings"),
        ('app = "x";\nproperties = [ 1 ];', 2, "list of strings"),
        ('\nproperties = [ "nothing" ];', 2, "NAME=VALUE"),
        ('properties = [ "sasl.password=hush" ];', 1, "sasl.password_file"),
        ('app = "x";\nkey = ;', 2, "syntax error"),
        ('app = "x";\napp = "y";', 2, "duplicate"),
    ],
)
def test_mistakes_in_the_file(ctl, text, line, what):
    code, out, said = ctl(text, "get", "a")
    assert code == 2 and not out
    assert f"{ctl.file}:{line}: " in said and what in said and "hush" not in said, said


def test_all_mistakes_are_told_at_once(ctl):
    code, _, said = ctl("one = 1;\ntwo = 2;\n", "get", "a")
    assert code == 2 and f"{ctl.file}:1: " in said and f"{ctl.file}:2: " in said


def test_a_file_that_cannot_be_read(ctl):
    ctl.file.mkdir()
    code, _, said = ctl(None, "get", "a")
    assert code == 2 and str(ctl.file) in said


def test_mistakes_in_variables(ctl):
    for variable, text, what in (
        ("ACCOUNTCTL_PROPERTIES", "sasl.password=hush", "sasl.password_file"),
        ("ACCOUNTCTL_PROPERTIES", "[ 5 ]", "list of strings"),
        ("ACCOUNTCTL_PROPERTIES", "nothing", "NAME=VALUE"),
    ):
        code, _, said = ctl("", "get", "a", **{variable: text})
        assert code == 2 and f"{variable}: " in said and what in said and "hush" not in said, said


def test_secrets_are_refused_on_the_command_line(ctl, tmp_path):
    for name in ("sasl.password", "ssl.key.password", "ssl.keystore.password"):
        code, _, said = ctl("", "--app", "x", "get", "a", "-X", f"{name}=hush")
        assert code == 2 and f"{name}_file=/path" in said and "hush" not in said, said
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    code, _, said = ctl("", "--app", "x", "--timeout", "1", "--brokers", ctl.nobody, "get", "a",
                        "-X", f"sasl.password_file={secret}")  # fmt: skip
    assert code == 6, said


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("craete a", "did you mean create?"),
        ("stats", "did you mean status?"),
        ("nonsense", "nonsense is no command"),
        ("get a --apq x", "--apq is no option, did you mean --app?"),
        ("get a --brokrs=secret", "--brokrs is no option, did you mean --brokers?"),
        ("get a --something-else", "--something-else is no option;"),
        ("get a -z", "-z is no option"),
        ("get a --app", "--app: a value is missing"),
        ("get a --json=yes", "--json takes no value"),
        ("help craete", "did you mean create?"),
    ],
)
def test_did_you_mean(ctl, line, hint):
    code, out, said = ctl("", *line.split())
    assert code == 2 and not out and hint in said and "secret" not in said, said


def test_no_color(ctl):
    """Colour is for terminals only; NO_COLOR is heard there too."""
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        command = ["script", "-qec", f"{BUILD}/accountctl nonsense", "/dev/null"]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, env={**os.environ, "TERM": "xterm", **environment}
        )
        assert (b"\x1b" in done.stdout) == coloured, done.stdout


def test_the_man_pages_sample(ctl):
    """Each name in it is one that accountctl takes; only the brokers are not there."""
    page = (ROOT / "docs/man/accountctl.1.scd").read_text()
    sample = page.split("# FILES", 1)[1].split("```\n")[1]
    for name in ("brokers", "app", "config", "key", "properties", "metrics"):
        assert f"{name} = " in sample
    sample = sample.replace("/etc/accountd/accountd.conf", ctl.conf).replace("kafka1:9092,kafka2:9092", ctl.nobody)
    sample = sample.replace("/home/ops/kafka.password", str(ctl.file)).replace('key = "ops=/home/ops/accountd.key";', "")
    code, _, said = ctl(sample, "get", "a", "--timeout", "1", "-X", "security.protocol=plaintext")
    assert code == 6 and ctl.nobody in said, said
