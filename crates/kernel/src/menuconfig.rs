//! The kernel's own editor for its configuration.

use std::ffi::OsStr;
use std::path::Path;

use mote_kconfig::{Config, difference};
use mote_process::{Cancel, ProcessError};

use crate::config::{ConfigError, ConfigPlan};
use crate::kbuild::Kbuild;
use crate::source::Source;
use crate::tools::{self, ToolsError};
use crate::{BuildTool, ToolKind, Toolchain};

/// What the editor is compiled with, beside the tools of a build.
const CURSES: BuildTool = BuildTool {
    name: "ncurses.h",
    kind: ToolKind::Header,
    debian_package: "libncurses-dev",
    purpose: "compiles menuconfig",
};

/// Why nothing was edited.
#[derive(Debug, thiserror::Error)]
pub enum MenuconfigError {
    /// The configuration to edit could not be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The editor cannot be compiled here.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The editor failed, or the user interrupted.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl MenuconfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Tools(error) => error.hint(),
            Self::Process(error) => error.hint(),
        }
    }
}

impl ConfigPlan {
    /// Runs `make menuconfig` on our own terminal (`term` is its `TERM`), starting from what comes
    /// of this plan; what Kconfig dropped is no error here, since the user may be about to mend
    /// it. Gives what the user changed: rendered, it is a fragment to be added to the plan's.
    ///
    /// `work` is used as by [`ConfigPlan::resolve`].
    ///
    /// # Errors
    ///
    /// Curses that are not installed; a path, program or file that cannot be used.
    pub fn menuconfig(
        &self,
        source: &Source,
        toolchain: &Toolchain,
        work: &Path,
        term: &OsStr,
        cancel: &Cancel,
    ) -> Result<Config, MenuconfigError> {
        tools::require(&[CURSES], &toolchain.search, cancel)?;
        let kbuild = Kbuild::enter(toolchain, &source.dir, work)?;
        self.run_conf(&kbuild, cancel)?;
        let before = kbuild.config()?;
        kbuild.make().env("TERM", term).arg("menuconfig").interact(cancel)?;
        Ok(difference(&before, &kbuild.config()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sandbox, plan};

    #[test]
    fn what_the_user_changed_is_a_fragment() {
        let sandbox = Sandbox::with_make(
            r#"
case $goal in
  allnoconfig) cp "$KCONFIG_ALLCONFIG" .config ;;
  menuconfig)
    test "$TERM" = vt220
    grep -v CONFIG_PVH .config > edited
    echo CONFIG_SWAP=y >> edited
    mv edited .config ;;
esac
"#,
        );
        let changed = plan(&["base"], "").menuconfig(
            &sandbox.source,
            &sandbox.toolchain,
            &sandbox.path("work"),
            OsStr::new("vt220"),
            &Cancel::default(),
        );
        assert_eq!(changed.unwrap().render(), "# CONFIG_PVH is not set\nCONFIG_SWAP=y\n");
    }
}
