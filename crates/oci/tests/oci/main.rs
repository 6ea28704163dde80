//! Images from real registries, misbehaving ones, layouts and archives.
//!
//! Needs Debian's `docker-registry`, `skopeo`, `apache2-utils` and `openssl`.

mod fixture;
mod local;
mod misbehaving;
mod programs;
mod registry;
mod server;
