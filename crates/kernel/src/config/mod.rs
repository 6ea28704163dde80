//! From features and fragments to a kernel configuration, asked against got.

mod error;
mod plan;
mod resolve;
mod spec;

pub use error::{ConfigError, Unfulfilled, UnknownSymbol};
pub use plan::ConfigPlan;
pub use resolve::ConfigOutcome;
pub use spec::{ConfigFile, ConfigSpec};
