//! `mote run` with real boots under QEMU, seen from outside: what it prints, how it ends, what it
//! leaves behind.
//!
//! All tests boot one kernel (`mote_testkit::Sandbox::kernel`).

mod dry_run;
mod ends;
mod network;
mod settings;
mod signals;
mod streams;
mod systems;
mod terminal;

use std::path::PathBuf;

use mote_manifest::Recipe;
use mote_testkit::{Invocation, Sandbox};

/// The system of the built-in recipe.
const BUSYBOX: &str = "recipe:busybox";

const QEMU: &str = "qemu-system-x86_64";

fn sandbox() -> Sandbox {
    Sandbox::with_shared_cache(env!("CARGO_BIN_EXE_mote"))
}

/// A run of the built-in recipe, flags and command, which a shell takes apart at the spaces.
fn run<'s>(sandbox: &'s Sandbox, flags: &str, command: &[&str]) -> Invocation<'s> {
    run_recipe(sandbox, flags, BUSYBOX, command)
}

fn run_recipe<'s>(
    sandbox: &'s Sandbox,
    flags: &str,
    recipe: &str,
    command: &[&str],
) -> Invocation<'s> {
    let run = sandbox.mote(["run", "--kernel"]).arg(sandbox.kernel());
    run.args(flags.split_whitespace()).arg(recipe).args(command.iter().copied())
}

/// The built-in recipe with further lines at its end, without the system's own init: mote's init
/// runs the command in a bare system.
fn bare(sandbox: &Sandbox, further: &str) -> String {
    let recipe = Recipe::builtin_text("busybox").unwrap();
    let without = recipe.replace("init = \"/sbin/init\"\n", "");
    assert_ne!(recipe, without);
    path(sandbox.write("bare.toml", without + further))
}

fn path(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}
