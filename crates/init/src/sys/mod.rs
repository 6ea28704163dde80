//! The system calls that init needs, without libc: Linux, x86-64. Every unsafe block of the library is in here.
//!
//! The functions are thin: one call each, `EINTR` not retried (init has no signal handlers), paths as C strings,
//! structures laid out as in the kernel's `include/uapi`.

mod attributes;
mod errno;
mod fd;
mod fs;
mod net;
mod process;
mod raw;
mod signal;
mod time;
mod tty;

pub use attributes::copy_attributes;
pub use errno::Errno;
pub use fd::{Fd, PollFd, pipe, poll, print};
pub use fs::{
    OpenFlags, add_entropy, chroot, exists, inotify, make_fifo, mkdir, mount, open, open_below,
    open_file_system, symlink, sync, unlink,
};
pub use net::{Interface, inet_socket};
pub use process::{
    CStrings, Forked, Pid, Pointers, Resource, Status, ZeroByte, chdir, clone_into_pid_namespace,
    execve, exit, fork, is_first_process, join_pid_namespace, kill, kill_all, kill_group,
    new_session, restart, set_hostname, set_identity, set_limit, wait_any,
};
pub use raw::raw_call;
pub use signal::{Signal, block_all_signals, read_signal, unblock_all_signals};
pub use time::{boottime_ns, realtime_ns, set_realtime};
pub use tty::{Pty, open_pty, set_controlling_terminal, set_window_size, wait_until_sent};
