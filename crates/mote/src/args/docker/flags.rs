//! The flags of docker that mote does not have.

/// Flags of docker's commands, and the way there is.
pub(super) struct Row {
    /// The commands that docker has them for; empty: before any command.
    pub commands: &'static [&'static str],
    pub flags: &'static [&'static str],
    pub hint: &'static str,
}

const fn run(flags: &'static [&'static str], hint: &'static str) -> Row {
    Row { commands: &["run"], flags, hint }
}

const OWN_KERNEL: &str =
    "the guest has a kernel of its own, and its root may do whatever that kernel can";
const ALL_IT_HAS: &str = "a guest has what --memory and --cpus give it";

pub(super) const FLAGS: &[Row] = &[
    run(&["-d", "--detach"], "a run stays in the foreground: a shell has `&` for the background"),
    run(
        &["--name", "-l", "--label", "--label-file", "--annotation", "--restart", "--cidfile"],
        "a run is known by its process, and ends with it",
    ),
    run(
        &["-v", "--volume", "--mount", "--volumes-from", "--volume-driver"],
        "files get into a guest with its image: `mote image build --overlay`, or `mote run dir:DIR`",
    ),
    run(&["-P", "--publish-all", "--expose"], "publish each port by itself: -p HOST:GUEST"),
    run(
        &[
            "--privileged",
            "--cap-add",
            "--cap-drop",
            "--security-opt",
            "--ipc",
            "--pid",
            "--uts",
            "--userns",
            "--cgroupns",
            "--cgroup-parent",
            "--runtime",
            "--isolation",
            "--group-add",
        ],
        OWN_KERNEL,
    ),
    run(
        &["--device", "--device-cgroup-rule", "--gpus", "--use-api-socket"],
        "no device of the host is passed to a guest: it has a disk, a network and a console",
    ),
    run(
        &[
            "--memory-swap",
            "--memory-swappiness",
            "--memory-reservation",
            "--kernel-memory",
            "--pids-limit",
            "--shm-size",
            "--ulimit",
            "-c",
            "--cpu-shares",
            "--cpu-count",
            "--cpu-percent",
            "--cpu-period",
            "--cpu-quota",
            "--cpu-rt-period",
            "--cpu-rt-runtime",
            "--cpuset-cpus",
            "--cpuset-mems",
            "--oom-kill-disable",
            "--oom-score-adj",
            "--blkio-weight",
            "--blkio-weight-device",
            "--device-read-bps",
            "--device-read-iops",
            "--device-write-bps",
            "--device-write-iops",
            "--io-maxbandwidth",
            "--io-maxiops",
        ],
        ALL_IT_HAS,
    ),
    run(
        &["--storage-opt"],
        "what a guest writes is in its memory: --memory; or on a disk with some room: --rootfs ext4",
    ),
    run(&["--sysctl"], "the guest's root writes to /proc/sys; words for the kernel go to --append"),
    run(&["--dns", "--dns-search", "--dns-option"], "names are looked up as the host does it"),
    run(&["--domainname"], "give the whole name: --hostname NAME.DOMAIN"),
    run(
        &["--ip", "--ip6", "--link-local-ip", "--mac-address", "--network-alias", "--link"],
        "each guest is alone in a network of its own: --add-host gives it further names, -p publishes its ports",
    ),
    run(&["--platform"], "a guest has the processor of the host: only images for that one run"),
    run(
        &["-a", "--attach", "--sig-proxy", "--detach-keys"],
        "a run has all its streams and signals; without -i, the command reads nothing",
    ),
    run(
        &["--log-driver", "--log-opt"],
        "what the command prints is what mote prints: redirect it, or pipe it to a logger",
    ),
    run(
        &["--stop-signal", "--stop-timeout"],
        "the command gets the signal that mote gets; SIGTERM ends the machine after ten seconds",
    ),
    run(
        &[
            "--no-healthcheck",
            "--health-cmd",
            "--health-interval",
            "--health-retries",
            "--health-start-interval",
            "--health-start-period",
            "--health-timeout",
        ],
        "an image's health check is not run: ask its published port",
    ),
    Row {
        commands: &["run", "pull", "image pull"],
        flags: &["--disable-content-trust"],
        hint: "every blob is verified by its digest; pin an image by NAME@sha256:DIGITS",
    },
    Row {
        commands: &["pull", "image pull"],
        flags: &["-a", "--all-tags"],
        hint: "pull each tag by its name: mote pull NAME:TAG",
    },
    Row {
        commands: &["rmi", "image rm"],
        flags: &["--no-prune", "--platform"],
        hint: "a name goes with all that nothing else needs: leave it out",
    },
    Row {
        commands: &["images", "image ls"],
        flags: &["-f", "--filter"],
        hint: "choose from the JSON: mote images --format json | jq",
    },
    Row {
        commands: &["images", "image ls"],
        flags: &["--tree"],
        hint: "`mote image inspect NAME` shows what an image consists of",
    },
    Row {
        commands: &["prune", "image prune"],
        flags: &["--filter"],
        hint: "what is old is chosen by --older-than, such as --older-than 24h",
    },
    Row {
        commands: &["prune", "image prune"],
        flags: &["-a", "--all"],
        hint: "`mote prune --older-than 0s` removes all that was pulled, too",
    },
    Row { commands: &["prune"], flags: &["--volumes"], hint: "there are no volumes: leave it out" },
    Row {
        commands: &["version", "info", "inspect", "image inspect"],
        flags: &["-f"],
        hint: "write --format json, and take from it what you need, with jq for example",
    },
    Row {
        commands: &["inspect", "image inspect"],
        flags: &["-s", "--size", "--type"],
        hint: "images are all that can be inspected, and their sizes are always shown: leave it out",
    },
    Row {
        commands: &["inspect", "image inspect"],
        flags: &["--platform"],
        hint: "what is shown is what this host would run: leave it out",
    },
    Row { commands: &[""], flags: &["-v"], hint: "it is `mote version`, or `mote -V`" },
    Row {
        commands: &[""],
        flags: &["-c", "--context", "-H", "--host", "--tls", "--tlscacert", "--tlsverify"],
        hint: "there is no daemon to be chosen: mote runs machines on this host",
    },
    Row {
        commands: &[""],
        flags: &["--config"],
        hint: "the credentials of docker are read from the folder that DOCKER_CONFIG names",
    },
    Row {
        commands: &[""],
        flags: &["-D", "--debug", "-l", "--log-level"],
        hint: "`mote run --verbose` shows the guest's console, --timings where the time went",
    },
];
