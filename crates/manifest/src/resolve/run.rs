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
    for (asked, second) in
        [(!raw.feature.is_empty(), "feature"), (raw.exact == Some(true), "exact")]
    {
        if let Some(kernel) = raw.kernel.as_ref().filter(|_| asked) {
            return Err(
                document.wrong(kernel.span(), Problem::Conflict { first: "kernel", second })
            );
        }
    }
    let entrypoint = raw.entrypoint.map(|words| {
        words.into_iter().map(|word| check::argument(document, word)).collect::<Result<_, _>>()
    });
    let arguments = raw.command.into_iter().map(|word| check::argument(document, word));
    let tmpfs = raw.tmpfs.into_iter().map(|tmpfs| parse(document, &tmpfs));
    let hosts = raw.add_host.into_iter().map(|host| parse(document, &host));
    let env = check::variables(document, raw.env)?;
    let publish = raw.publish.into_iter().map(|publish| parse(document, &publish));
    Ok(RunSettings {
        command: arguments.collect::<Result<_, _>>()?,
        env: env.into_iter().map(|(name, value)| (name, Some(value))).collect(),
        entrypoint: entrypoint.transpose()?,
        user: checked(raw.user, check::user)?,
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
        rootfs: raw.rootfs.map(|rootfs| parse(document, &rootfs)).transpose()?,
        read_only: raw.read_only,
        tmpfs: tmpfs.collect::<Result<_, _>>()?,
        add_host: hosts.collect::<Result<_, _>>()?,
        pull: raw.pull.map(|pull| parse(document, &pull)).transpose()?,
        unpack_limit: raw.unpack_limit.map(|limit| parse(document, &limit)).transpose()?,
        kernel: raw.kernel.map(|path| base.join(path.into_inner())),
        feature: raw.feature,
        exact: raw.exact,
        verbose: raw.verbose,
        timings: raw.timings,
        dry_run: raw.dry_run,
    })
}

type Check = fn(&Document<'_>, Spanned<String>) -> Result<String, RecipeError>;

pub(crate) fn parse<T>(document: &Document<'_>, text: &Spanned<String>) -> Result<T, RecipeError>
where
    T: FromStr,
    Problem: From<T::Err>,
{
    text.get_ref().parse().map_err(|error: T::Err| document.wrong(text.span(), error))
}

pub(crate) fn at_least_one(
    document: &Document<'_>,
    count: &Spanned<u32>,
) -> Result<u32, RecipeError> {
    match *count.get_ref() {
        0 => {
            let problem = Problem::Value { wanted: "a number from 1", value: "0".to_owned() };
            Err(document.wrong(count.span(), problem))
        }
        count => Ok(count),
    }
}
