//! This machine as the engine sees it: mote's own cache, so that kernels are built once for both.

use std::env;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use mote_engine::event::Event;
use mote_engine::{Cache, Host};
use mote_kernel::source::{Mirror, SourceSpec};
use mote_process::Cancel;

/// Describes this machine; events are printed, a line each.
pub fn host() -> Result<Host> {
    let base = etcetera::choose_base_strategy().context("cannot find the home directory")?;
    Ok(Host {
        cache: Cache::new(base.cache_dir().join("mote")),
        state: base.state_dir().unwrap_or_else(|| base.cache_dir()).join("mote"),
        search_path: env::var_os("PATH").unwrap_or_default(),
        debian_sources: PathBuf::from(Host::DEBIAN_SOURCES),
        auto_source: SourceSpec::Auto,
        mirror: Mirror {
            base_url: Mirror::KERNEL_ORG.to_owned(),
            proxy: env::var("https_proxy").ok(),
        },
        // No chore pulls an image.
        access: Default::default(),
        limits: Default::default(),
        jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        cancel: Cancel::default(),
        sink: Arc::new(show),
    })
}

fn show(event: Event) {
    match event {
        Event::Began(step) => eprintln!("{step}"),
        Event::Note(text) | Event::Warning(text) => eprintln!("{text}"),
        Event::Advanced { .. } | Event::Part { .. } | Event::Finished { .. } => {}
    }
}
