"""Debian's packages, through an apt configuration of our own: the machine's stays as it is."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

SUITES = ("bookworm", "bookworm-backports")

# What packages depend on for the sake of their maintainer scripts, which are not run here, and a
# compiler of 110 MB that PostgreSQL can do without.
UNWANTED = (
    "init-system-helpers iproute2 libllvm14 locales lsb-base openssl postgresql-client-common "
    "postgresql-common sensible-utils ssl-cert ucf"
).split()


class Package(NamedTuple):
    name: str
    version: str

    def stanza(self):
        """The package as installed, in the words of dpkg's status file."""
        return (
            f"Package: {self.name}\nStatus: install ok installed\nVersion: {self.version}\n"
            f"Architecture: amd64\nMulti-Arch: foreign\nMaintainer: nobody\nDescription: none\n\n"
        )


class Archive:
    """An index of packages, those that every image has, and a folder for those that were downloaded."""

    def __init__(self, mirror, work, base):
        self.work = Path(work)
        for folder in ("lists/partial", "cache/archives/partial", "packages"):
            (self.work / folder).mkdir(parents=True)
        sources = "".join(f"deb {mirror} {suite} main\n" for suite in SUITES)
        (self.work / "sources.list").write_text(sources)
        status = self.work / "status"
        status.touch()
        self._apt("update")
        self.base = self.resolve(*base)
        present = [*self.base, *(Package(name, "9999") for name in UNWANTED)]
        status.write_text("".join(package.stanza() for package in present))

    @cache
    def resolve(self, *wanted):
        """What `wanted` takes beside the base."""
        said = self._apt("--simulate", "install", *wanted)
        # Inst libc6 [installed version] (2.36-9+deb12u10 Debian:12.11/stable [amd64])
        return [Package(*found) for found in re.findall(r"^Inst (\S+) \((\S+) ", said, re.MULTILINE)]

    def download(self, packages):
        """The packages' files, in the order of their names."""
        folder = self.work / "packages"
        files = {package: self._file(package) for package in packages}
        lacking = [f"{package.name}={package.version}" for package in packages if not files[package]]
        if lacking:
            self._apt("download", *lacking, cwd=folder)
        return [files[package] or self._file(package) for package in sorted(packages)]

    def _file(self, package):
        version = package.version.replace(":", "%3a")
        return next((self.work / "packages").glob(f"{package.name}_{version}_*.deb"), None)

    def _apt(self, *args, cwd=None):
        work = self.work.absolute()
        options = {
            "APT::Architecture": "amd64",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "Dir::Cache": work / "cache",
            "Dir::Etc::sourcelist": work / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": work / "lists",
            "Dir::State::status": work / "status",
        }
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        command = ["apt-get", "-qq", *flags, *args]
        return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout
