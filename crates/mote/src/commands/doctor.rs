//! `mote doctor`

use std::process::ExitCode;

use anyhow::Result;
use mote_engine::Host;
use mote_engine::doctor::{Finding, State, examine};

use super::print;
use crate::args::Output;

pub fn doctor(output: &Output, host: &Host) -> Result<ExitCode> {
    let findings = examine(host)?;
    print(output, &findings, |findings| findings.iter().map(render).collect())?;
    let works = findings.iter().all(|finding| finding.state != State::Bad);
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn render(finding: &Finding) -> String {
    let mark = match finding.state {
        State::Good => "ok",
        State::Poor => "lacks",
        State::Bad => "FAILS",
    };
    let fix = finding.fix.as_ref().map(|fix| format!("{:28}fix: {fix}\n", "")).unwrap_or_default();
    format!("{mark:<6} {:<20} {}\n{fix}", finding.what, finding.found)
}
