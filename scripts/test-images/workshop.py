"""Layers from packages and files."""

import subprocess
import tarfile
from functools import cache, cached_property
from pathlib import Path

from debian import Archive
from layer import MERGED, SLIM, Gzip, Layer

FILES = Path(__file__).parent / "files"

# Debian's smallest system, without the Perl that moves an older one's files to /usr.
BASE = ("?essential", "usr-is-merged")

NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"


class Workshop:
    """Makes layers in a folder."""

    def __init__(self, mirror, folder):
        self.folder = folder
        self.archive = Archive(mirror, folder / "apt", BASE)

    def layer(self, compression=Gzip):
        return Layer(self.folder, compression)

    @cached_property
    def base(self):
        """A layer with what Debian's slim image consists of."""
        return self._base(SLIM)

    @cached_property
    def whole_base(self):
        """The same with documents and translations: all that its packages hold."""
        return self._base(())

    def _base(self, leave_out):
        layer = self.layer()
        layer.directory("usr")
        for name in MERGED:
            layer.directory(f"usr/{name}")
            layer.symlink(name, f"usr/{name}")
        layer.packages(self.archive.download(self.archive.base), leave_out)
        # What maintainer scripts would do.
        layer.symlink("usr/bin/awk", "mawk")
        layer.symlink("var/run", "/run")
        layer.symlink("var/lock", "/run/lock")
        layer.add("etc/nsswitch.conf", NSSWITCH)
        for name, text in self.accounts.items():
            layer.add(f"etc/{name}", text)
        return layer.finish()

    @cached_property
    def accounts(self):
        """/etc/passwd and /etc/group as Debian has them."""
        files = self.archive.download(self.archive.base)
        package = next(file for file in files if file.name.startswith("base-passwd_"))
        return {
            name: packaged(package, f"./usr/share/base-passwd/{name}.master").decode()
            for name in ("passwd", "group")
        }

    @cache
    def user(self, name, number, home):
        """A layer with one user more, and an empty home."""
        layer = self.layer()
        user = f"{name}:x:{number}:{number}::{home}:/bin/bash\n"
        layer.add("etc/passwd", self.accounts["passwd"] + user)
        layer.add("etc/group", self.accounts["group"] + f"{name}:x:{number}:\n")
        layer.directory(home.lstrip("/"), uid=number, gid=number)
        return layer.finish()

    @cache
    def install(self, *wanted, below=(), leave_out=(), compression=Gzip):
        """A layer with what these packages take beside the base and those that lie `below`."""
        there = self.archive.resolve(*below) if below else []
        packages = [package for package in self.archive.resolve(*wanted) if package not in there]
        layer = self.layer(compression)
        layer.packages(self.archive.download(packages), SLIM + leave_out)
        return layer.finish()

    @cache
    def files(self, *names_and_modes, compression=Gzip):
        """A layer with some of our own files, each given as path in the image, name here, and mode."""
        layer = self.layer(compression)
        for path, name, mode in names_and_modes:
            layer.add(path, (FILES / name).read_bytes(), mode)
        return layer.finish()

    def unpacked(self, package, name):
        """The content of one file of a package."""
        return packaged(*self.archive.download(self.archive.resolve(package)), name)


def packaged(file, name):
    """The content of one file in a package's file."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
            content = next(archive.extractfile(info).read() for info in archive if info.name == name)
        unpack.stdout.read()
    return content
