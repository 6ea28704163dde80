//! Progress of the running step, on standard error: a bar on a terminal, a line a step elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mote_engine::event::{Event, Step};

use super::say;

/// Shows the events of the engine.
pub struct Progress {
    loudness: Loudness,
    bars: Mutex<Option<Bars>>,
    /// What was done, and how long it took.
    done: Mutex<Vec<(String, Duration)>>,
}

/// What is on the terminal while a step runs.
struct Bars {
    all: MultiProgress,
    step: ProgressBar,
    /// One for each part that the step works on.
    parts: BTreeMap<String, ProgressBar>,
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
        Self { loudness, bars: Mutex::new(None), done: Mutex::default() }
    }

    /// Shows one event.
    pub fn show(&self, event: Event) {
        match event {
            Event::Began(step) => self.began(&step),
            Event::Advanced { done, total } => self.advanced(done, total),
            Event::Part { name, done, total } => self.part(name, done, total),
            Event::Finished { step, took } => self.finished(&step, took),
            Event::Note(text) => {
                if self.loudness != Loudness::Quiet {
                    self.line(&text);
                }
            }
            Event::Warning(text) => self.line(&format!("warning: {text}")),
        }
    }

    fn bars(&self) -> std::sync::MutexGuard<'_, Option<Bars>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn began(&self, step: &Step) {
        match self.loudness {
            Loudness::Quiet => {}
            Loudness::Lines => say(format_args!("{step}\n")),
            Loudness::Bars => {
                let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
                let bar = all.add(ProgressBar::no_length());
                bar.set_style(style("{spinner} {msg} {elapsed}"));
                bar.set_message(step.to_string());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar.set_prefix(unit(step));
                *self.bars() = Some(Bars { all, step: bar, parts: BTreeMap::new() });
            }
        }
    }

    fn advanced(&self, done: u64, total: Option<u64>) {
        let bars = self.bars();
        let Some(Bars { step: bar, .. }) = bars.as_ref() else { return };
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

    fn part(&self, name: String, done: u64, total: u64) {
        let mut bars = self.bars();
        let Some(Bars { all, parts, .. }) = bars.as_mut() else { return };
        let bar = parts.entry(name).or_insert_with_key(|name| {
            let bar = all.add(ProgressBar::new(total));
            bar.set_style(style("  {msg} [{bar:24}] {bytes}/{total_bytes}"));
            bar.set_message(name.clone());
            bar
        });
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }

    /// The steps that have ended, each with its time.
    pub fn done(&self) -> Vec<(String, Duration)> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn finished(&self, step: &Step, took: Duration) {
        let entry = (step.to_string(), took);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        if let Some(bars) = self.bars().take() {
            bars.parts.values().for_each(ProgressBar::finish_and_clear);
            bars.step.finish_and_clear();
        }
        if self.loudness != Loudness::Quiet && took >= Duration::from_secs(1) {
            say(format_args!("{step}: {:.1} s\n", took.as_secs_f64()));
        }
    }

    fn line(&self, text: &str) {
        match self.bars().as_ref() {
            Some(bars) => bars.all.suspend(|| say(format_args!("{text}\n"))),
            None => say(format_args!("{text}\n")),
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
