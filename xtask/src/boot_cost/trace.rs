//! QEMU's trace of device accesses. Under KVM each is an exit of the guest.

use super::pid1::MARK;

/// The offset of the transmit register of a 16550, as QEMU names ports.
const SERIAL_TRANSMIT: u64 = 0x3f8;
/// The offset of `QueueNotify` (virtio 1.2, 4.2.2): how a driver says that there is output.
const VIRTIO_QUEUE_NOTIFY: u64 = 0x50;

/// What the guest prints on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// ttyS0: two accesses a character.
    Serial,
    /// hvc0: one access a line.
    Virtio,
}

struct Access<'a> {
    write: bool,
    address: u64,
    value: u64,
    device: &'a str,
}

/// The accesses until PID 1 prints. The PIT's are left out: how often it is polled depends on how
/// fast the host is.
pub fn count(trace: &str, console: Console) -> Option<u64> {
    let mut accesses =
        trace.lines().filter_map(parse).filter(|access| !access.device.contains("pit"));
    match console {
        Console::Serial => until_mark(accesses),
        Console::Virtio => {
            let all: Vec<_> = accesses.by_ref().collect();
            all.iter().rposition(is_notify).map(|position| position as u64)
        }
    }
}

fn is_notify(access: &Access<'_>) -> bool {
    access.write
        && access.device.contains("virtio-mmio")
        && access.address & 0xff == VIRTIO_QUEUE_NOTIFY
}

fn until_mark<'a>(accesses: impl Iterator<Item = Access<'a>>) -> Option<u64> {
    let mut sent = Vec::new();
    for (count, access) in accesses.enumerate() {
        if access.write && access.device == "serial" && access.address == SERIAL_TRANSMIT {
            sent.push((access.value as u8, count as u64));
            let end = sent.len().checked_sub(MARK.len()).map(|start| &sent[start..]);
            if let Some(end) = end
                && end.iter().map(|(byte, _)| *byte).eq(MARK.bytes())
            {
                return end.first().map(|(_, count)| *count);
            }
        }
    }
    None
}

/// `memory_region_ops_write cpu 0 mr 0x55… addr 0x3f8 value 0x54 size 1 name 'serial'`
fn parse(line: &str) -> Option<Access<'_>> {
    let (_, event) = line.split_once("memory_region_ops_")?;
    let field = |name: &str| {
        let (_, rest) = event.split_once(name)?;
        u64::from_str_radix(rest.split_whitespace().next()?, 16).ok()
    };
    let (_, device) = event.split_once("name '")?;
    Some(Access {
        write: event.starts_with("write"),
        address: field("addr 0x")?,
        value: field("value 0x")?,
        device: device.strip_suffix('\'')?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, address: u64, value: u64, device: &str) -> String {
        format!(
            "memory_region_ops_{kind} cpu 0 mr 0x5 addr {address:#x} value {value:#x} size 1 name '{device}'\n"
        )
    }

    #[test]
    fn accesses_count_until_the_mark_on_the_serial_port() {
        let mut trace = line("read", 0xfee0_0020, 0, "apic-msi") + &line("read", 0x40, 0, "pit");
        for byte in "\nTSC 0".bytes() {
            trace += &line("read", 0x3fd, 0x60, "serial");
            trace += &line("write", 0x3f8, byte.into(), "serial");
        }
        // The APIC, the line feed with its read, and the read before the T.
        assert_eq!(count(&trace, Console::Serial), Some(4));
        assert_eq!(count("nothing\n", Console::Serial), None);
    }

    #[test]
    fn accesses_count_until_the_last_notification_of_a_virtio_console() {
        let notify = line("write", 0xfeb0_0050, 1, "virtio-mmio");
        let trace = line("read", 0, 0, "fwcfg") + &notify + &notify + &line("write", 0x64, 1, "io");
        assert_eq!(count(&trace, Console::Virtio), Some(2));
    }
}
