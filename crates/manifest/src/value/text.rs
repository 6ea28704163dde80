//! What plain texts must look like, in a key as in a flag; each with the words for it.

/// See [`is_guest_path`].
pub(crate) const GUEST_PATH: &str = "an absolute path without '.', '..' and empty parts";

/// A path of the guest's: absolute, and the only way to write it.
pub(crate) fn is_guest_path(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| {
        !rest.contains('\0') && rest.split('/').all(|part| !["", ".", ".."].contains(&part))
    })
}

/// See [`is_guest_directory`].
pub(crate) const GUEST_DIRECTORY: &str = "an absolute path";

/// A directory of the guest's, where the root is one too.
pub(crate) fn is_guest_directory(path: &str) -> bool {
    path.starts_with('/') && !path.contains('\0')
}

/// See [`is_user`].
pub(crate) const USER: &str = "a user, or user:group";

/// Who to be: a name or number, and perhaps a group after a colon. The guest looks names up.
pub(crate) fn is_user(user: &str) -> bool {
    let mut parts = user.splitn(2, ':');
    parts.all(|part| !part.is_empty() && !part.contains([':', '\n', '\0']))
}

/// See [`is_hostname`].
pub(crate) const HOSTNAME: &str = "a host name";

/// A host name as the kernel takes it (`__NEW_UTS_LEN` is 64) and DNS knows it.
pub(crate) fn is_hostname(name: &str) -> bool {
    name.len() <= 64
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// See [`are_kernel_words`].
pub(crate) const KERNEL_WORDS: &str = "words for a kernel command line";

/// Words of the kernel's command line.
pub(crate) fn are_kernel_words(words: &str) -> bool {
    !words.contains(char::is_control)
}
