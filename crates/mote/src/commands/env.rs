//! `mote env`

use std::process::ExitCode;

use anyhow::Result;
use mote_engine::Host;
use mote_kernel::source::Mirror;
use mote_manifest::Defaults;
use serde::Serialize;

use super::print;
use crate::args::Output;
use crate::environment::VARIABLES;
use crate::host::{Settings, masked};

/// Something that is in force.
#[derive(Serialize)]
struct Shown {
    name: &'static str,
    value: String,
    /// `default`, the file and line, or the variable.
    from: String,
    /// Of a variable, what it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
}

pub fn env(output: &Output, host: &Host, settings: &Settings) -> Result<ExitCode> {
    let rows = rows(host, settings);
    print(output, &rows, |rows| {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        let line = |row: &Shown| format!("{:<width$}  {}  ({})\n", row.name, row.value, row.from);
        rows.iter().map(line).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn rows(host: &Host, settings: &Settings) -> Vec<Shown> {
    let Settings { defaults, config } = settings;
    let by_default = |value: &str| (value.to_owned(), "default".to_owned());
    let mut rows: Vec<_> = Defaults::KEYS
        .into_iter()
        .map(|name| {
            let written = defaults.written.get(name).map(|written| {
                (written.value.clone(), format!("{}:{}", config.display(), written.line))
            });
            let of_variable = || match name {
                "mirror" => set("MOTE_KERNEL_MIRROR"),
                _ => None,
            };
            let (value, from) = of_variable()
                .map(|value| (value, "MOTE_KERNEL_MIRROR".to_owned()))
                .or(written)
                .unwrap_or_else(|| by_default(built_in(name)));
            Shown { name, value: masked(&value), from, meaning: None }
        })
        .collect();
    let folder = |name, path: &std::path::Path, variable: &str| {
        let from = if set(variable).is_some() { variable } else { "default" };
        Shown { name, value: path.display().to_string(), from: from.to_owned(), meaning: None }
    };
    rows.push(folder("cache", host.cache.root(), "XDG_CACHE_HOME"));
    rows.push(folder("state", &host.state, "XDG_STATE_HOME"));
    rows.push(folder("config", config, "XDG_CONFIG_HOME"));
    rows.extend(VARIABLES.iter().filter_map(|variable| {
        let value = masked(&set(variable.name)?);
        let (name, meaning) = (variable.name, Some(variable.meaning));
        Some(Shown { name, value, from: "environment".to_owned(), meaning })
    }));
    rows
}

/// What holds where nobody has said anything; some depends on what is run.
fn built_in(name: &str) -> &'static str {
    match name {
        "memory" => "128m for a recipe, 512m for an image",
        "cpus" => "1",
        "accel" => "found by trying",
        "network" => "user",
        "pull" => "missing",
        "unpack-limit" => "64g",
        "source" => "auto",
        _ => Mirror::KERNEL_ORG,
    }
}

fn set(variable: &str) -> Option<String> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(|value| value.to_string_lossy().into_owned())
}
