"""The images, a function each. Those of servers and interpreters follow the official images."""

import subprocess
import tempfile
from pathlib import Path

from layer import Zstd
from layout import Image, Platforms
from odd import odd
from workshop import FILES

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debian(shop):
    return Image([shop.base], Env=[PATH], Cmd=["bash"])


def busybox(shop, architecture="amd64"):
    """One program and its names."""
    program = shop.unpacked("busybox-static", "./bin/busybox")
    layer = shop.layer()
    for name, mode in [("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)]:
        layer.directory(name, mode)
    layer.add("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n")
    layer.add("etc/group", "root:x:0:\nnobody:x:65534:\n")
    layer.add("bin/busybox", program, 0o755)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "busybox"
        file.write_bytes(program)
        file.chmod(0o755)
        names = subprocess.run([file, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    for name in names.stdout.split():
        if name != "busybox":
            layer.hard_link(f"bin/{name}", "bin/busybox")
    return Image([layer.finish()], architecture, Env=[PATH], Cmd=["sh"])


def platforms(shop):
    """For two platforms, of which the second is in name only."""
    return Platforms([busybox(shop, "arm64"), busybox(shop)])


def foreign(shop):
    """For another platform only."""
    return Platforms([busybox(shop, "arm64")])


def valkey(shop):
    return valkey_over(shop, shop.base)


def valkey_whole(shop):
    """Over all that Debian's packages hold, for the benchmark."""
    return valkey_over(shop, shop.whole_base)


def valkey_over(shop, base):
    layers = [
        base,
        shop.user("valkey", 999, "/data"),
        shop.install("valkey-server"),
        shop.files(("usr/local/bin/docker-entrypoint.sh", "valkey-entrypoint.sh", 0o755)),
    ]
    return Image(
        layers,
        Env=[PATH, "VALKEY_EXTRA_FLAGS=--protected-mode no"],
        ExposedPorts={"6379/tcp": {}},
        Volumes={"/data": {}},
        WorkingDir="/data",
        Entrypoint=["docker-entrypoint.sh"],
        Cmd=["valkey-server"],
    )


def nginx_layers(shop, logs):
    """nginx with a configuration for one site, and its logs as links, if anywhere."""
    configuration = shop.layer()
    configuration.add("etc/nginx/conf.d/default.conf", (FILES / "nginx.conf").read_bytes())
    for name, target in logs.items():
        configuration.symlink(f"var/log/nginx/{name}", target)
    return [shop.base, shop.install("nginx"), configuration.finish()]


def nginx(shop):
    logs = {"access.log": "/dev/stdout", "error.log": "/dev/stderr"}
    return Image(
        nginx_layers(shop, logs),
        Env=[PATH],
        ExposedPorts={"80/tcp": {}},
        Cmd=["nginx", "-g", "daemon off;"],
        StopSignal="SIGQUIT",
    )


def daemons(shop):
    """A script that starts daemons, and a program that stays."""
    layers = [
        *nginx_layers(shop, {}),
        shop.install("cron"),
        shop.files(("entrypoint.sh", "daemons-entrypoint.sh", 0o755)),
    ]
    return Image(layers, Env=[PATH], ExposedPorts={"80/tcp": {}}, Entrypoint=["/entrypoint.sh"])


def postgres(shop):
    programs = "usr/lib/postgresql/15"
    layers = [
        shop.base,
        shop.user("postgres", 999, "/var/lib/postgresql"),
        # The just-in-time compiler is not there.
        shop.install("postgresql-15", "gosu", leave_out=(f"{programs}/lib/bitcode", f"{programs}/lib/llvmjit")),
        shop.files(("usr/local/bin/docker-entrypoint.sh", "postgres-entrypoint.sh", 0o755)),
    ]
    return Image(
        layers,
        Env=[f"{PATH}:/{programs}/bin", "LANG=C.UTF-8", "PGDATA=/var/lib/postgresql/data"],
        ExposedPorts={"5432/tcp": {}},
        Volumes={"/var/lib/postgresql/data": {}},
        Entrypoint=["docker-entrypoint.sh"],
        Cmd=["postgres"],
        StopSignal="SIGINT",
    )


def python(shop):
    """Its layers are compressed with zstd."""
    layers = [
        shop.base,
        shop.install("python3", compression=Zstd),
        shop.user("app", 1000, "/home/app"),
        shop.files(("app/app.py", "app.py", 0o644), compression=Zstd),
    ]
    return Image(
        layers,
        Env=[PATH, "LANG=C.UTF-8", "PYTHONUNBUFFERED=1", "GREETING=Grüß Gott = 'hello'"],
        ExposedPorts={"8000/tcp": {}},
        WorkingDir="/app",
        User="app",
        Cmd=["python3", "app.py"],
    )


def node(shop):
    layers = [
        shop.base,
        shop.user("node", 1000, "/home/node"),
        shop.install("nodejs"),
        shop.files(
            ("usr/local/bin/docker-entrypoint.sh", "node-entrypoint.sh", 0o755),
            ("srv/server.js", "server.js", 0o644),
        ),
    ]
    return Image(
        layers,
        Env=[PATH],
        ExposedPorts={"3000/tcp": {}},
        WorkingDir="/srv",
        User="1000:1000",
        Entrypoint=["docker-entrypoint.sh"],
        Cmd=["server.js"],
    )


def static(shop):
    """One program, linked statically, and nothing else."""
    layer = shop.layer()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "server"
        compile = ["gcc", "-static", "-Os", "-s", "-Wl,--build-id=none", "-o", program, FILES / "static.c"]
        subprocess.run(compile, check=True)
        layer.add("server", program.read_bytes(), 0o755)
    return Image(
        [layer.finish()],
        ExposedPorts={"8080/tcp": {}},
        User="65532:65532",
        Entrypoint=["/server"],
        Cmd=["hello from a static program"],
    )


def large(shop):
    """Compilers and their libraries, for the benchmark: more than 1 GB."""
    first = ("gcc", "g++", "make")
    second = ("golang", "libboost1.81-dev")
    layers = [
        shop.base,
        shop.install(*first),
        shop.install(*second, below=first),
        shop.install("clang", "linux-headers-amd64", "python3-sympy", below=first + second),
    ]
    return Image(layers, Env=[PATH], Cmd=["bash"])


# What the tests take; the others are for the benchmark.
TESTED = [busybox, daemons, debian, foreign, nginx, node, odd, platforms, postgres, python, static, valkey]
ALL = {image.__name__: image for image in [*TESTED, large, valkey_whole]}
