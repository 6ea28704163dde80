//! What is wanted in a kernel.

/// What a kernel's configuration is to be made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigSpec {
    /// Names of features; what they require comes with them.
    pub features: Vec<String>,
    /// The user's fragments. They win over features, the later over the earlier.
    pub fragments: Vec<ConfigFile>,
    /// A full `.config` to start from, instead of one in which all is `n`. Features and fragments
    /// win over it.
    pub base: Option<ConfigFile>,
}

/// A fragment or a `.config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// How errors and origins name it: the path as the user wrote it.
    pub file: String,
    /// Its text.
    pub text: String,
}
