"""An image of all that is odd in layers, with a program that checks it from inside."""

import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from layer import entry, padded
from layout import Image
from workshop import FILES

LATIN = "odd/latin-\udce9"  # one byte, 0xe9
LONG = "odd/" + "/".join(letter * 200 for letter in "abc")
# The first byte of the permitted capabilities is a line feed.
CAPABILITY = bytes.fromhex("00000002 0a000000 00000000 00000000 00000000")
ALL_BYTES = bytes(range(256))
SPARSE_BYTES = 16 << 20
SPARSE_DATA = {at << 16: f"stretch {at}\n".encode() for at in (0, 3, 7, 20, 50, 90, 91, 150, 200)}


def odd(shop):
    layers = [shop.base, shop.install("attr", "libcap2-bin"), below(shop), above(shop), top(shop)]
    return Image(layers, Env=["PATH=/usr/sbin:/usr/bin"], Cmd=["/check"])


def below(shop):
    """What the layers above change, and what is odd by itself."""
    layer = shop.layer()
    layer.directory("odd")
    for name in ("hidden", "file-to-directory", "again", "replaced", "twice"):
        layer.add(f"odd/{name}", f"below {name}\n")
    for folder in ("hidden-directory", "opaque", "directory-to-file", "kept", "directory-to-link"):
        layer.directory(f"odd/{folder}")
        layer.add(f"odd/{folder}/old", "old\n")
    layer.directory("odd/opaque/folder")
    layer.add("odd/opaque/folder/old", "old\n")
    layer.symlink("odd/link-to-file", "kept")
    layer.add("odd/one", "one content\n", mode=0o640)
    layer.hard_link("odd/two", "odd/one")
    layer.add("odd/twice", "the last one counts\n")
    layer.add("odd/not/in/the/archive", "directories come about\n")
    layer.symlink("odd/into-kept", "kept")
    modes(layer)
    names(layer)
    attributes(layer)
    layer.raw(sparse("odd/sparse"))
    return layer.finish()


def modes(layer):
    """Special files, special modes, large owners, links that lead nowhere."""
    layer.member(entry("odd/null", tarfile.CHRTYPE, 0o666, devmajor=1, devminor=3))
    layer.member(entry("odd/block", tarfile.BLKTYPE, 0o660, devmajor=259, devminor=70000))
    layer.member(entry("odd/fifo", tarfile.FIFOTYPE, 0o600))
    layer.add("odd/setuid", "", mode=0o4755)
    layer.directory("odd/setgid", mode=0o2775, gid=50)
    layer.directory("odd/sticky", mode=0o1777)
    layer.add("odd/nothing", "", mode=0o000)
    layer.add("odd/owned", "", uid=12345, gid=54321)
    # The second has no room in octal digits: a PAX record, and a binary number.
    layer.add("odd/owned-pax", "", uid=3000000, gid=4000000)
    layer.member(entry("odd/owned-gnu", uid=3000000, gid=4000000), form=tarfile.GNU_FORMAT)
    layer.raw(member({"mtime": b"1600000000.987654321"}, "odd/time"))
    layer.symlink("odd/loop-a", "loop-b")
    layer.symlink("odd/loop-b", "loop-a")
    layer.symlink("odd/self", "self")
    layer.symlink("odd/dangling", "/nowhere/at/all")
    layer.symlink("odd/climbing", "../../../../../etc/passwd")


def names(layer):
    """Names that need more than a ustar header, in both ways to give them more."""
    layer.raw(member({"path": LATIN.encode(errors="surrogateescape")}, "odd/latin", b"pax\n"))
    layer.member(entry(f"{LATIN}-gnu"), form=tarfile.GNU_FORMAT)
    layer.add("odd/line\nfeed", "two lines\n")
    layer.add("odd/" + "n" * 255, "255 bytes\n")
    layer.add(f"{LONG}/pax", "long\n")
    data = b"long\n"
    info = entry(f"{LONG}/gnu", size=len(data))
    layer.member(info, io.BytesIO(data), form=tarfile.GNU_FORMAT)
    layer.symlink("odd/long-target-pax", f"/{LONG}/pax")
    info = entry("odd/long-target-gnu", tarfile.SYMTYPE, 0o777, linkname=f"/{LONG}/gnu")
    layer.member(info, form=tarfile.GNU_FORMAT)


def attributes(layer):
    """Extended attributes, as Go's archive/tar writes them."""
    prefix = "SCHILY.xattr."
    layer.raw(member({f"{prefix}security.capability": CAPABILITY}, "odd/capable", b"#!/bin/sh\n", 0o755))
    binary = {f"{prefix}user.binary": ALL_BYTES}
    layer.raw(member(binary, "odd/attributes", b"attributes\n"))


def above(shop):
    """Whiteouts and replacements."""
    layer = shop.layer()
    layer.directory("odd")
    for name in ("hidden", "hidden-directory", "never-was", "again"):
        layer.add(f"odd/.wh.{name}", "")
    # In the same layer a whiteout hides nothing, whichever comes first; nor does an opaque one.
    layer.add("odd/again", "again\n")
    layer.add("odd/shown", "shown\n")
    layer.add("odd/.wh.shown", "")
    layer.directory("odd/opaque", mode=0o700)
    layer.add("odd/opaque/new", "new\n")
    layer.add("odd/opaque/.wh..wh..opq", "")
    layer.directory("odd/file-to-directory")
    layer.add("odd/file-to-directory/new", "new\n")
    layer.add("odd/directory-to-file", "a file now\n")
    layer.symlink("odd/directory-to-link", "kept")
    layer.add("odd/link-to-file", "a file now\n")
    layer.add("odd/replaced", "replaced\n", mode=0o600)
    layer.directory("odd/kept", mode=0o711)
    # To a file of the layer below, whose content and mode it shares.
    layer.hard_link("odd/three", "odd/two")
    # Written through links that stay inside: /lib is one in the base.
    layer.add("lib/written-through", "through /lib\n")
    layer.add("odd/into-kept/written-through", "through a link\n")
    return layer.finish()


def top(shop):
    """One name of three is replaced, what was hidden is there again, and the check."""
    layer = shop.layer()
    layer.add("odd/two", "another content\n")
    layer.add("odd/hidden", "hidden once\n")
    check = (FILES / "check-odd.sh").read_text().replace("@SPARSE_DIGEST@", sparse_digest())
    layer.add("check", check, 0o755)
    return layer.finish()


def member(records, name, data=b"", mode=0o644):
    """A file with PAX records as bytes, such as no library writes them."""
    body = b"".join(record(key.encode(), value) for key, value in records.items())
    header = entry(f"PaxHeaders/{Path(name).name}", tarfile.XHDTYPE, size=len(body))
    info = entry(name, mode=mode, size=len(data))
    blocks = (header.tobuf(tarfile.USTAR_FORMAT), padded(body), info.tobuf(tarfile.USTAR_FORMAT), padded(data))
    return b"".join(blocks)


def record(key, value):
    """`LENGTH KEY=VALUE\\n`, where the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def sparse(name):
    """A sparse file as GNU tar writes it, in the form that container engines take: PAX, version 1.0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir()
        with path.open("wb") as file:
            file.truncate(SPARSE_BYTES)
            for at, data in SPARSE_DATA.items():
                file.seek(at)
                file.write(data)
        fixed = ["--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=644"]
        fixed.append("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")
        command = ["tar", "c", "-b1", "--format=posix", "--sparse", *fixed, name]
        archive = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout
    # Without the two blocks that end an archive.
    return archive[: -2 * tarfile.BLOCKSIZE]


def sparse_digest():
    content = bytearray(SPARSE_BYTES)
    for at, data in SPARSE_DATA.items():
        content[at : at + len(data)] = data
    return hashlib.sha256(content).hexdigest()
