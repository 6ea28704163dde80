//! Names and numbers that host and guest must spell alike.

/// Version of the channel protocol; the first thing that init says.
pub const PROTOCOL_VERSION: u32 = 1;

/// Version of the run configuration's schema.
pub const CONFIG_VERSION: u32 = 1;

/// mote's init in the initramfs; the kernel is told by `rdinit=`.
pub const INIT_PATH: &str = "/.mote/init";

/// The run configuration in the initramfs, JSON.
pub const CONFIG_PATH: &str = "/.mote/config.json";

/// The fifo into which a classic system writes a line once it is up. Init makes it when there is a system.
pub const UP_PATH: &str = "/.mote/up";

/// The kernel's console; the initramfs has the node, because the kernel opens it before devtmpfs is mounted.
pub const CONSOLE_PATH: &str = "/dev/console";

/// Name of the virtio-serial port that is the channel.
pub const CHANNEL_PORT_NAME: &str = "org.mote.channel";

/// Number of that port on the first virtio-serial device (`nr=` on QEMU); 0 is reserved for a console.
pub const CHANNEL_PORT_NUMBER: u32 = 1;

/// That port in the guest.
pub const CHANNEL_DEVICE: &str = "/dev/vport0p1";

/// Environment variable of the classic system; `dhcp` asks it to configure eth0 by DHCP.
pub const NETWORK_VARIABLE: &str = "MOTE_NETWORK";
