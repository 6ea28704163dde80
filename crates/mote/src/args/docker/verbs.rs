//! The commands of docker that mote does not have.

const FOREGROUND: &str =
    "each `mote run` is a process of its own in the foreground: `pgrep -af 'mote run'` lists them";
const ONE_COMMAND: &str =
    "a machine runs one command: give it a shell, `mote run -it IMAGE sh`, and work in there";
const SIGNALS: &str = "a machine ends with its `mote run`: press Ctrl-C, or `kill PID` of that process; \
    the command gets the signal";
const RUN_AGAIN: &str = "a machine lives as long as its `mote run`, and is not kept: run it again";
const FILES_OUT: &str = "what a guest has written is gone with it: have it print what is to stay, \
    `mote run IMAGE tar -c DIR >files.tar`; files get in with `mote image build --overlay`";
const DOCKERFILES: &str = "mote reads no Dockerfiles: build with docker, podman or buildah, and run what they save, \
    `mote run docker-archive:FILE`; `mote image build` makes a disk of any source";
const LOADED: &str = "nothing has to be loaded: `mote run docker-archive:FILE` runs what docker save wrote, \
    oci-archive:FILE an OCI archive, tar:FILE a root file system";
const ONE_HOST: &str = "mote runs single machines on this host: start each with `mote run`";
const NETWORKS: &str = "each machine has a network of its own: -p publishes its ports on the host, \
    --network none leaves it out; machines share none";
const VOLUMES: &str = "there are no volumes: files get into a guest with its image, `mote image build --overlay`, or `mote run dir:DIR`";
const NO_DAEMON: &str = "there is no daemon: `mote run` starts the machine itself, on this host";

/// One row for commands that have the same answer.
pub(super) const VERBS: &[(&[&str], &str)] = &[
    (&["ps", "container ls", "container list", "container ps", "container", "ls"], FOREGROUND),
    (&["exec", "attach"], ONE_COMMAND),
    (
        &["logs"],
        "what the command prints is what `mote run` prints: redirect it, `mote run IMAGE >log 2>&1`",
    ),
    (
        &["wait"],
        "`mote run` ends with its command and has its exit code; of one behind `&`, `wait PID` of the shell gives it",
    ),
    (&["stop", "kill"], SIGNALS),
    (
        &["rm", "container prune"],
        "nothing is left of a machine when its `mote run` ends; `mote prune` removes the logs of those that failed",
    ),
    (&["start", "restart", "create"], RUN_AGAIN),
    (
        &["pause", "unpause"],
        "stop the machine's QEMU with `kill -STOP PID`, and let it go on with `kill -CONT PID`",
    ),
    (&["rename", "update"], RUN_AGAIN),
    (&["cp", "export", "commit", "diff", "checkpoint"], FILES_OUT),
    (
        &["stats", "top"],
        "each machine is one QEMU process: `top -p $(pgrep -d, qemu-system)` shows what they take",
    ),
    (
        &["port"],
        "`mote run -p` says on standard error which port it has chosen; with -p HOST:GUEST it is HOST",
    ),
    (
        &["events", "system events"],
        "`mote run` reports what it does on standard error; --timings says where the time went",
    ),
    (&["build", "buildx", "builder"], DOCKERFILES),
    (
        &["builder prune", "buildx prune", "system prune"],
        "it is `mote prune` here; with --older-than 0s it takes pulled images too",
    ),
    (
        &["system df"],
        "`mote info` says how much each part of the cache takes, `mote prune --dry-run` what would go",
    ),
    (&["system info"], "it is `mote info` here"),
    (&["system"], "there are `mote info` and `mote prune`"),
    (
        &["push", "manifest"],
        "mote pulls images and does not push them: `skopeo copy oci:DIR docker://NAME` does",
    ),
    (
        &["tag"],
        "an image has the name that it was pulled by: `skopeo copy docker://NAME docker://OTHER` gives it another one",
    ),
    (
        &["save"],
        "what was pulled stays in the cache, without a network too; `skopeo copy docker://NAME docker-archive:FILE` makes a file of it",
    ),
    (&["load", "import"], LOADED),
    (&["history"], "`mote image inspect NAME` lists the layers"),
    (
        &["login", "logout"],
        "mote reads the credentials that `docker login`, `podman login` and `skopeo login` have stored",
    ),
    (
        &["search"],
        "registries are searched on their web pages; `skopeo list-tags docker://NAME` lists the tags of an image",
    ),
    (&["network"], NETWORKS),
    (&["volume"], VOLUMES),
    (&["compose", "stack", "service", "swarm", "node", "secret"], ONE_HOST),
    (
        &["config"],
        "the settings of a run stand in a recipe: `mote recipe busybox >mote.toml` is one to begin with",
    ),
    (&["context"], NO_DAEMON),
    (&["plugin"], "mote has no plugins: what it can do is in `mote --help`"),
    (&["trust"], "an image is pinned by its digest: `mote run NAME@sha256:DIGITS`"),
];
