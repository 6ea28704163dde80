//! What came of a program.

use std::process::ExitStatus;

/// How a program ended and what it printed.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Checks the exit code.
    ///
    /// # Panics
    ///
    /// With all that was printed, if it is another or there was a signal.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        let Self { status, stderr, .. } = &self;
        assert_eq!(
            status.code(),
            Some(code),
            "{status}\nstandard output:\n{}\nstandard error:\n{stderr}",
            self.text()
        );
        self
    }

    /// Checks that standard error says all of `texts`.
    ///
    /// # Panics
    ///
    /// With standard error, if it does not.
    #[track_caller]
    pub fn expect_said(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "not said: {text:?}, but:\n{}", self.stderr);
        }
        self
    }

    /// Checks that standard error does not say any of `texts`.
    ///
    /// # Panics
    ///
    /// With standard error, if it does.
    #[track_caller]
    pub fn expect_unsaid(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.stderr.contains(text), "said: {text:?} in:\n{}", self.stderr);
        }
        self
    }
}
