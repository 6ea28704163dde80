//! The settings of `mote run`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::value::{Accel, HostName, Memory, Network, Publish, Pull, Rootfs, Tmpfs, text};

/// What `mote run` can be told, by a recipe's `[run]` table or by flags of the same names.
///
/// Absent means not said: the defaults come in when the recipe's and the flags' are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// The command and its arguments; empty: the system's own session, a shell.
    pub command: Vec<String>,
    /// Environment variables of the command; without a value it does not get them, though the image has
    /// one.
    pub env: BTreeMap<String, Option<String>>,
    /// The program that gets the command as its arguments, instead of the image's own. An empty
    /// list: the command itself is the program.
    pub entrypoint: Option<Vec<String>>,
    /// Who the command runs as, `USER[:GROUP]` by names or numbers; the guest looks names up.
    pub user: Option<String>,
    /// Where the command starts, in the guest.
    pub workdir: Option<String>,
    /// Whether the command has a terminal.
    pub tty: Option<bool>,
    /// Whether the command gets standard input.
    pub interactive: Option<bool>,
    /// The guest's host name.
    pub hostname: Option<String>,
    /// The guest's memory.
    pub memory: Option<Memory>,
    /// The guest's processors, at least 1.
    pub cpus: Option<u32>,
    /// The guest's network.
    pub network: Option<Network>,
    /// The ports that the host offers.
    pub publish: Vec<Publish>,
    /// How instructions are run.
    pub accel: Option<Accel>,
    /// Further words for the kernel's command line.
    pub append: Option<String>,
    /// The system's own init, a path in the guest.
    pub init: Option<String>,
    /// What the guest's root file system is.
    pub rootfs: Option<Rootfs>,
    /// Whether the root file system stays as the image has it: nothing can be written to it.
    pub read_only: Option<bool>,
    /// Directories of the guest with a file system in memory over them.
    pub tmpfs: Vec<Tmpfs>,
    /// Names that the guest knows beside its own.
    pub add_host: Vec<HostName>,
    /// When a registry is asked for the image.
    pub pull: Option<Pull>,
    /// How much the image may unpack to.
    pub unpack_limit: Option<Memory>,
    /// The folder of a built kernel.
    pub kernel: Option<PathBuf>,
    /// Features that the kernel has beside those of `[kernel]`.
    pub feature: Vec<String>,
    /// Whether the kernel has what is asked of it and nothing else.
    pub exact: Option<bool>,
    /// Whether the kernel's messages are shown.
    pub verbose: Option<bool>,
    /// Whether it is told where the time went.
    pub timings: Option<bool>,
    /// Whether the VMM's command is printed instead of run.
    pub dry_run: Option<bool>,
}

impl RunSettings {
    /// The keys of `[run]`, which are the names of `mote run`'s flags.
    pub const KEYS: &[&str] = &[
        "command",
        "env",
        "entrypoint",
        "user",
        "workdir",
        "tty",
        "interactive",
        "hostname",
        "memory",
        "cpus",
        "network",
        "publish",
        "accel",
        "append",
        "init",
        "rootfs",
        "read-only",
        "tmpfs",
        "add-host",
        "pull",
        "unpack-limit",
        "kernel",
        "feature",
        "exact",
        "verbose",
        "timings",
        "dry-run",
    ];

    /// Checks what flags give as plain text; of a recipe it was checked when it was read.
    ///
    /// # Errors
    /// The first value that the flag of that name does not take.
    pub fn check(&self) -> Result<(), SettingError> {
        let text = |name, value: &Option<String>, wanted, ok: fn(&str) -> bool| match value {
            Some(value) if !ok(value) => Err(SettingError { name, wanted, value: value.clone() }),
            _ => Ok(()),
        };
        text("hostname", &self.hostname, text::HOSTNAME, text::is_hostname)?;
        text("user", &self.user, text::USER, text::is_user)?;
        text("workdir", &self.workdir, text::GUEST_DIRECTORY, text::is_guest_directory)?;
        text("init", &self.init, text::GUEST_PATH, text::is_guest_path)?;
        text("append", &self.append, text::KERNEL_WORDS, text::are_kernel_words)?;
        if self.env.contains_key("") {
            let (wanted, value) = ("the name of a variable", String::new());
            return Err(SettingError { name: "env", wanted, value });
        }
        Ok(())
    }

    /// These settings with `other` laid over them, which is how flags win over a recipe.
    ///
    /// Features, and that there be nothing else, are asked of a kernel that mote builds: with those in
    /// `other`, the kernel of these is not taken.
    ///
    /// What `other` says replaces what these say, with three exceptions, where both can hold:
    /// variables of `env` are replaced one by one, words to `append` and `feature`s come after
    /// these' own (the kernel lets a later word win).
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.env.extend(other.env);
        let append: Vec<String> = self.append.into_iter().chain(other.append).collect();
        let built = !other.feature.is_empty() || other.exact == Some(true);
        let kernel = self.kernel.filter(|_| !built);
        let new = other.feature.into_iter().filter(|name| !self.feature.contains(name));
        let feature = self.feature.iter().cloned().chain(new.collect::<Vec<_>>()).collect();
        Self {
            command: if other.command.is_empty() { self.command } else { other.command },
            env: self.env,
            entrypoint: other.entrypoint.or(self.entrypoint),
            user: other.user.or(self.user),
            workdir: other.workdir.or(self.workdir),
            tty: other.tty.or(self.tty),
            interactive: other.interactive.or(self.interactive),
            hostname: other.hostname.or(self.hostname),
            memory: other.memory.or(self.memory),
            cpus: other.cpus.or(self.cpus),
            network: other.network.or(self.network),
            publish: if other.publish.is_empty() { self.publish } else { other.publish },
            accel: other.accel.or(self.accel),
            append: (!append.is_empty()).then(|| append.join(" ")),
            init: other.init.or(self.init),
            rootfs: other.rootfs.or(self.rootfs),
            read_only: other.read_only.or(self.read_only),
            tmpfs: if other.tmpfs.is_empty() { self.tmpfs } else { other.tmpfs },
            add_host: if other.add_host.is_empty() { self.add_host } else { other.add_host },
            pull: other.pull.or(self.pull),
            unpack_limit: other.unpack_limit.or(self.unpack_limit),
            kernel: other.kernel.or(kernel),
            feature,
            exact: other.exact.or(self.exact),
            verbose: other.verbose.or(self.verbose),
            timings: other.timings.or(self.timings),
            dry_run: other.dry_run.or(self.dry_run),
        }
    }
}

/// A value that a flag of `mote run` does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{name}: not {wanted}: {}", value.escape_debug())]
pub struct SettingError {
    /// The flag, which is the key as well.
    pub name: &'static str,
    /// What the value should be, with its article.
    pub wanted: &'static str,
    /// What it is.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn recipe() -> RunSettings {
        RunSettings {
            command: words(&["httpd", "-f"]),
            env: env(&[("A", "1"), ("B", "2")]),
            memory: Memory::from_mib(64),
            publish: vec!["8080:80".parse().unwrap()],
            append: Some("quiet".to_owned()),
            feature: words(&["wireguard", "tun"]),
            tty: Some(true),
            ..RunSettings::default()
        }
    }

    #[test]
    fn texts_of_flags_are_checked() {
        recipe().check().unwrap();
        let text = |text: &str| Some(text.to_owned());
        let table = [
            (
                RunSettings { hostname: text("bad name"), ..recipe() },
                "--hostname: not a host name: bad name",
            ),
            (RunSettings { workdir: text("x"), ..recipe() }, "--workdir: not an absolute path: x"),
            (
                RunSettings { user: text("a:b:c"), ..recipe() },
                "--user: not a user, or user:group: a:b:c",
            ),
            (
                RunSettings { init: text("sbin/init"), ..recipe() },
                "--init: not an absolute path without '.', '..' and empty parts: sbin/init",
            ),
            (
                RunSettings { append: text("a\nb"), ..recipe() },
                "--append: not words for a kernel command line: a\\nb",
            ),
            (
                RunSettings { env: env(&[("", "x")]), ..recipe() },
                "--env: not the name of a variable: ",
            ),
        ];
        for (settings, message) in table {
            assert_eq!(settings.check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn nothing_said_changes_nothing() {
        assert_eq!(recipe().overridden_by(RunSettings::default()), recipe());
        assert_eq!(RunSettings::default().overridden_by(recipe()), recipe());
    }

    #[test]
    fn features_that_flags_ask_for_win_over_a_kernel() {
        let kernel = |path: &str| Some(PathBuf::from(path));
        let recipe = || RunSettings { kernel: kernel("old"), ..RunSettings::default() };
        let feature = RunSettings { feature: words(&["tun"]), ..RunSettings::default() };
        assert_eq!(recipe().overridden_by(feature).kernel, None);
        let exact = RunSettings { exact: Some(true), ..RunSettings::default() };
        assert_eq!(recipe().overridden_by(exact).kernel, None);
        let new = RunSettings { kernel: kernel("new"), ..RunSettings::default() };
        assert_eq!(recipe().overridden_by(new).kernel, kernel("new"));
        assert_eq!(recipe().overridden_by(RunSettings::default()).kernel, kernel("old"));
    }

    #[test]
    fn flags_win() {
        let flags = RunSettings {
            command: words(&["sh"]),
            env: env(&[("B", "3"), ("C", "4")]),
            memory: Memory::from_mib(256),
            publish: vec!["9090:80".parse().unwrap()],
            append: Some("loglevel=7".to_owned()),
            feature: words(&["tun", "fuse"]),
            tty: Some(false),
            verbose: Some(true),
            entrypoint: Some(Vec::new()),
            rootfs: Some(Rootfs::Ext4),
            ..RunSettings::default()
        };
        let wanted = RunSettings {
            command: words(&["sh"]),
            env: env(&[("A", "1"), ("B", "3"), ("C", "4")]),
            memory: Memory::from_mib(256),
            publish: vec!["9090:80".parse().unwrap()],
            append: Some("quiet loglevel=7".to_owned()),
            feature: words(&["wireguard", "tun", "fuse"]),
            tty: Some(false),
            verbose: Some(true),
            entrypoint: Some(Vec::new()),
            rootfs: Some(Rootfs::Ext4),
            ..RunSettings::default()
        };
        assert_eq!(recipe().overridden_by(flags), wanted);
    }
}
