//! The contract's paths as the kernel takes them.

use core::ffi::CStr;

/// [`mote_contract::INIT_PATH`]
pub const INIT: &CStr = c"/.mote/init";

/// Where mote's own files are.
pub const OWN: &CStr = c"/.mote";

/// [`mote_contract::CONFIG_PATH`]
pub const CONFIG: &CStr = c"/.mote/config.json";

/// [`mote_contract::UP_PATH`]
pub const UP: &CStr = c"/.mote/up";

/// [`mote_contract::CHANNEL_DEVICE`]
pub const CHANNEL: &CStr = c"/dev/vport0p1";

/// [`mote_contract::CONSOLE_PATH`]
pub const CONSOLE: &CStr = c"/dev/console";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_the_contract() {
        for (path, contract) in [
            (INIT, mote_contract::INIT_PATH),
            (CONFIG, mote_contract::CONFIG_PATH),
            (UP, mote_contract::UP_PATH),
            (CHANNEL, mote_contract::CHANNEL_DEVICE),
            (CONSOLE, mote_contract::CONSOLE_PATH),
        ] {
            assert_eq!(path.to_str(), Ok(contract));
        }
    }
}
