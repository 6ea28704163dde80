//! The variables that mote reads.

/// A variable and what it is for.
pub struct Variable {
    pub name: &'static str,
    pub meaning: &'static str,
}

const fn variable(name: &'static str, meaning: &'static str) -> Variable {
    Variable { name, meaning }
}

/// All of them; docs/reference.md has the same table. Those of the user's that `mote run -e NAME`
/// passes on are not among them.
pub const VARIABLES: [Variable; 22] = [
    variable("HOME", "where the folders below lie, unless they are named"),
    variable("XDG_CACHE_HOME", "the cache is its folder `mote`; by default `~/.cache`"),
    variable("XDG_CONFIG_HOME", "config.toml is in its folder `mote`; by default `~/.config`"),
    variable(
        "XDG_STATE_HOME",
        "what failed machines leave is in its folder `mote`; by default `~/.local/state`",
    ),
    variable("XDG_RUNTIME_DIR", "podman's credentials are in its `containers/auth.json`"),
    variable("PATH", "where QEMU, compilers and credential helpers are looked for"),
    variable("TERM", "what the kernel's own editor draws for (`mote kernel menuconfig`)"),
    variable("MOTE_KERNEL_MIRROR", "where kernel sources are downloaded from; wins over `mirror`"),
    variable("MOTE_PLAIN_HTTP", "registries that speak HTTP without TLS, separated by commas"),
    variable("DOCKER_CONFIG", "the folder of docker's `config.json`; by default `~/.docker`"),
    variable("REGISTRY_AUTH_FILE", "credentials that are looked at before docker's and podman's"),
    variable(
        "SSL_CERT_FILE",
        "a file with the certificate authorities of registries, instead of Mozilla's list, which is built in",
    ),
    variable("https_proxy", "the proxy for downloads"),
    variable("HTTPS_PROXY", "the same"),
    variable("all_proxy", "the proxy for downloads, if there is none of the former"),
    variable("ALL_PROXY", "the same"),
    variable("no_proxy", "hosts that are reached without the proxy"),
    variable("NO_PROXY", "the same"),
    variable("NO_COLOR", "switches off colours in help texts and progress"),
    variable("CLICOLOR", "0 switches them off too"),
    variable("CLICOLOR_FORCE", "switches them on where there is no terminal"),
    variable("RUST_BACKTRACE", "1 shows where mote failed, if it has a fault"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A text between quotes that is written as variables are.
    fn names(source: &str) -> impl Iterator<Item = &str> {
        let is_name = |text: &&str| {
            let of_ours = ["_proxy", "XDG_", "MOTE_", "_CONFIG", "_FILE", "PATH", "HOME", "TERM"];
            let plain = text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            plain && of_ours.iter().any(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        source.split('"').skip(1).step_by(2).filter(is_name)
    }

    #[test]
    fn the_table_has_what_is_read() {
        let read = names(include_str!("host.rs")).chain(["TERM", "HOME"]);
        for name in read {
            assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name}");
        }
    }

    #[test]
    fn the_reference_has_the_table() {
        let reference = include_str!("../../../docs/reference.md");
        for Variable { name, meaning } in VARIABLES {
            let row = format!("| `{name}` | {meaning} |");
            assert!(reference.contains(&row), "{row}");
        }
    }
}
