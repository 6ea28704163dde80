//! Releases from a server with kernel.org's layout.

mod download;
mod http;
mod patience;
mod sums;

use std::fs;
use std::path::{Path, PathBuf};

use mote_process::Cancel;

use self::download::Part;
use self::http::Client;
use super::{Digest, Progress, SourceError, VersionWanted};
use crate::version::KernelVersion;

/// A server with kernel.org's layout: `/pub/linux/kernel/v6.x/linux-6.12.95.tar.xz`, and beside it
/// `sha256sums.asc` with the digests of all releases.
///
/// The signature of that list is not checked: it is trusted as far as the connection is.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// What stands before `/pub/linux/kernel`, see [`Mirror::KERNEL_ORG`].
    pub base_url: String,
    /// The proxy to use, such as `http://proxy:3128`. The environment is not looked at.
    pub proxy: Option<String>,
}

/// A tarball that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Such as `linux-6.12.95.tar.xz`.
    pub file_name: String,
    /// Where it is.
    pub url: String,
    /// What it must be.
    pub sha256: Digest,
}

impl Mirror {
    /// The address of the Linux Kernel Archives.
    pub const KERNEL_ORG: &'static str = "https://cdn.kernel.org";

    /// Looks the release up in the published list of digests.
    ///
    /// # Errors
    /// When the server cannot be reached or does not have it, or the user interrupts.
    pub fn find(&self, wanted: &VersionWanted, cancel: &Cancel) -> Result<Release, SourceError> {
        let list_url = format!("{}/sha256sums.asc", self.folder(wanted));
        let client = Client::new(&list_url, self.proxy.as_deref())?;
        let list = client.text(sums::LIMIT, cancel)?;
        let sums = sums::parse(&list);
        if sums.is_empty() {
            return Err(SourceError::NotSums { url: list_url });
        }
        match sums::choose(sums, wanted) {
            Ok((version, sha256)) => Ok(self.release(wanted, &version, sha256)),
            Err(newest) => Err(SourceError::NoSuchRelease {
                version: wanted.to_string(),
                url: list_url,
                newest: newest.map(|version| version.to_string()),
            }),
        }
    }

    /// A release whose digest is known, without asking the server.
    ///
    /// # Errors
    /// When the version names a series, of which the newest is not known.
    pub fn pinned(&self, wanted: &VersionWanted, sha256: Digest) -> Result<Release, SourceError> {
        match wanted {
            VersionWanted::Exactly(version) => Ok(self.release(wanted, version, sha256)),
            VersionWanted::NewestOf { .. } => {
                Err(SourceError::PinnedSeries { version: wanted.to_string() })
            }
        }
    }

    /// Downloads a release into `dir` and gives the file's path. Progress is in bytes. An
    /// interrupted download goes on where it was; the file appears under its name when its digest
    /// was right.
    ///
    /// # Errors
    /// When the server cannot be reached or sends something else, the disk is full, or the user
    /// interrupts.
    pub fn download(
        &self,
        release: &Release,
        dir: &Path,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<PathBuf, SourceError> {
        fs::create_dir_all(dir).map_err(SourceError::io("make", dir))?;
        let client = Client::new(&release.url, self.proxy.as_deref())?;
        let part = Part::open(dir, release)?;
        part.complete(&client, cancel, progress)?;
        part.accept(release, cancel)
    }

    fn release(&self, wanted: &VersionWanted, version: &KernelVersion, sha256: Digest) -> Release {
        let file_name = file_name(version);
        let url = format!("{}/{file_name}", self.folder(wanted));
        Release { file_name, url, sha256 }
    }

    /// Where the releases of a major version are.
    fn folder(&self, wanted: &VersionWanted) -> String {
        let version = wanted.to_string();
        let major = version.split('.').next().unwrap_or_default();
        format!("{}/pub/linux/kernel/v{major}.x", self.base_url.trim_end_matches('/'))
    }
}

fn file_name(version: &KernelVersion) -> String {
    format!("linux-{version}.tar.xz")
}

/// The tarball of exactly that version, if it was downloaded into `dir` before. Of a series, the
/// newest may have changed: there is none.
pub fn downloaded(wanted: &VersionWanted, dir: &Path) -> Option<PathBuf> {
    let VersionWanted::Exactly(version) = wanted else { return None };
    let path = dir.join(file_name(version));
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests;
