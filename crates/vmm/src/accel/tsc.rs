//! The rate of the host's time stamp counter: the crate's only unsafe code.
//!
//! TCG shows the guest the host's counter. A kernel that has to measure its rate against the PIT fails on a busy host,
//! and then counts timer ticks instead: 4 ms steps, and a clock that falls behind with each tick that QEMU loses.

use std::time::Duration;

/// How long the measurement takes. An error of 1 µs at its ends is then one of 20 ppm.
const SPAN: Duration = Duration::from_millis(50);
/// Of so many readings the least disturbed is taken.
const READINGS: usize = 8;

/// Measures the rate of the host's time stamp counter in kHz, which takes 50 ms and is worth remembering with the
/// answer of [`probe_accel`](crate::probe_accel). None where the counter does not run at one rate.
pub fn measure_host_tsc_khz() -> Option<u32> {
    let is_steady = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| is_steady(&text));
    if is_steady { measure_khz() } else { None }
}

/// Whether the counter runs at one rate, by what the kernel says of the processor.
fn is_steady(cpuinfo: &str) -> bool {
    cpuinfo.split_whitespace().any(|flag| flag == "constant_tsc")
}

fn measure_khz() -> Option<u32> {
    let from = reading()?;
    std::thread::sleep(SPAN);
    let to = reading()?;
    let nanoseconds = u128::from(to.nanoseconds.checked_sub(from.nanoseconds)?);
    let ticks = u128::from(to.ticks.checked_sub(from.ticks)?);
    u32::try_from(ticks * 1_000_000 / nanoseconds).ok()
}

/// The counter at a time of the host's clock.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    /// Of `CLOCK_MONOTONIC`.
    nanoseconds: u64,
    /// Ticks between the two looks at the counter around the look at the clock.
    blur: u64,
}

fn reading() -> Option<Reading> {
    let look = || {
        let before = ticks()?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let after = ticks()?;
        let nanoseconds = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        let blur = after.checked_sub(before)?;
        Some(Reading { ticks: before + blur / 2, nanoseconds, blur })
    };
    (0..READINGS).filter_map(|_| look()).min_by_key(|reading| reading.blur)
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn ticks() -> Option<u64> {
    // SAFETY: the instruction exists on every x86-64 processor, and Linux lets programs use it unless they have
    // forbidden it to themselves (prctl(2), PR_SET_TSC).
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two measurements of a counter that is not steady may differ: where that is so, there must be no rate.
    #[test]
    fn a_rate_is_plausible_and_comes_out_again_or_there_is_none() {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let rates = [measure_host_tsc_khz(), measure_host_tsc_khz()];
        let [Some(first), Some(second)] = rates else {
            assert!(rates == [None, None] && !is_steady(&cpuinfo), "{rates:?}");
            return;
        };
        assert!(is_steady(&cpuinfo));
        assert!((500_000..10_000_000).contains(&first), "{first} kHz");
        assert!(first.abs_diff(second) < first / 1000, "{first} and {second} kHz");
    }

    #[test]
    fn what_the_kernel_says_of_the_counter() {
        assert!(is_steady("flags\t\t: fpu tsc constant_tsc nonstop_tsc\n"));
        assert!(!is_steady("flags\t\t: fpu tsc\n"));
        assert!(measure_khz().is_some() || cfg!(not(target_arch = "x86_64")));
    }
}
