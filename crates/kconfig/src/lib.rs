//! Kernel configurations: fragments, `.config` files, asked against got, explanations.
//!
//! The crate is pure: it never runs a program, and reads only the Kconfig files of a source tree
//! that it is pointed to.
//!
//! - [`Config`] is a `.config`, with [`Symbol`]s (named without `CONFIG_`) and [`Value`]s;
//! - [`parse_fragment`] reads [`Request`]s, each with its [`Origin`];
//! - [`Asked`] is the merge of all requests, [`Verdict`] its comparison with the `.config` that
//!   the kernel's own `conf` made of it;
//! - [`tree::SymbolTree`] is what a source tree says of its symbols: it tells why one was dropped,
//!   and explains any of them.

mod asked;
mod config;
mod difference;
mod fragment;
mod line;
mod request;
mod suggest;
mod symbol;
pub mod tree;
mod value;
mod verdict;

pub use asked::{Asked, Conflict, Wish};
pub use config::Config;
pub use difference::difference;
pub use fragment::parse_fragment;
pub use line::{SyntaxError, SyntaxProblem};
pub use request::{Asker, Necessity, Origin, Request};
pub use suggest::suggest;
pub use symbol::{InvalidSymbol, Symbol};
pub use value::{InvalidValue, Value};
pub use verdict::{Dropped, Verdict};
