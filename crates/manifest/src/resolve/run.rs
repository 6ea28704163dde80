//! `[run]`.

use std::path::Path;
use std::str::FromStr;

use toml::Spanned;

use super::check;
use crate::error::{Problem, RecipeError};
use crate::load::Document;
use crate::raw;
use crate::run::RunSettings;

pub(super) fn resolve(
    document: &Document<'_>,
    raw: raw::Run,
    base: &Path,
) -> Result<RunSettings, RecipeError> {
    let checked = |value: Option<Spanned<String>>, check: Check| {
        value.map(|value| check(document, value)).transpose()
    };
    let arguments = raw.command.into_iter().map(|word| check::argument(document, word));
    let publish = raw.publish.into_iter().map(|publish| parse(document, &publish));
    Ok(RunSettings {
        command: arguments.collect::<Result<_, _>>()?,
        env: check::variables(document, raw.env)?,
        workdir: checked(raw.workdir, check::guest_directory)?,
        tty: raw.tty,
        interactive: raw.interactive,
        hostname: checked(raw.hostname, check::hostname)?,
        memory: raw.memory.map(|memory| parse(document, &memory)).transpose()?,
        cpus: raw.cpus.map(|cpus| at_least_one(document, &cpus)).transpose()?,
        network: raw.network.map(|network| parse(document, &network)).transpose()?,
        publish: publish.collect::<Result<_, _>>()?,
        accel: raw.accel.map(|accel| parse(document, &accel)).transpose()?,
        append: checked(raw.append, check::kernel_words)?,
        init: checked(raw.init, check::guest_path)?,
        kernel: raw.kernel.map(|path| base.join(path)),
        feature: raw.feature,
        verbose: raw.verbose,
        timings: raw.timings,
        dry_run: raw.dry_run,
    })
}

type Check = fn(&Document<'_>, Spanned<String>) -> Result<String, RecipeError>;

fn parse<T>(document: &Document<'_>, text: &Spanned<String>) -> Result<T, RecipeError>
where
    T: FromStr,
    Problem: From<T::Err>,
{
    text.get_ref().parse().map_err(|error: T::Err| document.wrong(text.span(), error))
}

fn at_least_one(document: &Document<'_>, count: &Spanned<u32>) -> Result<u32, RecipeError> {
    match *count.get_ref() {
        0 => {
            let problem = Problem::Value { wanted: "a number from 1", value: "0".to_owned() };
            Err(document.wrong(count.span(), problem))
        }
        count => Ok(count),
    }
}
