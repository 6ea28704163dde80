//! The symbols that a source tree declares, and why one of them is not what somebody wants.

mod declaration;
mod evaluate;
mod explain;
mod expression;
mod parse;
mod reason;
mod render;
mod token;
mod unmet;
mod variables;

pub use declaration::{
    Choice, Condition, Declared, DefaultValue, Definition, Enclosure, Kind, Place, Prompt, Range,
    Select, Selector, SymbolTree,
};
pub use evaluate::Tristate;
pub use explain::{ExplainedDefinition, ExplainedSelector, Explanation, Part};
pub use expression::{Comparison, Expression, Operand};
pub use parse::TreeError;
pub use reason::{ActiveSelector, Reason};
pub use render::render_dropped;
pub use unmet::Unmet;
