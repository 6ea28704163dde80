//! The channel: the virtio-serial port over which host and init exchange frames.

use alloc::vec::Vec;

use mote_contract::{CHANNEL_DEVICE, Decoder, GuestFrame, HostFrame, PROTOCOL_VERSION};

use crate::error::{InitError, Result};
use crate::outbox::Outbox;
use crate::paths;
use crate::sys::{self, Errno, Fd, OpenFlags, PollFd};

/// How long the port may take to appear, in milliseconds. The driver asks the host for its ports in the background
/// while init starts, which takes a few milliseconds; without the driver they never come.
const PORT_TIMEOUT_MS: u32 = 10_000;

/// The driver hands out one page at a time.
const READ_LEN: usize = 4096;

/// An open channel; neither reading nor writing blocks.
#[derive(Debug)]
pub struct Channel {
    port: Fd,
    decoder: Decoder,
    received: Vec<u8>,
    /// What the port has yet to take.
    pub outbox: Outbox,
}

impl Channel {
    /// Waits for the port, opens it, and says hello as soon as the host listens.
    ///
    /// # Errors
    ///
    /// [`InitError::NoPort`], or a call that failed.
    pub fn open(boottime_ns: u64) -> Result<Self> {
        let port = wait_for_port()?;
        let mut hello = Vec::new();
        GuestFrame::Hello { protocol: PROTOCOL_VERSION, boottime_ns }.encode(&mut hello);
        port.write_all(&hello).map_err(InitError::call(format_args!("write(channel)")))?;
        Self::over(port)
    }

    /// A channel over a descriptor that is connected.
    ///
    /// # Errors
    ///
    /// When it cannot be made non-blocking.
    pub fn over(port: Fd) -> Result<Self> {
        port.set_nonblocking().map_err(InitError::call(format_args!("fcntl(channel)")))?;
        Ok(Self {
            port,
            decoder: Decoder::new(),
            received: Vec::with_capacity(READ_LEN),
            outbox: Outbox::new(),
        })
    }

    /// What to wait for.
    #[must_use]
    pub fn poll(&self) -> PollFd {
        match self.outbox.is_empty() {
            true => PollFd::read(&self.port),
            false => PollFd::read_write(&self.port),
        }
    }

    /// Gives the port as much of the outbox as it takes.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn flush(&mut self) -> Result<()> {
        self.outbox.flush(&self.port).map_err(InitError::call(format_args!("write(channel)")))
    }

    /// Gives the port all of the outbox, however long the host takes.
    ///
    /// # Errors
    ///
    /// As write(2), and [`InitError::HostGone`].
    pub fn flush_all(&mut self) -> Result<()> {
        loop {
            self.flush()?;
            if self.outbox.is_empty() {
                return Ok(());
            }
            let mut fds = [PollFd::write(&self.port)];
            sys::poll(&mut fds, None).map_err(InitError::call(format_args!("ppoll()")))?;
            if fds[0].is_hung_up() {
                return Err(InitError::HostGone.into());
            }
        }
    }

    /// Reads once and hands on the frames that are complete.
    ///
    /// # Errors
    ///
    /// What `handle` returns, [`InitError::Frame`], [`InitError::HostGone`], or as read(2).
    pub fn receive(&mut self, mut handle: impl FnMut(HostFrame<'_>) -> Result<()>) -> Result<()> {
        self.received.clear();
        match self.port.read_append(&mut self.received, READ_LEN) {
            Ok(0) => return Err(InitError::HostGone.into()),
            Err(Errno::EAGAIN) => return Ok(()),
            result => result.map_err(InitError::call(format_args!("read(channel)")))?,
        };
        let mut input = self.received.as_slice();
        while let Some(frame) = self.decoder.next(&mut input).map_err(InitError::Frame)? {
            handle(frame)?;
        }
        Ok(())
    }

    /// Waits until the host closes the channel, by which it says that it has read everything. What it still sends
    /// is for nobody.
    ///
    /// # Errors
    ///
    /// As ppoll(2) and read(2).
    pub fn wait_for_hang_up(&mut self) -> Result<()> {
        loop {
            let mut fds = [PollFd::read(&self.port)];
            sys::poll(&mut fds, None).map_err(InitError::call(format_args!("ppoll()")))?;
            if fds[0].is_hung_up() {
                return Ok(());
            }
            self.received.clear();
            match self.port.read_append(&mut self.received, READ_LEN) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(InitError::call(format_args!("read(channel)"))(errno)),
            }
        }
    }
}

/// Opens the port as soon as devtmpfs has its node.
fn wait_for_port() -> Result<Fd> {
    let created =
        sys::inotify(c"/dev").map_err(InitError::call(format_args!("inotify_add_watch(/dev)")))?;
    loop {
        match sys::open(paths::CHANNEL, OpenFlags::ReadWrite) {
            Err(Errno::ENOENT) => {}
            result => {
                return result.map_err(InitError::call(format_args!("open({CHANNEL_DEVICE})")));
            }
        }
        let mut fds = [PollFd::read(&created)];
        let ready = sys::poll(&mut fds, Some(PORT_TIMEOUT_MS));
        if ready.map_err(InitError::call(format_args!("ppoll()")))? == 0 {
            return Err(
                InitError::NoPort { path: CHANNEL_DEVICE, waited_ms: PORT_TIMEOUT_MS }.into()
            );
        }
        created
            .read_append(&mut Vec::new(), READ_LEN)
            .map_err(InitError::call(format_args!("read(inotify)")))?;
    }
}
