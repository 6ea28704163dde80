"""One layer: tar, digested and compressed while it is written."""

import hashlib
import io
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

# All that is not from a package is of this time.
TIME = 1767225600

# bookworm's packages still put files into these, which are links today.
MERGED = ("bin", "lib", "lib64", "sbin")

# Debian's slim images lack the same.
SLIM = ("usr/share/doc/", "usr/share/info/", "usr/share/locale/", "usr/share/man/", "usr/share/lintian/")


class Blob(NamedTuple):
    """A finished layer."""

    path: Path
    media_type: str
    digest: str
    diff_id: str

    @property
    def descriptor(self):
        size = self.path.stat().st_size
        return {"mediaType": self.media_type, "digest": f"sha256:{self.digest}", "size": size}


class Gzip:
    suffix = "gzip"

    def __init__(self, out):
        # 31: a gzip header without a time.
        self.out, self.deflate = out, zlib.compressobj(6, zlib.DEFLATED, 31)

    def write(self, data):
        self.out.write(self.deflate.compress(data))

    def close(self):
        self.out.write(self.deflate.flush())


class Zstd:
    suffix = "zstd"

    def __init__(self, out):
        self.zstd = subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out)

    def write(self, data):
        self.zstd.stdin.write(data)

    def close(self):
        self.zstd.stdin.close()
        if self.zstd.wait() != 0:
            raise OSError("zstd failed")


class Layer:
    """A layer that is being written. Directories are written once, everything else as often as it
    is added."""

    def __init__(self, folder, compression=Gzip):
        self.file = tempfile.NamedTemporaryFile(dir=folder, delete=False)
        self.path = Path(self.file.name)
        self.compression = compression
        self.compressor = compression(self.file)
        self.plain = hashlib.sha256()
        self.directories = set()

    def raw(self, data):
        """Writes bytes of a tar archive as they are, in whole blocks."""
        assert len(data) % tarfile.BLOCKSIZE == 0
        self.plain.update(data)
        self.compressor.write(data)

    def member(self, info, content=None, form=tarfile.PAX_FORMAT):
        """Writes a member; `content` is a file with `info.size` bytes."""
        if info.isdir():
            if info.name in self.directories:
                return
            self.directories.add(info.name)
        self.raw(info.tobuf(form, "utf-8", "surrogateescape"))
        left = info.size if info.isreg() else 0
        while left:
            data = content.read(min(left, 1 << 20))
            if not data:
                raise OSError(f"{info.name} ends early")
            left -= len(data)
            self.raw(data if left else padded(data))

    def directory(self, name, mode=0o755, **attributes):
        self.member(entry(name, tarfile.DIRTYPE, mode, **attributes))

    def add(self, name, data, mode=0o644, **attributes):
        data = data.encode() if isinstance(data, str) else data
        self.member(entry(name, mode=mode, size=len(data), **attributes), io.BytesIO(data))

    def symlink(self, name, target):
        self.member(entry(name, tarfile.SYMTYPE, 0o777, linkname=target))

    def hard_link(self, name, target):
        self.member(entry(name, tarfile.LNKTYPE, linkname=target))

    def packages(self, files, leave_out=SLIM):
        """Adds what the packages hold, without what begins as `leave_out` says."""
        for file in files:
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as unpack:
                with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
                    for info in archive:
                        self._packaged(archive, info, leave_out)
            if unpack.returncode != 0:
                raise OSError(f"{file} cannot be unpacked")

    def _packaged(self, archive, info, leave_out):
        info.name = merged(info.name.removeprefix("./").removeprefix("."))
        if info.islnk():
            info.linkname = merged(info.linkname.removeprefix("./"))
        if info.name and not info.name.startswith(leave_out):
            self.member(info, archive.extractfile(info) if info.isreg() else None)

    def finish(self):
        """Ends the archive and gives the layer its name."""
        self.raw(bytes(2 * tarfile.BLOCKSIZE))
        self.compressor.close()
        self.file.close()
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        media_type = f"application/vnd.oci.image.layer.v1.tar+{self.compression.suffix}"
        path = self.path.rename(self.path.with_name(digest))
        return Blob(path, media_type, digest, self.plain.hexdigest())


def entry(name, kind=tarfile.REGTYPE, mode=0o644, **attributes):
    """A member of root's; the attributes are those of TarInfo."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, TIME
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def padded(data):
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def merged(name):
    first, slash, _ = name.partition("/")
    if first not in MERGED:
        return name
    return f"usr/{name}" if slash else ""
