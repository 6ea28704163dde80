//! Everything there is to say about one symbol of a built kernel.

use std::path::Path;

use mote_kconfig::Symbol;
use mote_kconfig::tree::{Explanation, TreeError};

use crate::Kernel;
use crate::kbuild::load_tree;

/// Why a symbol cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The Kconfig files of the source cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The source declares no such symbol.
    #[error("Linux {release} has no symbol {symbol}")]
    Unknown {
        /// The kernel's release.
        release: String,
        /// The symbol.
        symbol: Symbol,
        /// The nearest name that it has.
        nearest: Option<String>,
    },
}

impl ExplainError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tree(error) => error.hint(),
            Self::Unknown { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("did you mean {nearest}?"))
            }
        }
    }
}

impl Kernel {
    /// Explains a symbol of this kernel: its value, who asked for it, what it depends on and
    /// selects, its prompt and help text, and why it is not set. `source` is the directory of the
    /// source that the kernel was built from.
    ///
    /// # Errors
    ///
    /// A source that cannot be read; a symbol that it does not declare.
    pub fn explain(&self, symbol: &Symbol, source: &Path) -> Result<Explanation, ExplainError> {
        let tree = load_tree(source)?;
        if tree.get(symbol.as_str()).is_none() {
            return Err(ExplainError::Unknown {
                release: self.record().release.clone(),
                symbol: symbol.clone(),
                nearest: tree.nearest(symbol.as_str()).map(str::to_owned),
            });
        }
        Ok(tree.explain(symbol, self.config(), &self.record().asked))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroUsize;

    use mote_kconfig::Value;
    use mote_process::Cancel;

    use crate::testing::{Sandbox, plan};

    #[test]
    fn a_symbol_of_a_kernel_is_explained() {
        let sandbox = Sandbox::new();
        let source = &sandbox.source.dir;
        fs::write(source.join("Kconfig"), "config NET\n\tbool \"Networking\"\n").unwrap();
        let plan = plan(&["net"], "");
        let (spec, dirs) = (sandbox.spec(&plan), sandbox.dirs());
        let built = crate::build(&spec, &dirs, NonZeroUsize::MIN, &Cancel::default(), &mut |_| {});
        let kernel = built.unwrap().kernel;

        let explanation = kernel.explain(&"NET".parse().unwrap(), source).unwrap();
        assert_eq!(explanation.value, Some(Value::Yes));
        assert_eq!(explanation.definitions[0].prompt.as_deref(), Some("Networking"));
        let origin = &explanation.asked.unwrap().request.origin;
        assert_eq!(origin.to_string(), "feature net (features/net.toml:3)");
        let error = kernel.explain(&"NETT".parse().unwrap(), source).unwrap_err();
        assert_eq!(error.to_string(), "Linux 6.12.95 has no symbol NETT");
        assert_eq!(error.hint().unwrap(), "did you mean NET?");
    }
}
