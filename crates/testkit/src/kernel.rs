//! The kernel that the tests boot.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::Sandbox;

/// How long a kernel's build may take: six minutes on two idle cores.
const BUILD_PATIENCE: Duration = Duration::from_secs(3600);
/// Name Linux sources; what comes first is taken.
const SOURCES: [&str; 2] = ["MOTE_TEST_SOURCE_6_12", "MOTE_TEST_SOURCE_6_1"];

/// What the kernel can do: all that runs of recipes and images need by themselves.
const FEATURES: &str = "image,ext4";

/// The kernel, once for each test program.
pub(crate) fn default(sandbox: &Sandbox) -> &'static Path {
    static KERNEL: OnceLock<PathBuf> = OnceLock::new();
    KERNEL.get_or_init(|| {
        if let Some(vmlinux) = std::env::var_os("MOTE_TEST_KERNEL") {
            return PathBuf::from(vmlinux).parent().expect("a file's path").to_owned();
        }
        let source = SOURCES.iter().find_map(std::env::var_os).unwrap_or_else(|| "auto".into());
        let build =
            sandbox.mote(["kernel", "build", "--feature", FEATURES, "--source"]).arg(source);
        let built = build.run_within(BUILD_PATIENCE).expect_code(0);
        let path = PathBuf::from(built.text().trim_end());
        assert!(path.join("vmlinux").is_file(), "no kernel at {}", path.display());
        path
    })
}
