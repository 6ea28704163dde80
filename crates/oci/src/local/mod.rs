//! Images that lie on this host: layouts and archives, read where they are.

mod archive;
mod docker;
mod layout;
mod names;
mod spool;
mod tar;

pub(crate) use archive::load_archive;
pub(crate) use docker::load_docker_archive;
pub(crate) use layout::load_layout;
