//! The applets of a BusyBox binary, and the links to them.

use std::collections::BTreeSet;

use crate::tree::TreePath;

/// Applets that get no link: the binary itself, and the init of Linux 2.4's initial ramdisks.
const WITHOUT_LINK: [&str; 2] = ["busybox", "linuxrc"];

/// Reads the output of `busybox --list-full`, or of `busybox --list` (names only: all go to
/// `/bin`, as BusyBox itself would put them). Lines that are no path are left out.
pub(super) fn parse_list(output: &str) -> BTreeSet<TreePath> {
    output.lines().filter_map(|line| applet_path(line.trim())).collect()
}

/// Reads the usage text of `busybox`, which ends with `Currently defined functions:` and names.
pub(super) fn parse_usage(output: &str) -> BTreeSet<TreePath> {
    let (_, names) = output.split_once("defined functions:").unwrap_or_default();
    names.split([',', '\n']).filter_map(|name| applet_path(name.trim())).collect()
}

/// Where the link at `applet` points: `/bin/busybox`, from where it lies.
pub(super) fn link_target(applet: &TreePath) -> String {
    let directories = applet.components().count() - 1;
    match applet.as_bytes().strip_prefix(b"bin/") {
        Some(name) if !name.contains(&b'/') => "busybox".to_owned(),
        _ => "../".repeat(directories) + "bin/busybox",
    }
}

fn applet_path(text: &str) -> Option<TreePath> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let path = TreePath::parse(text).ok().filter(|path| !path.is_root())?;
    let (_, name) = path.split_last()?;
    if WITHOUT_LINK.iter().any(|without| without.as_bytes() == name) {
        return None;
    }
    if path.components().count() > 1 {
        Some(path)
    } else {
        TreePath::parse(format!("bin/{text}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(set: BTreeSet<TreePath>) -> Vec<String> {
        set.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_three_forms_are_read() {
        let full = "usr/bin/[\nbin/busybox\nsbin/init\nlinuxrc\n";
        assert_eq!(paths(parse_list(full)), ["/sbin/init", "/usr/bin/["]);
        assert_eq!(paths(parse_list("[\ninit\n")), ["/bin/[", "/bin/init"]);
        let usage = "BusyBox v1.35.0\n\nCurrently defined functions:\n\t[, [[, init,\n\tsh\n";
        assert_eq!(paths(parse_usage(usage)), ["/bin/[", "/bin/[[", "/bin/init", "/bin/sh"]);
        assert!(parse_usage("some other program").is_empty());
    }

    #[test]
    fn links_are_relative() {
        for (applet, target) in [
            ("bin/sh", "busybox"),
            ("sbin/init", "../bin/busybox"),
            ("usr/bin/[", "../../bin/busybox"),
        ] {
            assert_eq!(link_target(&TreePath::parse(applet).unwrap()), target);
        }
    }
}
