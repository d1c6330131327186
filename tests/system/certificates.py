"""An authority that signs certificates, by openssl."""

import subprocess
from pathlib import Path


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr}"


class Certificate:
    def __init__(self, directory, name):
        self.name = name
        self.certificate = Path(directory) / f"{name}.crt"
        self.key = Path(directory) / f"{name}.key"

    def pem(self):
        """Key and certificate in one file, as Kafka's brokers take them."""
        both = self.key.with_suffix(".pem")
        both.write_text(self.key.read_text() + self.certificate.read_text())
        return both


class Authority:
    def __init__(self, directory, name="authority"):
        self.directory = Path(directory)
        self.own = Certificate(directory, name)
        request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        openssl(*request, "-subj", f"/CN={name}", "-keyout", self.own.key, "-out", self.own.certificate)

    @property
    def file(self):
        return self.own.certificate

    def issue(self, name, *hosts):
        """A certificate of `name`, for these hosts ("DNS:localhost"), or of a client when there are none."""
        made = Certificate(self.directory, name)
        request = made.key.with_suffix(".csr")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", made.key, "-out", request)
        extensions = made.key.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={','.join(hosts)}\n" if hosts else "extendedKeyUsage=clientAuth\n")
        openssl("x509", "-req", "-in", request, "-CA", self.own.certificate, "-CAkey", self.own.key, "-CAcreateserial",
                "-days", "2", "-extfile", extensions, "-out", made.certificate)
        return made
