//! Embeds every `features/*.toml`: writes a table of (name, text) for `src/feature/builtin.rs`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("features");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();

    let mut table = String::from("[\n");
    for file in &files {
        let name = file.file_stem().expect("has an extension").display();
        writeln!(table, "    ({:?}, include_str!({:?})),", name.to_string(), file)
            .expect("a string takes all");
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("features.rs"), table)
}
