//! Real kernels: configured, built, proven and explained; and what bad input gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mote_testkit::{Finished, Sandbox};

/// Two hours, on a machine with much else to do.
const BUILD_PATIENCE: Duration = Duration::from_secs(7200);

fn shared() -> Sandbox {
    Sandbox::with_shared_cache(env!("CARGO_BIN_EXE_mote"))
}

/// The directory or tarball that the environment names.
fn source(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} names no Linux source: ./test sets it")).into()
}

fn build(sandbox: &Sandbox, source: &Path, args: &[&str]) -> Finished {
    let mote = sandbox.mote(["kernel", "build", "--source"]).arg(source).args(args.to_vec());
    mote.run_within(BUILD_PATIENCE)
}

fn config(sandbox: &Sandbox, source: &Path, args: &[&str]) -> Finished {
    let mote = sandbox.mote(["kernel", "config", "--source"]).arg(source).args(args.to_vec());
    mote.run_within(BUILD_PATIENCE)
}

/// The source of 6.12 at another path, by hard links: without copying 1.5 GB.
fn linked_source(name: &str) -> PathBuf {
    let tree = source("MOTE_TEST_SOURCE_6_12");
    let linked = shared().cache().join(name);
    let _ = fs::remove_dir_all(&linked);
    fs::create_dir_all(linked.parent().unwrap()).unwrap();
    let status = Command::new("cp").arg("-al").arg(&tree).arg(&linked).status().unwrap();
    assert!(status.success());
    linked
}

/// Every feature that mote has, separated by commas.
fn all_features(sandbox: &Sandbox) -> String {
    let listed = sandbox.mote(["kernel", "features", "--format", "json"]).run().expect_code(0);
    let features: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names =
        features.as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap());
    names.collect::<Vec<_>>().join(",")
}

/// Builds a kernel with all features, unless another test has; gives its folder.
fn kernel_with_all_features(sandbox: &Sandbox, variable: &str) -> String {
    let features = all_features(sandbox);
    let built = build(sandbox, &source(variable), &["--feature", &features]).expect_code(0);
    built.text().trim_end().to_owned()
}

/// Proves each feature in a guest.
fn all_features_are_proven(variable: &str) {
    let sandbox = shared();
    let kernel = kernel_with_all_features(&sandbox, variable);
    let tested = sandbox.mote(["kernel", "test", "--format", "json", &kernel]).run();
    let proofs: serde_json::Value = serde_json::from_slice(&tested.stdout).unwrap_or_default();
    let proofs = proofs.as_array().unwrap_or_else(|| panic!("no proofs: {}", tested.stderr));
    let failed: Vec<_> =
        proofs.iter().filter(|proof| proof["result"]["state"] != "proven").collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", tested.stderr);
    assert!(proofs.len() >= 25, "only {} features have a probe", proofs.len());
    tested.expect_code(0);
}

/// Tells when a feature needs a line for what has changed since: symbols are renamed, and go.
#[test]
#[ignore = "unpacks a Linux source: run by ./test"]
fn all_features_can_be_had_on_the_newest_kernel() {
    let sandbox = shared();
    let features = all_features(&sandbox);
    let source = source("MOTE_TEST_TARBALL_NEWEST");
    let configured = config(&sandbox, &source, &["--feature", &features]).expect_code(0);
    configured.expect_unsaid(&["warning"]);
}

#[test]
#[ignore = "builds and boots a kernel: run by ./test"]
fn all_features_are_proven_on_6_12() {
    all_features_are_proven("MOTE_TEST_SOURCE_6_12");
}

#[test]
#[ignore = "builds and boots a kernel: run by ./test"]
fn all_features_are_proven_on_6_1() {
    all_features_are_proven("MOTE_TEST_SOURCE_6_1");
}

/// The default kernel is for one processor: a run with more builds one with `smp`, or is refused if
/// it was told which kernel to take.
#[test]
#[ignore = "builds and boots a kernel: run by ./test"]
fn a_guest_has_the_processors_that_its_run_asks_for() {
    let sandbox = shared();
    let kernel = kernel_with_all_features(&sandbox, "MOTE_TEST_SOURCE_6_12");
    for cpus in ["1", "2"] {
        let flags = ["run", "--cpus", cpus, "--kernel", &kernel];
        let run = sandbox.mote(flags).args(["recipe:busybox", "nproc"]).run().expect_code(0);
        assert_eq!(run.text(), format!("{cpus}\n"));
    }
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_probe_fails_without_its_feature() {
    // A kernel whose record claims features that it does not have.
    let sandbox = shared();
    let copy = sandbox.home().join("kernel");
    let copied = Command::new("cp").arg("-r").arg(sandbox.kernel()).arg(&copy).status().unwrap();
    assert!(copied.success());
    let record = copy.join("kernel.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    const CLAIMED: [&str; 12] = [
        "9p",
        "containers",
        "cpusets",
        "fuse",
        "ikconfig",
        "netfilter",
        "partitions",
        "rtc",
        "smp",
        "tun",
        "vsock",
        "wireguard",
    ];
    for feature in CLAIMED {
        json["features"].as_array_mut().unwrap().push(feature.into());
    }
    fs::write(&record, json.to_string()).unwrap();
    let tested = sandbox.mote(["kernel", "test"]).arg(&copy).run().expect_code(1);
    let text = tested.text();
    let verdict = |feature: &str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(feature));
        line.unwrap_or_else(|| panic!("{feature} is not in:\n{text}")).to_owned()
    };
    for feature in CLAIMED {
        assert!(verdict(feature).contains("not proven"), "{text}");
    }
    assert!(verdict("base").ends_with(" proven"), "{text}");
}

/// What another machine has made of the same inputs, in the form of sha256sum(1): a kernel's key is
/// the digest of all that goes in, compiler and linker included.
const MADE_ELSEWHERE: &str = include_str!("kernel-digests.txt");

/// As `sha256sum KEY/FILE …` prints it, for the files that make a kernel.
fn digests(dir: &Path, key: &str) -> String {
    let digest = |file| {
        let sum = Command::new("sha256sum").arg(dir.join(file)).output().unwrap().stdout;
        format!("{}  {key}/{file}\n", String::from_utf8(sum).unwrap().split(' ').next().unwrap())
    };
    ["vmlinux", "bzImage", "System.map", "config", "kernel.json"].map(digest).concat()
}

/// The kernel that all tests boot is compared with what another machine made of the same inputs. If
/// the inputs have changed since that was noted, it is built once more, elsewhere.
#[test]
#[ignore = "builds a kernel: run by ./test"]
fn a_kernel_is_the_same_wherever_it_is_built() {
    let shared = shared();
    let one = shared.kernel();
    let key = one.file_name().unwrap().to_str().unwrap();
    let made_here = digests(one, key);
    let noted: Vec<_> = MADE_ELSEWHERE.lines().filter(|line| line.contains(key)).collect();
    if !noted.is_empty() {
        assert_eq!(made_here.lines().collect::<Vec<_>>(), noted);
        return;
    }
    // The same files elsewhere, and another cache.
    let elsewhere = linked_source("elsewhere");
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_mote"));
    let to = sandbox.home().join("kernel");
    let args = ["--feature", "image,ext4", "-j3", "-o", to.to_str().unwrap()];
    let built = build(&sandbox, &elsewhere, &args);
    fs::remove_dir_all(&elsewhere).unwrap();
    built.expect_code(0);
    assert_eq!(digests(&to, key), made_here);
    println!("for kernel-digests.txt, which spares the second build:\n{made_here}");
}

/// The smallest set.
const SMALL: [&str; 2] = ["--feature", "minimal-ext4"];

#[test]
#[ignore = "configures a kernel: run by ./test"]
fn what_kconfig_drops_is_told_with_the_reason() {
    let sandbox = shared();
    let source = source("MOTE_TEST_SOURCE_6_12");
    sandbox.write("my.fragment", "CONFIG_IPV6=y\n# mine\nCONFIG_NF_TABLES=y\n");
    let args = ["--feature", "base", "--fragment", "my.fragment"];
    config(&sandbox, &source, &args).expect_code(125).expect_said(&[
        "Kconfig dropped 2 symbols",
        "NF_TABLES",
        "my.fragment:3",
        "NETFILTER",
        "my.fragment:1",
        "hint: ",
        "# optional",
    ]);
    sandbox.write("optional.fragment", "CONFIG_IPV6=y # optional\n");
    config(&sandbox, &source, &["--feature", "base", "--fragment", "optional.fragment"])
        .expect_code(0)
        .expect_said(&["warning: ", "IPV6"]);
}

#[test]
#[ignore = "configures a kernel: run by ./test"]
fn unknown_symbols_have_a_nearest_name() {
    let sandbox = shared();
    sandbox.write("my.fragment", "CONFIG_VIRTIO_BLOK=y\n");
    for variable in ["MOTE_TEST_SOURCE_6_12", "MOTE_TEST_SOURCE_6_1"] {
        let args = ["--feature", "base", "--fragment", "my.fragment"];
        config(&sandbox, &source(variable), &args).expect_code(125).expect_said(&[
            "VIRTIO_BLOK",
            "my.fragment:1",
            "VIRTIO_BLK",
        ]);
    }
}

/// As a distribution has it: with modules, and signed ones.
#[test]
#[ignore = "configures a kernel: run by ./test"]
fn a_configuration_is_started_from() {
    let sandbox = shared();
    let source = source("MOTE_TEST_SOURCE_6_12");
    sandbox.write(
        "old.config",
        "CONFIG_64BIT=y\nCONFIG_MODULES=y\nCONFIG_NET=y\nCONFIG_INET=y\nCONFIG_NETDEVICES=y\n\
         CONFIG_NET_CORE=y\nCONFIG_DUMMY=m\nCONFIG_EXPERT=y\n\
         # CONFIG_EPOLL is not set\n# CONFIG_SLUB_DEBUG is not set\n",
    );
    let args = ["--config", "old.config", "--feature", "base", "--full"];
    let full = config(&sandbox, &source, &args).expect_code(0);
    let full = full.expect_said(&["warning: ", "modules, which are not built"]).text();
    // Of the file, of the feature that wins over it, and Kconfig's default.
    for line in ["CONFIG_DUMMY=m", "CONFIG_EPOLL=y", "CONFIG_SWAP=y"] {
        assert!(full.lines().any(|got| got == line), "{line} is not in:\n{full}");
    }

    sandbox.write("signed.config", "CONFIG_64BIT=y\nCONFIG_MODULES=y\nCONFIG_MODULE_SIG=y\n");
    let signed = ["--config", "signed.config"];
    config(&sandbox, &source, &signed).expect_code(125).expect_said(&[
        "error: MODULE_SIG_KEY would build in files of this machine: \"certs/signing_key.pem\"\n",
        "CONFIG_MODULE_SIG_KEY=\"\"",
    ]);
    sandbox.write("no-key.fragment", "CONFIG_MODULE_SIG_KEY=\"\"\n");
    config(&sandbox, &source, &[&signed[..], &["--fragment", "no-key.fragment"]].concat())
        .expect_code(0);
}

#[test]
#[ignore = "compiles the kernel's editor: run by ./test"]
fn menuconfig_edits_on_a_terminal() {
    let sandbox = shared();
    let source = source("MOTE_TEST_SOURCE_6_12");
    let menuconfig = sandbox.mote(["kernel", "menuconfig", "--feature", "base", "--source"]);
    let mut editor = menuconfig.arg(source).start_on_terminal(40, 100);
    editor.screen.wait_for("irtualization");
    // The letter that is highlighted leads to the entry. Then <Exit>, and save.
    editor.type_text("vy\t\r");
    editor.screen.wait_for("save your new");
    editor.type_text("\r");
    editor.screen.wait_for("wrote menuconfig.fragment; build with it: mote kernel build --source ");
    assert_eq!(editor.finish().0.code(), Some(0));
    let fragment = fs::read_to_string(sandbox.home().join("menuconfig.fragment")).unwrap();
    assert!(fragment.lines().any(|line| line == "CONFIG_VIRTUALIZATION=y"), "{fragment}");
}

#[test]
#[ignore = "needs a built kernel: run by ./test"]
fn a_symbol_is_explained() {
    let sandbox = shared();
    let kernel = sandbox.kernel();
    // Built from a directory: mote remembers which.
    let explain = |symbol: &str| {
        let mote = sandbox.mote(["kernel", "explain", "--kernel"]).arg(kernel).arg(symbol);
        mote.run_within(BUILD_PATIENCE)
    };
    let net = explain("CONFIG_VIRTIO_NET").expect_code(0).text();
    for text in ["VIRTIO_NET = y", "features/net.toml:", "VIRTIO", "NETDEVICES"] {
        assert!(net.contains(text), "{text} is not in:\n{net}");
    }
    let unset = explain("WIREGUARD").expect_code(0).text();
    assert!(unset.contains("WIREGUARD = n"), "{unset}");
    assert!(unset.contains("by nobody"), "{unset}");
    explain("WIREGARD").expect_code(125).expect_said(&["WIREGARD", "did you mean WIREGUARD?"]);
}

#[test]
#[ignore = "builds a kernel: run by ./test"]
fn a_compiler_error_is_shown_with_the_log() {
    // A cache of its own: what is left there is of this build.
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_mote"));
    let broken = linked_source("broken");
    // One of the first that are compiled. The link goes, the shared file stays.
    let file = broken.join("kernel/bounds.c");
    fs::remove_file(&file).unwrap();
    fs::write(&file, "int main(void) { return x; }\n").unwrap();
    let built = build(&sandbox, &broken, &SMALL);
    fs::remove_dir_all(&broken).unwrap();
    built.expect_code(125).expect_said(&[
        "the build of Linux 6.12",
        "kernel/bounds.c:1",
        "error:",
        "the whole log: ",
    ]);
    assert_only_work_is_left(&sandbox);
}

/// Of a build that did not come to its end: what the next one goes on with, until it is pruned.
fn assert_only_work_is_left(sandbox: &Sandbox) {
    let left = || {
        let entries = fs::read_dir(sandbox.cache().join("kernels")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let is_work = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "work");
    assert!(matches!(left().as_slice(), [one] if is_work(one)), "{:?}", left());
    sandbox.mote(["prune"]).run().expect_code(0);
    assert!(left().is_empty(), "{:?}", left());
}

/// Waits until something is being compiled: the build's own programs come first.
fn wait_for_compilation(sandbox: &Sandbox) {
    let end = Instant::now() + BUILD_PATIENCE;
    let compiles = || {
        let logs = fs::read_dir(sandbox.cache().join("logs")).ok()?;
        let texts = logs.filter_map(|log| fs::read_to_string(log.ok()?.path()).ok());
        texts.into_iter().find(|text| text.contains("  HOSTCC  "))
    };
    while compiles().is_none() {
        assert!(Instant::now() < end, "nothing is compiled");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "starts a kernel's build: run by ./test"]
fn an_interrupted_build_leaves_its_work_and_no_process() {
    use rustix::process::Signal;
    let tree = source("MOTE_TEST_SOURCE_6_12");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let sandbox = Sandbox::with_shared_memos(env!("CARGO_BIN_EXE_mote"));
        let running = sandbox.mote(["kernel", "build", "--source"]).arg(&tree).args(SMALL).start();
        wait_for_compilation(&sandbox);
        running.signal(signal);
        running.finish().expect_code(code);
        sandbox.assert_no_orphans();
        assert_only_work_is_left(&sandbox);
    }
}

#[test]
#[ignore = "starts a kernel's build: run by ./test"]
fn a_killed_build_takes_its_compilers_along() {
    use rustix::process::Signal;
    let tree = source("MOTE_TEST_SOURCE_6_12");
    let sandbox = Sandbox::with_shared_memos(env!("CARGO_BIN_EXE_mote"));
    let running = sandbox.mote(["kernel", "build", "--source"]).arg(&tree).args(SMALL).start();
    wait_for_compilation(&sandbox);
    running.signal(Signal::KILL);
    drop(running);
    sandbox.assert_no_orphans();
    let listed = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    assert_eq!(listed.text().trim(), "[]", "a half kernel is trusted");
}

#[test]
#[ignore = "reads a whole kernel source: run by ./test"]
fn a_directory_is_never_written_to() {
    let sandbox = shared();
    let tree = source("MOTE_TEST_SOURCE_6_12");
    let newest = || {
        let found = Command::new("find")
            .arg(&tree)
            .args(["-newer", tree.join("Makefile").to_str().unwrap(), "-newermt", "-10 minutes"])
            .output()
            .unwrap();
        String::from_utf8(found.stdout).unwrap()
    };
    let before = newest();
    config(&sandbox, &tree, &["--feature", "busybox"]).expect_code(0);
    assert_eq!(newest(), before);
}

#[test]
#[ignore = "starts a kernel's build: run by ./test"]
fn a_full_disk_is_named_and_leaves_nothing() {
    let tree = source("MOTE_TEST_SOURCE_6_12");
    let sandbox = Sandbox::on_a_small_disk(env!("CARGO_BIN_EXE_mote"), "8m");
    let built = build(&sandbox, &tree, &SMALL)
        .expect_code(125)
        .expect_said(&["No space left on device", "hint: free some space"]);
    let left = built.stderr.lines().find_map(|line| line.strip_prefix("left:"));
    assert!(left.is_some_and(|files| !files.contains(".partial")), "{}", built.stderr);
}

#[test]
#[ignore = "reads a whole kernel source: run by ./test"]
fn a_version_is_downloaded_and_checked() {
    let sandbox = shared();
    let tarball = source("MOTE_TEST_TARBALL_6_12");
    let makefile = fs::read_to_string(source("MOTE_TEST_SOURCE_6_12").join("Makefile")).unwrap();
    let number = |name: &str| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap().to_owned()
    };
    let version = ["VERSION", "PATCHLEVEL", "SUBLEVEL"].map(number).join(".");
    let name = format!("linux-{version}.tar.xz");
    // An earlier run of the tests has left it in the cache that all share.
    let _ = fs::remove_file(sandbox.cache().join("sources").join(&name));
    let sum = Command::new("sha256sum").arg(&tarball).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split_whitespace().next().unwrap().to_owned();

    let wrong = "0".repeat(64);
    let address = mirror::serve(&tarball, &name, format!("{wrong}  {name}\n"));
    let download = |address: &str| {
        let args = ["kernel", "config", "--feature", "base", "--source", &version];
        sandbox.mote(args.to_vec()).args(["--mirror", address]).run_within(BUILD_PATIENCE)
    };
    download(&address).expect_code(125).expect_said(&[&name, &wrong, &sum]);

    let address = mirror::serve(&tarball, &name, format!("{sum}  {name}\n"));
    let fragment = download(&address).expect_code(0).text();
    assert!(fragment.contains("CONFIG_64BIT=y"), "{fragment}");
    // Now it is here: no mirror is needed.
    download("http://127.0.0.1:1").expect_code(0);
}

/// A server with kernel.org's layout, on loopback.
mod mirror {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};

    /// Serves `tarball` under `name` and the published `sums` until the test ends; gives its
    /// address.
    pub fn serve(tarball: &Path, name: &str, sums: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tarball, name) = (tarball.to_owned(), name.to_owned());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // A client that goes away is its own affair.
                let _ = answer(connection.unwrap(), &tarball, &name, &sums);
            }
        });
        address
    }

    fn answer(
        mut connection: TcpStream,
        tarball: &PathBuf,
        name: &str,
        sums: &str,
    ) -> std::io::Result<()> {
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = request.split(' ').nth(1).unwrap_or_default();
        let head = |status: &str, length: u64| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
        };
        match path.strip_prefix("/pub/linux/kernel/v6.x/") {
            Some("sha256sums.asc") => {
                connection.write_all(head("200 OK", sums.len() as u64).as_bytes())?;
                connection.write_all(sums.as_bytes())
            }
            Some(file) if file == name => {
                let mut file = File::open(tarball)?;
                let length = file.metadata()?.len();
                connection.write_all(head("200 OK", length).as_bytes())?;
                std::io::copy(&mut file, &mut connection).map(drop)
            }
            _ => connection.write_all(head("404 Not Found", 0).as_bytes()),
        }
    }
}
