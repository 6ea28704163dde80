//! What docker has and mote has not: what to do instead.

mod flags;
mod verbs;

use flags::FLAGS;
use verbs::VERBS;

/// What docker sorts its commands under, and mote does not.
const GROUPS: [&str; 2] = ["container", "image"];

/// The command that was meant, as it was typed, and what to do instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Instead {
    pub words: String,
    pub hint: String,
}

/// What to do instead of a command of docker's, of which `words` are the beginning. `own` are the
/// verbs of mote.
pub fn instead_of(words: &[&str], own: &[&str]) -> Option<Instead> {
    let listed = |count: usize| {
        let words = words.get(..count)?.join(" ");
        let hint = hint(&words)?.to_owned();
        Some(Instead { words, hint })
    };
    listed(2).or_else(|| in_group(words, own)).or_else(|| listed(1))
}

/// `docker container run` is `docker run`.
fn in_group(words: &[&str], own: &[&str]) -> Option<Instead> {
    let [group, verb, ..] = words else { return None };
    let hint = match hint(verb) {
        _ if !GROUPS.contains(group) => return None,
        Some(hint) => hint.to_owned(),
        None if own.contains(verb) => format!("it is `mote {verb}` here"),
        None => return None,
    };
    Some(Instead { words: format!("{group} {verb}"), hint })
}

fn hint(words: &str) -> Option<&'static str> {
    VERBS.iter().find(|(verbs, _)| verbs.contains(&words)).map(|(_, hint)| *hint)
}

/// The commands of docker that are one word and not mote's.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().flat_map(|(verbs, _)| verbs.iter().copied()).filter(|verb| !verb.contains(' '))
}

/// What to do instead of a flag that docker has for a command, whose name is empty before any.
pub fn instead_of_flag(command: &str, flag: &str) -> Option<&'static str> {
    let row = FLAGS.iter().find(|row| row.commands.contains(&command) && row.flags.contains(&flag));
    row.map(|row| row.hint)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    /// What `docker --help` and the help of its groups list (version 28), with some plugins.
    const DOCKERS: &str = "run exec ps build pull push images login logout search version info builder \
        checkpoint container context image manifest network plugin system trust volume config node \
        secret service stack swarm attach commit cp create diff events export history import inspect \
        kill load logs pause port rename restart rm rmi save start stats stop tag top unpause update \
        wait buildx compose";
    const IN_IMAGE: &str = "build history import inspect load ls prune pull push rm save tag";
    const IN_CONTAINER: &str = "attach commit cp create diff exec export inspect kill logs ls pause port \
        prune rename restart rm run start stats stop top unpause update wait";
    const IN_SYSTEM: &str = "df events info prune";

    /// What `docker run --help` lists (version 28).
    const RUN: &str = "--add-host --annotation -a --attach --blkio-weight --blkio-weight-device --cap-add \
        --cap-drop --cgroup-parent --cgroupns --cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota \
        --cpu-rt-period --cpu-rt-runtime -c --cpu-shares --cpus --cpuset-cpus --cpuset-mems -d --detach \
        --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps \
        --device-write-iops --disable-content-trust --dns --dns-option --dns-search --domainname --entrypoint \
        -e --env --env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries \
        --health-start-interval --health-start-period --health-timeout --help -h --hostname --init -i \
        --interactive --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation --kernel-memory -l --label \
        --label-file --link --link-local-ip --log-driver --log-opt --mac-address -m --memory \
        --memory-reservation --memory-swap --memory-swappiness --mount --name --network --net --network-alias \
        --no-healthcheck --oom-kill-disable --oom-score-adj --pid --pids-limit --platform --privileged -p \
        --publish -P --publish-all --pull -q --quiet --read-only --restart --rm --runtime --security-opt \
        --shm-size --sig-proxy --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs -t --tty --ulimit \
        --use-api-socket -u --user --userns --uts -v --volume --volume-driver --volumes-from -w --workdir";
    const OTHERS: [(&str, &str); 9] = [
        ("", "--config -c --context -D --debug -H --host -l --log-level --tls -v --version"),
        ("pull", "-a --all-tags --disable-content-trust --platform -q --quiet"),
        ("rmi", "-f --force --no-prune --platform"),
        ("images", "-a --all --digests -f --filter --format --no-trunc -q --quiet --tree"),
        ("image prune", "-a --all --filter -f --force"),
        ("prune", "-a --all --filter -f --force --volumes"),
        ("version", "-f --format"),
        ("info", "-f --format"),
        ("inspect", "-f --format --platform -s --size --type"),
    ];

    #[test]
    fn every_command_of_dockers_is_there_or_is_told_with_a_way() {
        let cli = Cli::command();
        let own: Vec<_> = cli.get_subcommands().map(clap::Command::get_name).collect();
        let lists = [
            ("", DOCKERS),
            ("image", IN_IMAGE),
            ("container", IN_CONTAINER),
            ("system", IN_SYSTEM),
        ];
        for (group, verbs) in lists {
            for verb in verbs.split_whitespace() {
                let words: Vec<_> =
                    [group, verb].into_iter().filter(|word| !word.is_empty()).collect();
                let mut command = Some(&cli);
                for word in &words {
                    command = command.and_then(|command| command.find_subcommand(word));
                }
                let instead = instead_of(&words, &own);
                if command.is_none() {
                    let told = instead.unwrap_or_else(|| panic!("{words:?} is not told")).words;
                    assert_eq!(told, words.join(" "), "not told by itself");
                }
            }
        }
    }

    #[test]
    fn every_flag_of_dockers_is_there_or_is_told_with_a_way() {
        let mut cli = Cli::command();
        cli.build();
        for (path, flags) in [("run", RUN)].into_iter().chain(OTHERS) {
            let below = |command, word| clap::Command::find_subcommand(command, word).unwrap();
            let mut command = path.split_whitespace().fold(&cli, below).clone();
            command.build();
            let has = |flag: &str| {
                command.get_arguments().any(|arg| match flag.strip_prefix("--") {
                    Some(long) => {
                        arg.get_long() == Some(long)
                            || arg.get_all_aliases().is_some_and(|names| names.contains(&long))
                    }
                    None => arg.get_short() == flag.chars().nth(1),
                })
            };
            for flag in flags.split_whitespace() {
                let told = instead_of_flag(path, flag).is_some();
                assert!(has(flag) != told, "{path} {flag}: there {}, told {told}", has(flag));
            }
        }
    }

    #[test]
    fn the_longest_command_that_is_known_is_told() {
        let words = |typed: &[&str]| instead_of(typed, &["run"]).map(|instead| instead.words);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(words(&["ps", "x"]), text("ps"));
        assert_eq!(words(&["system", "prune", "x"]), text("system prune"));
        assert_eq!(words(&["system", "x"]), text("system"));
        assert_eq!(words(&["container", "exec", "x"]), text("container exec"));
        assert_eq!(words(&["image", "save"]), text("image save"));
        assert_eq!(words(&["image", "x"]), None);
        let run = instead_of(&["container", "run", "x"], &["run"]).unwrap();
        assert_eq!(run.hint, "it is `mote run` here");
    }
}
