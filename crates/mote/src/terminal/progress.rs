//! Progress of the running step, on standard error: a bar on a terminal, a line a step elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mote_engine::event::{Event, Step};

/// Shows the events of the engine.
pub struct Progress {
    loudness: Loudness,
    bar: Mutex<Option<ProgressBar>>,
    /// What was done, and how long it took.
    done: Mutex<Vec<(String, Duration)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loudness {
    Quiet,
    Lines,
    Bars,
}

impl Progress {
    /// `quiet` leaves warnings only.
    pub fn new(quiet: bool) -> Self {
        let loudness = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::Bars,
            (false, false) => Loudness::Lines,
        };
        Self { loudness, bar: Mutex::new(None), done: Mutex::default() }
    }

    /// Shows one event.
    pub fn show(&self, event: Event) {
        match event {
            Event::Began(step) => self.began(&step),
            Event::Advanced { done, total } => self.advanced(done, total),
            Event::Finished { step, took } => self.finished(&step, took),
            Event::Note(text) => {
                if self.loudness != Loudness::Quiet {
                    self.line(&text);
                }
            }
            Event::Warning(text) => self.line(&format!("warning: {text}")),
        }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn began(&self, step: &Step) {
        match self.loudness {
            Loudness::Quiet => {}
            Loudness::Lines => eprintln!("{step}"),
            Loudness::Bars => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(style("{spinner} {msg} {elapsed}"));
                bar.set_message(step.to_string());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar.set_prefix(unit(step));
                *self.bar() = Some(bar);
            }
        }
    }

    fn advanced(&self, done: u64, total: Option<u64>) {
        let bar = self.bar();
        let Some(bar) = bar.as_ref() else { return };
        if let Some(total) = total
            && bar.length() != Some(total)
        {
            bar.set_length(total);
            let amount = match bar.prefix().as_str() {
                "bytes" => "{bytes}/{total_bytes}",
                _ => "{pos}/{len} {prefix}",
            };
            bar.set_style(style(&format!("{{msg}} [{{bar:24}}] {amount}, {{eta}} left")));
        }
        bar.set_position(done);
    }

    /// The steps that have ended, each with its time.
    pub fn done(&self) -> Vec<(String, Duration)> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn finished(&self, step: &Step, took: Duration) {
        let entry = (step.to_string(), took);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
        if self.loudness != Loudness::Quiet && took >= Duration::from_secs(1) {
            eprintln!("{step}: {:.1} s", took.as_secs_f64());
        }
    }

    fn line(&self, text: &str) {
        match self.bar().as_ref() {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

fn unit(step: &Step) -> &'static str {
    match step {
        Step::BuildKernel { .. } => "files",
        _ => "bytes",
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one of ours")
}
