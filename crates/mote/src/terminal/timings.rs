//! Where the time of a run went.

use std::fmt::Write;
use std::time::{Duration, Instant};

use mote_engine::run::Ended;

use super::Progress;

/// The steps on the host, then the passages of the machine by the host's clock, with the guest's
/// own clock where it has read one.
pub fn timings(progress: &Progress, ended: &Ended) -> String {
    let mut text = String::from("where the time went:\n");
    let mut line = |place: &str, what: &str, took: Duration| {
        let _ = writeln!(text, "  {place:<6} {:>9.3} s  {what}", took.as_secs_f64());
    };
    for (step, took) in progress.done() {
        line("host", &step, took);
    }
    let timeline = ended.timeline();
    let mut before = timeline.spawned;
    let mut passage = |place: &str, what: &str, at: Option<Instant>| {
        if let Some(at) = at {
            line(place, what, at - before);
            before = at;
        }
    };
    let kernel = match timeline.hello {
        Some(hello) => {
            let kernel_s = Duration::from_nanos(hello.boottime_ns).as_secs_f64();
            format!("qemu and kernel, to init ({kernel_s:.3} s by the guest's clock)")
        }
        None => "qemu and kernel".to_owned(),
    };
    passage("guest", &kernel, timeline.hello.map(|hello| hello.seen));
    passage("guest", "system, to its being up", timeline.system_up.map(|up| up.seen));
    passage("guest", "start of the command", timeline.started.map(|started| started.seen));
    passage("guest", "command", timeline.ended.map(|ended| ended.seen));
    passage("guest", "stop", timeline.exited);
    let accel = ended.accel();
    let _ = writeln!(text, "  with {}: {}", accel.accel, accel.reason);
    text
}
