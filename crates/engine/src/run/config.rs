//! From a recipe's settings to the configuration that init reads.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use mote_contract::{
    CONFIG_VERSION, EntropySeed, Io, Network as GuestNetwork, Root, RunConfig, Session,
    TerminalSize,
};
use mote_manifest::{Addressing, Login, Network, Recipe};
use mote_vmm::UserNetwork;

/// Where programs are looked for in a guest that says nothing about it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What init is to do. Clock and entropy are of this moment: a machine that is started by hand, who
/// knows when, has the clock of its devices and draws its own entropy.
pub(crate) fn render(
    recipe: &Recipe,
    io: Io,
    terminal: Option<TerminalSize>,
) -> io::Result<RunConfig> {
    let run = &recipe.run;
    let (clock_unix_ns, entropy_seed) = match io {
        Io::Channel => (clock_unix_ns(), Some(entropy_seed()?)),
        Io::Console => (None, None),
    };
    Ok(RunConfig {
        version: CONFIG_VERSION,
        hostname: run.hostname.clone(),
        clock_unix_ns,
        entropy_seed,
        network: network(run.network.unwrap_or_default()),
        hosts: Vec::new(),
        root: Root::Initramfs,
        tmpfs: Vec::new(),
        system: run.init.clone(),
        session: Session {
            argv: command(recipe, io, terminal),
            env: environment(recipe, terminal).into_iter().collect(),
            cwd: run.workdir.clone().unwrap_or_else(|| home(recipe).to_owned()),
            user: None,
            terminal,
        },
        io,
    })
}

/// A login shell that greets its user first, as login(1) does.
const GREETING_SHELL: &str = "[ -s /etc/motd ] && cat /etc/motd; exec /bin/sh -l";

/// The command, or else what the console of the system offers.
fn command(recipe: &Recipe, io: Io, terminal: Option<TerminalSize>) -> Vec<String> {
    if !recipe.run.command.is_empty() {
        return recipe.run.command.clone();
    }
    let seen = io == Io::Console || terminal.is_some();
    let words: &[&str] = match recipe.busybox.as_ref().map(|system| system.login) {
        Some(Login::Password) => &["/bin/login"],
        Some(Login::Auto) | None if seen => &["/bin/sh", "-c", GREETING_SHELL],
        Some(Login::Auto) | None => &["/bin/sh", "-l"],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

fn environment(recipe: &Recipe, terminal: Option<TerminalSize>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from(
        [("PATH", PATH), ("HOME", home(recipe)), ("USER", "root"), ("LOGNAME", "root")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if terminal.is_some() {
        variables.insert("TERM".to_owned(), "linux".to_owned());
    }
    if let Some(system) = &recipe.busybox {
        variables.extend(system.environment.clone());
    }
    variables.extend(recipe.run.env.clone());
    variables
}

/// Root's home directory.
fn home(recipe: &Recipe) -> &str {
    let system = recipe.busybox.as_ref();
    let root = system.and_then(|system| system.users.iter().find(|user| user.uid == 0));
    root.map_or("/", |root| &root.home)
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
