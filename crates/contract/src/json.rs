//! A strict reader of the run configuration. It knows the schema and nothing else of JSON, and makes init 50 KB smaller
//! than serde_json does (57 KB against 107); the tests hold the two against each other.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::str::FromStr;

use crate::config::{
    Filesystem, HostEntry, Io, Network, Root, RunConfig, Session, TerminalSize, Tmpfs, Writes,
};
use crate::names::CONFIG_VERSION;

/// Why a run configuration cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {offset} of the run configuration")]
pub struct ConfigError {
    /// Where reading stopped.
    pub offset: usize,
    /// What is wrong there.
    pub problem: ConfigProblem,
}

/// What is wrong with a run configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// Something else had to stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A key that the schema does not have.
    #[error("unknown key \"{0}\"")]
    UnknownKey(String),
    /// A key given twice.
    #[error("duplicate key \"{0}\"")]
    DuplicateKey(String),
    /// A key that must be there.
    #[error("missing key \"{0}\"")]
    MissingKey(&'static str),
    /// Another version of the schema.
    #[error("unknown version {0}, this init reads {CONFIG_VERSION}")]
    UnknownVersion(u32),
}

/// Boxed, because init is smaller when an error is handed on as one word.
type Result<T> = core::result::Result<T, Box<ConfigError>>;

impl RunConfig {
    /// Reads a run configuration.
    ///
    /// # Errors
    ///
    /// When it is not JSON, has a key more or less than the schema, or a value out of its range.
    pub fn from_json(text: &[u8]) -> core::result::Result<Self, ConfigError> {
        document(text).map_err(|error| *error)
    }
}

fn document(text: &[u8]) -> Result<RunConfig> {
    let mut reader = Reader { text, at: 0 };
    let config = run_config(&mut reader)?;
    match reader.peek() {
        None => Ok(config),
        Some(_) => reader.fail(ConfigProblem::Expected("the end")),
    }
}

fn run_config(reader: &mut Reader<'_>) -> Result<RunConfig> {
    let mut version = None;
    let (mut hostname, mut clock_unix_ns, mut entropy_seed, mut system) = (None, None, None, None);
    let (mut network_, mut hosts, mut root_, mut tmpfs_) = (None, None, None, None);
    let (mut session_, mut io) = (None, None);
    reader.object(&mut |reader, key| {
        match key {
            "version" => version = Some(reader.number(u32::MAX.into())? as u32),
            "hostname" => hostname = Some(reader.string()?),
            "clock_unix_ns" => clock_unix_ns = Some(reader.number(u64::MAX)?),
            "entropy_seed" => entropy_seed = Some(reader.parsed("64 hexadecimal digits")?),
            "network" => network_ = Some(network(reader)?),
            "hosts" => hosts = Some(reader.array(host_entry)?),
            "root" => root_ = Some(root(reader)?),
            "tmpfs" => tmpfs_ = Some(reader.array(tmpfs)?),
            "system" => system = Some(reader.string()?),
            "session" => session_ = Some(session(reader)?),
            "io" => io = Some(reader.word(&[("channel", Io::Channel), ("console", Io::Console)])?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    let version = reader.required("version", version)?;
    if version != CONFIG_VERSION {
        return reader.fail(ConfigProblem::UnknownVersion(version));
    }
    Ok(RunConfig {
        version,
        hostname,
        clock_unix_ns,
        entropy_seed,
        network: reader.required("network", network_)?,
        hosts: reader.required("hosts", hosts)?,
        root: reader.required("root", root_)?,
        tmpfs: reader.required("tmpfs", tmpfs_)?,
        system,
        session: reader.required("session", session_)?,
        io: reader.required("io", io)?,
    })
}

fn network(reader: &mut Reader<'_>) -> Result<Network> {
    #[derive(Clone, Copy)]
    enum Kind {
        None,
        Static,
        Dhcp,
    }
    const KINDS: [(&str, Kind); 3] =
        [("none", Kind::None), ("static", Kind::Static), ("dhcp", Kind::Dhcp)];
    let (mut kind, mut address, mut gateway, mut dns) = (None, None, None, None);
    reader.object(&mut |reader, key| {
        match key {
            "kind" => kind = Some(reader.word(&KINDS)?),
            "address" => address = Some(reader.parsed("an address with a prefix length")?),
            "gateway" => gateway = Some(reader.parsed(ADDRESS)?),
            "dns" => dns = Some(reader.array(|reader| reader.parsed::<Ipv4Addr>(ADDRESS))?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    let plain = address.is_none() && gateway.is_none() && dns.is_none();
    match reader.required("kind", kind)? {
        Kind::None if plain => Ok(Network::None),
        Kind::Dhcp if plain => Ok(Network::Dhcp),
        Kind::None | Kind::Dhcp => reader.fail(ConfigProblem::Expected("kind alone")),
        Kind::Static => Ok(Network::Static {
            address: reader.required("address", address)?,
            gateway: reader.required("gateway", gateway)?,
            dns: reader.required("dns", dns)?,
        }),
    }
}

fn host_entry(reader: &mut Reader<'_>) -> Result<HostEntry> {
    let (mut name, mut address) = (None, None);
    reader.object(&mut |reader, key| {
        match key {
            "name" => name = Some(reader.string()?),
            "address" => address = Some(reader.parsed("an IP address")?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    Ok(HostEntry {
        name: reader.required("name", name)?,
        address: reader.required("address", address)?,
    })
}

fn root(reader: &mut Reader<'_>) -> Result<Root> {
    const FILESYSTEMS: [(&str, Filesystem); 2] =
        [("erofs", Filesystem::Erofs), ("ext4", Filesystem::Ext4)];
    const WRITES: [(&str, Writes); 3] =
        [("memory", Writes::Memory), ("refused", Writes::Refused), ("disk", Writes::Disk)];
    let (mut is_disk, mut device, mut filesystem, mut writes) = (None, None, None, None);
    reader.object(&mut |reader, key| {
        match key {
            "kind" => is_disk = Some(reader.word(&[("initramfs", false), ("disk", true)])?),
            "device" => device = Some(reader.string()?),
            "filesystem" => filesystem = Some(reader.word(&FILESYSTEMS)?),
            "writes" => writes = Some(reader.word(&WRITES)?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    let plain = device.is_none() && filesystem.is_none() && writes.is_none();
    if reader.required("kind", is_disk)? {
        return Ok(Root::Disk {
            device: reader.required("device", device)?,
            filesystem: reader.required("filesystem", filesystem)?,
            writes: reader.required("writes", writes)?,
        });
    }
    match plain {
        true => Ok(Root::Initramfs),
        false => reader.fail(ConfigProblem::Expected("kind alone")),
    }
}

fn tmpfs(reader: &mut Reader<'_>) -> Result<Tmpfs> {
    let (mut path, mut flags, mut options) = (None, None, None);
    reader.object(&mut |reader, key| {
        match key {
            "path" => path = Some(reader.string()?),
            "flags" => flags = Some(reader.number(u32::MAX.into())? as u32),
            "options" => options = Some(reader.string()?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    Ok(Tmpfs {
        path: reader.required("path", path)?,
        flags: reader.required("flags", flags)?,
        options: reader.required("options", options)?,
    })
}

fn session(reader: &mut Reader<'_>) -> Result<Session> {
    let (mut argv, mut env, mut cwd) = (None, None, None);
    let (mut user, mut terminal) = (None, None);
    reader.object(&mut |reader, key| {
        match key {
            "argv" => argv = Some(reader.array(Reader::string)?),
            "env" => env = Some(reader.array(pair)?),
            "cwd" => cwd = Some(reader.string()?),
            "user" => user = Some(reader.string()?),
            "terminal" => terminal = Some(terminal_size(reader)?),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    let argv: Vec<String> = reader.required("argv", argv)?;
    if argv.is_empty() {
        return reader.fail(ConfigProblem::Expected("a program in argv"));
    }
    Ok(Session {
        argv,
        env: reader.required("env", env)?,
        cwd: reader.required("cwd", cwd)?,
        user,
        terminal,
    })
}

fn pair(reader: &mut Reader<'_>) -> Result<(String, String)> {
    reader.expect(b'[', "a pair")?;
    let key = reader.string()?;
    reader.expect(b',', "a comma")?;
    let value = reader.string()?;
    reader.expect(b']', "the pair's end")?;
    Ok((key, value))
}

fn terminal_size(reader: &mut Reader<'_>) -> Result<TerminalSize> {
    let (mut rows, mut cols) = (None, None);
    reader.object(&mut |reader, key| {
        match key {
            "rows" => rows = Some(reader.number(u16::MAX.into())? as u16),
            "cols" => cols = Some(reader.number(u16::MAX.into())? as u16),
            _ => return Ok(Key::Unknown),
        }
        Ok(Key::Known)
    })?;
    Ok(TerminalSize { rows: reader.required("rows", rows)?, cols: reader.required("cols", cols)? })
}

const ADDRESS: &str = "an IPv4 address";

enum Key {
    Known,
    Unknown,
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, problem: ConfigProblem) -> Result<T> {
        Err(Box::new(ConfigError { offset: self.at, problem }))
    }

    fn required<T>(&self, key: &'static str, value: Option<T>) -> Result<T> {
        match value {
            Some(value) => Ok(value),
            None => self.fail(ConfigProblem::MissingKey(key)),
        }
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn next_if(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        match self.next_if(byte) {
            true => Ok(()),
            false => self.fail(ConfigProblem::Expected(what)),
        }
    }

    fn object(&mut self, field: &mut dyn FnMut(&mut Self, &str) -> Result<Key>) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        self.expect(b'{', "an object")?;
        if self.next_if(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            if seen.contains(&key) {
                return self.fail(ConfigProblem::DuplicateKey(key));
            }
            self.expect(b':', "a colon")?;
            if let Key::Unknown = field(self, &key)? {
                return self.fail(ConfigProblem::UnknownKey(key));
            }
            seen.push(key);
            if self.next_if(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the object's end")?;
        }
    }

    fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        self.expect(b'[', "an array")?;
        if self.next_if(b']') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.next_if(b']') {
                return Ok(items);
            }
            self.expect(b',', "a comma or the array's end")?;
        }
    }

    /// A whole number from zero to `max`.
    fn number(&mut self, max: u64) -> Result<u64> {
        const WHAT: ConfigProblem = ConfigProblem::Expected("a whole number in range");
        self.peek();
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = &self.text[self.at..][..digits];
        if text.len() > 1 && text[0] == b'0' {
            return self.fail(WHAT);
        }
        let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        match number {
            Some(number) if number <= max => {
                self.at += digits;
                Ok(number)
            }
            _ => self.fail(WHAT),
        }
    }

    fn word<T: Copy>(&mut self, words: &[(&'static str, T)]) -> Result<T> {
        let text = self.string()?;
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => self.fail(ConfigProblem::Expected("a known word")),
        }
    }

    fn parsed<T: FromStr>(&mut self, what: &'static str) -> Result<T> {
        match self.string()?.parse() {
            Ok(value) => Ok(value),
            Err(_) => self.fail(ConfigProblem::Expected(what)),
        }
    }

    fn string(&mut self) -> Result<String> {
        self.expect(b'"', "a string")?;
        let mut bytes = Vec::new();
        loop {
            let Some(&byte) = self.text.get(self.at) else {
                return self.fail(ConfigProblem::Expected("the string's end"));
            };
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let character = self.escape()?;
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return self.fail(ConfigProblem::Expected("no control character")),
                byte => bytes.push(byte),
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => self.fail(ConfigProblem::Expected("UTF-8")),
        }
    }

    /// The character after a backslash.
    fn escape(&mut self) -> Result<char> {
        let byte = self.text.get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte.into(),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.fail(ConfigProblem::Expected("an escape")),
        })
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let mut code = self.hex4()?;
        if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?.wrapping_sub(0xdc00);
            if low < 0x400 {
                code = 0x10000 + ((code - 0xd800) << 10) + low;
            }
        }
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => self.fail(ConfigProblem::Expected("a whole surrogate pair")),
        }
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.text.get(self.at).copied().unwrap_or_default();
            match char::from(byte).to_digit(16) {
                Some(digit) => code = code << 4 | digit,
                None => return self.fail(ConfigProblem::Expected("four hexadecimal digits")),
            }
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cidr, EntropySeed};
    use alloc::string::ToString;
    use core::net::{IpAddr, Ipv4Addr};
    use proptest::option::of;
    use proptest::prelude::*;
    use std::format;

    const COMPLETE: &str = r#"{
        "version": 1,
        "hostname": "m\u00f6te \"\ud83d\ude00\" \/",
        "clock_unix_ns": 18446744073709551615,
        "entropy_seed": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFF",
        "network": {"dns": ["10.0.2.3"], "kind": "static", "address": "10.0.2.15/24", "gateway": "10.0.2.2"},
        "hosts": [{"name": "db", "address": "::1"}],
        "root": {"kind": "disk", "device": "/dev/vda", "filesystem": "erofs", "writes": "memory"},
        "tmpfs": [{"path": "/scratch", "flags": 14, "options": "size=1m"}],
        "system": "/sbin/init",
        "session": {"argv": ["sh", "-l"], "env": [["TERM", "linux"]], "cwd": "/root",
                    "user": "www-data:0", "terminal": {"rows": 24, "cols": 80}},
        "io": "channel"
    }"#;

    fn read(text: &str) -> core::result::Result<RunConfig, ConfigError> {
        RunConfig::from_json(text.as_bytes())
    }

    #[test]
    fn a_complete_configuration() {
        let config = read(COMPLETE).unwrap();
        assert_eq!(config.hostname.as_deref(), Some("möte \"😀\" /"));
        assert_eq!(config.clock_unix_ns, Some(u64::MAX));
        let seed: [u8; 32] = core::array::from_fn(|at| if at == 31 { 255 } else { at as u8 });
        assert_eq!(config.entropy_seed, Some(EntropySeed(seed)));
        let Network::Static { address, .. } = config.network else {
            panic!("not static");
        };
        assert_eq!(address.to_string(), "10.0.2.15/24");
        assert_eq!(address.netmask(), Ipv4Addr::new(255, 255, 255, 0));
        let root = Root::Disk {
            device: "/dev/vda".into(),
            filesystem: Filesystem::Erofs,
            writes: Writes::Memory,
        };
        assert_eq!(config.root, root);
        assert_eq!(config.session.user.as_deref(), Some("www-data:0"));
        assert_eq!(config.session.terminal, Some(TerminalSize { rows: 24, cols: 80 }));
    }

    #[test]
    fn what_is_refused() {
        let cases = [
            ("\"version\": 1,", "\"version\": 2,", "unknown version 2"),
            ("\"version\": 1,", "", "missing key \"version\""),
            ("\"version\": 1,", "\"version\": 01,", "expected a whole number in range"),
            ("\"version\": 1,", "\"version\": 1.0,", "expected a comma"),
            ("\"version\": 1,", "\"version\": -1,", "expected a whole number in range"),
            ("1615,", "1616,", "expected a whole number in range"),
            ("\"hostname\"", "\"version\"", "duplicate key \"version\""),
            ("\"hostname\"", "\"host\"", "unknown key \"host\""),
            ("1eFF", "1eFG", "expected 64 hexadecimal digits"),
            ("15/24", "15/33", "expected an address with a prefix length"),
            ("\"static\"", "\"dhcp\"", "expected kind alone"),
            ("\"static\"", "\"auto\"", "expected a known word"),
            ("\"disk\"", "\"initramfs\"", "expected kind alone"),
            ("\"device\": \"/dev/vda\", ", "", "missing key \"device\""),
            ("\"erofs\"", "\"xfs\"", "expected a known word"),
            ("\"::1\"", "\"::g\"", "expected an IP address"),
            ("\"options\"", "\"size\"", "unknown key \"size\""),
            ("[\"sh\", \"-l\"]", "[]", "expected a program in argv"),
            ("\"linux\"]", "\"linux\", 1]", "expected the pair's end"),
            ("\"rows\": 24", "\"rows\": 65536", "expected a whole number in range"),
            ("\\ude00", "", "expected a whole surrogate pair"),
            ("m\\u00f6te", "m\nte", "expected no control character"),
            ("m\\u00f6te", "m\\u00_6te", "expected four hexadecimal digits"),
            ("m\\u00f6te", "m\\x", "expected an escape"),
            ("\"channel\"\n    }", "\"channel\"\n    }}", "expected the end"),
        ];
        for (what, instead, message) in cases {
            assert!(COMPLETE.contains(what), "{what}");
            let error = read(&COMPLETE.replacen(what, instead, 1)).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(message), "{instead}: {text}");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for len in 0..COMPLETE.len() {
            assert!(RunConfig::from_json(&COMPLETE.as_bytes()[..len]).is_err());
        }
    }

    fn network() -> impl Strategy<Value = Network> {
        let cidr = (any::<Ipv4Addr>(), 0u8..=32)
            .prop_map(|(address, prefix)| Cidr::new(address, prefix).unwrap());
        let fixed = (cidr, any::<Ipv4Addr>(), any::<Vec<Ipv4Addr>>());
        prop_oneof![
            Just(Network::None),
            Just(Network::Dhcp),
            fixed.prop_map(|(address, gateway, dns)| Network::Static { address, gateway, dns }),
        ]
    }

    fn root() -> impl Strategy<Value = Root> {
        let filesystem = prop_oneof![Just(Filesystem::Erofs), Just(Filesystem::Ext4)];
        let writes = prop_oneof![Just(Writes::Memory), Just(Writes::Refused), Just(Writes::Disk)];
        let disk = (any::<String>(), filesystem, writes)
            .prop_map(|(device, filesystem, writes)| Root::Disk { device, filesystem, writes });
        prop_oneof![Just(Root::Initramfs), disk]
    }

    fn hosts() -> impl Strategy<Value = Vec<HostEntry>> {
        let host =
            any::<(String, IpAddr)>().prop_map(|(name, address)| HostEntry { name, address });
        prop::collection::vec(host, 0..3)
    }

    fn tmpfs() -> impl Strategy<Value = Vec<Tmpfs>> {
        let one = any::<(String, u32, String)>().prop_map(|(path, flags, options)| Tmpfs {
            path,
            flags,
            options,
        });
        prop::collection::vec(one, 0..3)
    }

    fn session() -> impl Strategy<Value = Session> {
        let terminal = of(any::<(u16, u16)>());
        let argv = prop::collection::vec(any::<String>(), 1..4);
        let (env, user) = (any::<Vec<(String, String)>>(), of(any::<String>()));
        (argv, env, any::<String>(), user, terminal).prop_map(|(argv, env, cwd, user, terminal)| {
            Session {
                argv,
                env,
                cwd,
                user,
                terminal: terminal.map(|(rows, cols)| TerminalSize { rows, cols }),
            }
        })
    }

    fn config() -> impl Strategy<Value = RunConfig> {
        let io = prop_oneof![Just(Io::Channel), Just(Io::Console)];
        let seed = of(any::<[u8; 32]>().prop_map(EntropySeed));
        let (text, number) = (of(any::<String>()), of(any::<u64>()));
        let files = (hosts(), root(), tmpfs());
        (text.clone(), number, seed, network(), files, text, session(), io).prop_map(
            |(hostname, clock_unix_ns, entropy_seed, network, files, system, session, io)| {
                RunConfig {
                    version: CONFIG_VERSION,
                    hostname,
                    clock_unix_ns,
                    entropy_seed,
                    network,
                    hosts: files.0,
                    root: files.1,
                    tmpfs: files.2,
                    system,
                    session,
                    io,
                }
            },
        )
    }

    proptest! {
        /// What the host writes with serde is what init reads without it.
        #[test]
        fn agrees_with_serde(config in config()) {
            for text in [serde_json::to_vec(&config), serde_json::to_vec_pretty(&config)] {
                prop_assert_eq!(RunConfig::from_json(&text.unwrap()), Ok(config.clone()));
            }
        }

        /// Whatever this reader accepts is JSON to a general one, too.
        #[test]
        fn accepts_only_json(at in 0..COMPLETE.len(), byte in any::<u8>()) {
            let mut text = COMPLETE.as_bytes().to_vec();
            text[at] = byte;
            if RunConfig::from_json(&text).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
            }
        }

        #[test]
        fn random_bytes_never_panic(text in any::<Vec<u8>>(), json in "[\\[{\"\\\\,:a-u0-9 }\\]]*") {
            let _ = RunConfig::from_json(&text);
            let _ = RunConfig::from_json(format!("{{{json}").as_bytes());
        }
    }
}
