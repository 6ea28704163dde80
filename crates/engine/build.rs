//! Builds the guest's programs, which `src/guest.rs` embeds: a cargo of its own, with the profile `guest`, the same
//! lock file, and nothing of the outer build's flags and wrappers (clippy is such a wrapper), so that the bytes depend
//! on the sources and the compiler alone.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    for input in ["crates/init", "crates/contract", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", workspace.join(input).display());
    }
    let out = Path::new(&variable("OUT_DIR")?).join("guest");
    let mut cargo = cargo(&workspace)?;
    cargo.args(["build", "--quiet", "--locked", "--package=mote-init", "--profile=guest"]);
    cargo.arg(format!("--target={TARGET}")).arg("--target-dir").arg(&out);
    if !cargo.status()?.success() {
        return Err(format!("the guest's programs could not be built: {cargo:?}").into());
    }
    for (variable, program) in [("MOTE_GUEST_INIT", "mote-init"), ("MOTE_GUEST_SYS", "mote-sys")] {
        let path = out.join(TARGET).join("guest").join(program);
        println!("cargo:rustc-env={variable}={}", path.display());
    }
    Ok(())
}

/// Cargo in the workspace, with the user's registries and proxies, but nothing that changes what is compiled.
fn cargo(workspace: &Path) -> Result<Command, Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(workspace);
    let changes_output = |name: &str| {
        let prefixes = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_FEATURE_", "CARGO_CFG_"];
        let names = ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"];
        prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(changes_output) {
            cargo.env_remove(name);
        }
    }
    // Set, it has precedence over the flags of every configuration file, `-C target-cpu=native` for one.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "");
    Ok(cargo)
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: cargo runs this").into())
}
