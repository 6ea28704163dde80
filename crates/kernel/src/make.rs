//! The kernel's own makefiles, called so that nothing of this machine but the compiler shows in
//! what they make (Documentation/kbuild/reproducible-builds.rst).

use std::ffi::OsString;
use std::path::Path;

use mote_process::Command;

use crate::Toolchain;

/// Programs whose presence would show in the `.config`, called by a name that nothing has:
/// Kconfig writes down the versions of the Rust compiler and of pahole that it happens to find.
const ABSENT: [&str; 2] = ["RUSTC=absent", "PAHOLE=absent"];

/// `make` in the source, for x86-64, with its output in another directory.
///
/// Only `PATH` comes from outside. The locale is fixed; there is no git for `setlocalversion` to
/// ask, since a source is what its digest covers, and that leaves `.git` out.
pub(crate) fn command(toolchain: &Toolchain, source: &Path, out: &Path) -> Command {
    let mut command = Command::new(&toolchain.make);
    command
        .env_clear()
        .env("PATH", &toolchain.search)
        .env("LC_ALL", "C")
        .env("GIT_DIR", "/dev/null")
        .arg("-C")
        .arg(source)
        .arg(assign("O", out))
        .arg("ARCH=x86_64")
        .args(ABSENT);
    command
}

/// `NAME=path`.
pub(crate) fn assign(name: &str, path: &Path) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(path);
    word
}

/// The kernel's makefiles refuse spaces and colons in the path of a source; in that of the output
/// directory they split words, and make and the shell have special characters of their own.
pub(crate) fn is_usable(path: &Path) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte) || !byte.is_ascii();
    path.is_absolute() && path.as_os_str().as_encoded_bytes().iter().all(|&byte| plain(byte))
}
