//! What docker has and mote has not: what to do instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags of `docker run`, and the way there is.
const INSTEAD: [(&[&str], &str); 8] = [
    (&["-d", "--detach"], "a run stays in the foreground: a shell has `&` for the background"),
    (&["--name", "-l", "--label", "--restart"], "a run is known by its process, and ends with it"),
    (
        &["-v", "--volume", "--mount", "--volumes-from"],
        "files get into a guest with its image: `mote image build --overlay`, or `mote run dir:DIR`",
    ),
    (&["-P", "--publish-all"], "publish each port by itself: -p HOST:GUEST"),
    (
        &["--privileged", "--cap-add", "--cap-drop", "--security-opt", "--device"],
        "the guest has a kernel of its own, and its root may do whatever that kernel can",
    ),
    (
        &["--memory-swap", "--pids-limit", "--shm-size", "--ulimit"],
        "a guest has what --memory and --cpus give it",
    ),
    (&["--dns", "--dns-search"], "names are looked up as the host does it"),
    (&["--platform"], "a guest has the processor of the host: only images for that one run"),
];

/// What to tell whoever runs something with a flag of docker's that is not there.
pub fn explain(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let verb = std::env::args_os().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    if verb? != "run" {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let (_, instead) = INSTEAD.iter().find(|(flags, _)| flags.contains(&flag.as_str()))?;
    Some(format!("error: there is no {flag}\nhint: {instead}\n"))
}
