//! From what a run is to be to the configuration that init reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use mote_contract::{
    CONFIG_VERSION, EntropySeed, HostEntry, Io, Network as GuestNetwork, Root, RunConfig, Session,
    TerminalSize, Tmpfs,
};
use mote_manifest::{Addressing, HostName, Login, Network, Recipe, RunSettings};
use mote_oci::ImageConfig;
use mote_vmm::UserNetwork;

use crate::EngineError;
use crate::contents::Contents;

/// Where programs are looked for in a guest that says nothing about it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The host name of a guest that brings none of its own.
const HOSTNAME: &str = "mote";

/// What runs in the guest, and the name that the guest has.
pub(super) struct Guest {
    hostname: Option<String>,
    session: Session,
}

impl Guest {
    /// What the program says, with the user's settings laid over it.
    pub(super) fn of(
        contents: &Contents,
        run: &RunSettings,
        terminal: Option<TerminalSize>,
    ) -> Result<Self, EngineError> {
        // A recipe's system has a name of its own.
        let usual = contents.recipe().is_none().then(|| HOSTNAME.to_owned());
        let hostname = run.hostname.clone().or(usual);
        let session = session(contents, run, terminal, hostname.as_deref())?;
        Ok(Self { hostname, session })
    }
}

/// What init is to do. Clock and entropy are of this moment: a machine that is started by hand, who
/// knows when, has the clock of its devices and draws its own entropy.
pub(super) fn render(
    guest: &Guest,
    run: &RunSettings,
    root: Root,
    io: Io,
) -> Result<RunConfig, EngineError> {
    let (clock_unix_ns, entropy_seed) = match io {
        Io::Channel => (clock_unix_ns(), Some(entropy_seed().map_err(EngineError::Entropy)?)),
        Io::Console => (None, None),
    };
    let mut session = guest.session.clone();
    if io == Io::Console {
        // By hand, the session is on the machine's console, which is a terminal already.
        session.terminal = None;
    }
    Ok(RunConfig {
        version: CONFIG_VERSION,
        hostname: guest.hostname.clone(),
        clock_unix_ns,
        entropy_seed,
        network: network(run.network.unwrap_or_default()),
        hosts: run.add_host.iter().map(host_entry).collect(),
        root,
        tmpfs: run.tmpfs.iter().map(tmpfs).collect(),
        system: run.init.clone(),
        session,
        io,
    })
}

fn session(
    contents: &Contents,
    run: &RunSettings,
    terminal: Option<TerminalSize>,
    hostname: Option<&str>,
) -> Result<Session, EngineError> {
    let usual = match (contents.recipe(), contents.config()) {
        (Some(recipe), _) => Usual::of_recipe(recipe, run, terminal),
        (None, Some(config)) => Usual::of_image(config, run),
        (None, None) => {
            Usual { entrypoint: run.entrypoint.clone().unwrap_or_default(), ..Usual::default() }
        }
    };
    let command = if run.command.is_empty() { usual.command } else { run.command.clone() };
    let argv: Vec<_> = usual.entrypoint.into_iter().chain(command).collect();
    if argv.is_empty() {
        return Err(EngineError::NoCommand { name: contents.name.clone() });
    }
    // As docker has it; most terminals that people sit at are of xterm's kin.
    let of_ours =
        [("PATH", Some(PATH)), ("HOSTNAME", hostname), ("TERM", terminal.map(|_| "xterm"))];
    let of_ours = of_ours.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    let usual_env = usual.env.into_iter().map(|(name, value)| (name, Some(value)));
    let mut env = BTreeMap::from(of_ours);
    env.extend(usual_env.chain(run.env.clone()));
    let env = env.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Ok(Session {
        argv,
        env: env.collect(),
        cwd: run.workdir.clone().or(usual.workdir).unwrap_or_else(|| "/".to_owned()),
        user: run.user.clone().or(usual.user),
        terminal,
    })
}

/// A login shell that greets its user first, as login(1) does.
const GREETING_SHELL: &str = "[ -s /etc/motd ] && cat /etc/motd; exec /bin/sh -l";

/// What holds where the user says nothing else.
#[derive(Default)]
struct Usual {
    entrypoint: Vec<String>,
    command: Vec<String>,
    env: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
}

impl Usual {
    /// As docker has it: another entry point makes the image's command meaningless.
    fn of_image(config: &ImageConfig, run: &RunSettings) -> Self {
        let (entrypoint, command) = match &run.entrypoint {
            Some(entrypoint) => (entrypoint.clone(), Vec::new()),
            None => (config.entrypoint.clone(), config.cmd.clone()),
        };
        let variable = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        Self {
            entrypoint,
            command,
            env: config.env.iter().map(variable).collect(),
            workdir: config.working_dir.clone(),
            user: config.user.clone(),
        }
    }

    /// Root's, and what the console of the system offers.
    fn of_recipe(recipe: &Recipe, run: &RunSettings, terminal: Option<TerminalSize>) -> Self {
        let seen = terminal.is_some() || run.dry_run == Some(true);
        let system = recipe.busybox.as_ref();
        // A shell that somebody looks at greets its user.
        let words: &[&str] = match system.map(|system| system.login) {
            Some(Login::Password) => &["/bin/login"],
            Some(Login::Auto) | None if seen => &["/bin/sh", "-c", GREETING_SHELL],
            Some(Login::Auto) | None => &["/bin/sh", "-l"],
        };
        let home = home(recipe);
        let mut env = Vec::new();
        if run.user.is_none() {
            let root = [("HOME", home), ("USER", "root"), ("LOGNAME", "root")];
            env.extend(root.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        env.extend(system.into_iter().flat_map(|system| system.environment.clone()));
        Self {
            entrypoint: run.entrypoint.clone().unwrap_or_default(),
            command: words.iter().map(|&word| word.to_owned()).collect(),
            env,
            workdir: Some(home.to_owned()),
            user: None,
        }
    }
}

/// Root's home directory.
fn home(recipe: &Recipe) -> &str {
    let system = recipe.busybox.as_ref();
    let root = system.and_then(|system| system.users.iter().find(|user| user.uid == 0));
    root.map_or("/", |root| &root.home)
}

fn host_entry(host: &HostName) -> HostEntry {
    HostEntry { name: host.name.clone(), address: host.address }
}

fn tmpfs(tmpfs: &mote_manifest::Tmpfs) -> Tmpfs {
    let (flags, options) = tmpfs.mount();
    Tmpfs { path: tmpfs.path.clone(), flags, options }
}

fn network(wanted: Network) -> GuestNetwork {
    match wanted {
        Network::None => GuestNetwork::None,
        Network::User(Addressing::Dhcp) => GuestNetwork::Dhcp,
        Network::User(Addressing::Static) => {
            let user = UserNetwork::new(Vec::new());
            GuestNetwork::Static { address: user.guest, gateway: user.gateway, dns: vec![user.dns] }
        }
    }
}

/// The host's time in nanoseconds since 1970.
fn clock_unix_ns() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

fn entropy_seed() -> io::Result<EntropySeed> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(EntropySeed(seed))
}
