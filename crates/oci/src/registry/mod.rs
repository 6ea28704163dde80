//! Registries: the client for what a pull needs.
//!
//! Follows the OCI distribution specification 1.1 (pulling manifests and blobs) and docker's
//! "Token Authentication Specification". It stands on `ureq` rather than on `oci-client`, which
//! reads manifests of any length into memory, keeps `Retry-After` to itself, and takes a program's
//! environment for granted where it asks for credentials.

mod address;
mod authorization;
mod challenge;
mod client;
mod download;
mod error;
mod http;
mod patience;

pub(crate) use client::Registry;
pub use error::{RegistryError, TransferError};
