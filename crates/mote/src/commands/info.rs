//! `mote version` and `mote info`

use std::process::ExitCode;

use anyhow::Result;
use indicatif::HumanBytes;
use mote_engine::Host;
use mote_engine::info::{Info, info};
use serde::Serialize;

use super::print;
use crate::args::Output;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn version(output: &Output) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown {
        version: &'static str,
    }
    print(output, &Shown { version: VERSION }, |shown| format!("mote {}\n", shown.version))?;
    Ok(ExitCode::SUCCESS)
}

pub fn show(output: &Output, host: &Host) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown {
        version: &'static str,
        #[serde(flatten)]
        info: Info,
    }
    print(output, &Shown { version: VERSION, info: info(host)? }, |Shown { info, .. }| {
        let mut lines = vec![
            ("mote".to_owned(), VERSION.to_owned()),
            ("qemu".to_owned(), info.qemu.clone().unwrap_or_else(|| "not installed".to_owned())),
            ("kernels".to_owned(), info.kernels.to_string()),
            ("images".to_owned(), info.images.to_string()),
            ("state".to_owned(), info.state.display().to_string()),
            ("cache".to_owned(), info.cache.display().to_string()),
        ];
        let folder = |folder: &mote_engine::info::Folder| {
            (format!("  {}", folder.name), HumanBytes(folder.bytes).to_string())
        };
        lines.extend(info.folders.iter().map(folder));
        lines.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}
