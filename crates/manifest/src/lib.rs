//! Recipes: mote.toml from text to a complete, checked value.
//!
//! A recipe is read in two stages: *raw*, as it is written, where an unknown key is an error; and
//! [`Recipe`], where every default is filled in, every value is checked and every path starts from
//! the recipe's own folder. Whatever is wrong is told with the line it stands on.
//!
//! The values of `mote run`'s flags ([`Memory`], [`Publish`], [`Network`], [`Accel`] …) are parsed
//! here too, so that a flag and its key take the same words.

mod builtin;
mod defaults;
mod error;
mod load;
mod nearest;
mod raw;
mod recipe;
mod resolve;
mod run;
mod value;

pub use defaults::{Defaults, Written};
pub use error::{Problem, RecipeError};
pub use load::Kind;
pub use recipe::{
    Busybox, BusyboxBinary, FileEntry, FileKind, Group, KernelSettings, Login, Password, Recipe,
    ScriptBody, StartScript, User,
};
pub use run::{RunSettings, SettingError};
pub use value::{
    Accel, Addressing, HostName, HostPort, MalformedValue, Memory, MemoryError, Network, Protocol,
    Publish, PublishError, Pull, Rootfs, Tmpfs, UnknownWord,
};
