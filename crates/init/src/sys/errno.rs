//! Error numbers and their names.

use core::fmt;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u16);

/// Names from 1 on (`include/uapi/asm-generic/errno-base.h` and `errno.h`); `-` where there is no number.
const NAMES: &str = "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT \
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS \
    EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC \
    EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA \
    ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ \
    EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ \
    EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE \
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN \
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL \
    EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD \
    ENOTRECOVERABLE ERFKILL EHWPOISON";

macro_rules! numbers {
    ($($name:ident = $number:literal,)*) => {
        impl Errno {
            $(#[doc = concat!("Number ", $number, ".")] pub const $name: Self = Self($number);)*
        }
    };
}

/// What the commonest mean, in the words of strerror(3).
const WORDS: [(Errno, &str); 24] = [
    (Errno(1), "operation not permitted"),
    (Errno::ENOENT, "no such file or directory"),
    (Errno::EIO, "input/output error"),
    (Errno::ENXIO, "no such device or address"),
    (Errno(7), "argument list too long"),
    (Errno::ENOEXEC, "exec format error"),
    (Errno::ENOMEM, "out of memory"),
    (Errno::EACCES, "permission denied"),
    (Errno(16), "device or resource busy"),
    (Errno::EEXIST, "file exists"),
    (Errno::ENODEV, "no such device"),
    (Errno::ENOTDIR, "not a directory"),
    (Errno(21), "is a directory"),
    (Errno::EINVAL, "invalid argument"),
    (Errno(24), "too many open files"),
    (Errno(26), "text file busy"),
    (Errno(28), "no space left on device"),
    (Errno(30), "read-only file system"),
    (Errno(36), "file name too long"),
    (Errno::ENOSYS, "function not implemented"),
    (Errno(40), "too many symbolic links"),
    (Errno(97), "address family not supported"),
    (Errno(101), "network is unreachable"),
    (Errno::EUCLEAN, "structure needs cleaning"),
];

numbers! {
    ENOENT = 2,
    ESRCH = 3,
    EIO = 5,
    ENXIO = 6,
    ENOEXEC = 8,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EEXIST = 17,
    ENODEV = 19,
    ENOTDIR = 20,
    EINVAL = 22,
    EPIPE = 32,
    ENOSYS = 38,
    EOPNOTSUPP = 95,
    EUCLEAN = 117,
}

impl Errno {
    /// The name in C, `ENOENT`; `None` for a number without one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let index = usize::from(self.0).checked_sub(1)?;
        NAMES.split(' ').nth(index).filter(|name| *name != "-")
    }

    /// What it means, for a person; `None` for the rarer ones.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        WORDS.iter().find(|(errno, _)| *errno == self).map(|(_, words)| *words)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_stand_at_their_numbers() {
        let cases = [
            (1, "EPERM"),
            (2, "ENOENT"),
            (11, "EAGAIN"),
            (38, "ENOSYS"),
            (40, "ELOOP"),
            (42, "ENOMSG"),
            (57, "EBADSLT"),
            (59, "EBFONT"),
            (95, "EOPNOTSUPP"),
            (110, "ETIMEDOUT"),
            (133, "EHWPOISON"),
        ];
        for (number, name) in cases {
            assert_eq!(Errno(number).name(), Some(name));
        }
        for number in [0, 41, 58, 134, 4095] {
            assert_eq!(Errno(number).name(), None);
        }
        assert_eq!(Errno(512).to_string(), "error 512");
        assert_eq!(Errno(30).name(), Some("EROFS"));
        assert_eq!(Errno(30).words(), Some("read-only file system"));
        assert_eq!(Errno::EUCLEAN.name(), Some("EUCLEAN"));
        assert_eq!(Errno::EPIPE.words(), None);
    }
}
