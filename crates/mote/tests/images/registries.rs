//! Images from a registry: Debian's `docker-registry` on loopback.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use mote_testkit::{Access, Registry, Sandbox, Signal, image};

use crate::{ask, kernel, layout, published, sandbox};

/// The whole way of the blog post's second half, with one command: pulled with a token, disk
/// written, kernel found or built by itself, served, ended.
#[test]
#[ignore = "builds and boots a kernel: run by ./test"]
fn valkey_is_pulled_and_runs_with_one_command() {
    let registry = Registry::start(Access::Token);
    let name = registry.push(&image("valkey"), "store/valkey:9");
    let sandbox = Sandbox::with_shared_cache(env!("CARGO_BIN_EXE_mote"));
    sandbox.write(".docker/config.json", registry.docker_config());
    let source = std::env::var("MOTE_TEST_SOURCE_6_12").expect("MOTE_TEST_SOURCE_6_12");
    let flags = ["run", "--feature", "ext4", "--source", &source, "-p", "6379"];
    let mut running = sandbox.mote(flags).arg(&name).start();
    let server = published(&mut running);
    ask(server, b"PING\r\n", "+PONG\r\n");
    ask(server, b"SHUTDOWN NOSAVE\r\n", "");
    running.finish().expect_code(0);
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "pulls from a registry: run by ./test"]
fn an_image_is_shown_and_removed_with_what_nothing_else_needs() {
    let registry = Registry::start(Access::Open);
    let names = ["tools/busybox:1", "tools/other:1"];
    let [one, other] = names.map(|name| registry.push(&image("busybox"), name));
    let valkey = registry.push(&image("valkey"), "store/valkey:9");
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_mote"));
    let mote = |args: &[&str]| sandbox.mote(args.to_vec()).run();
    for name in [&one, &other, &valkey] {
        mote(&["pull", name]).expect_code(0);
    }
    let shown = mote(&["image", "inspect", "--format", "json", &valkey]).expect_code(0).text();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["entrypoint"][0], "docker-entrypoint.sh");
    assert_eq!(shown["platform"], "linux/amd64");
    let digests = mote(&["images", "-q", "--no-trunc"]).expect_code(0).text();
    assert!(digests.lines().any(|line| *line == shown["digest"]), "{digests}");

    let blobs = || fs::read_dir(sandbox.cache().join("blobs/sha256")).unwrap().count();
    let all = blobs();
    // Neither goes if one is not there.
    let failed = mote(&["rmi", &valkey, "gone"]).expect_code(125);
    failed.expect_said(&["error: no such image was pulled: gone\n", "mote images"]);
    assert_eq!(mote(&["rmi", &one]).expect_code(0).text(), format!("{one}\n"));
    assert_eq!(blobs(), all, "another name needs them");
    // As docker's `rmi $(images -q)`: by digests, each once.
    let digests = mote(&["images", "-q"]).expect_code(0).text();
    let digests: Vec<_> = digests.lines().collect();
    assert_eq!(digests.len(), 2);
    let gone = mote(&[&["image", "rm"], &digests[..]].concat()).expect_code(0).text();
    assert!(gone.contains(&other) && gone.contains(&valkey), "{gone}");
    assert_eq!((blobs(), mote(&["images", "-q"]).text()), (0, String::new()));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn what_was_pulled_needs_no_network() {
    let registry = Registry::start(Access::Password);
    let name = registry.push(&image("busybox"), "tools/busybox:1");
    let sandbox = sandbox();
    let address = registry.address();
    let refused = sandbox.mote(["pull", &name]).run().expect_code(125);
    refused.expect_said(&[
        &format!("error: {address} refuses access to {name}\n"),
        &format!("hint: check the name; if the image is not public, log in first: docker login {address}\n"),
    ]);
    sandbox.write(".docker/config.json", registry.docker_config());
    let pulled = sandbox.mote(["pull", &name]).run().expect_code(0).text();
    assert!(pulled.starts_with(&format!("{name}@sha256:")), "{pulled}");
    let missing = sandbox.mote(["pull", &format!("{name}0")]).run().expect_code(125);
    missing.expect_said(&[
        &format!("error: {name}0 was not found in {address}: manifest unknown\n"),
        "hint: check the name and the tag\n",
    ]);
    drop(registry);

    let listed = sandbox.mote(["images"]).run().expect_code(0).text();
    assert!(listed.contains(&name), "{listed}");
    let run = |flags: &[&str]| {
        let run = sandbox.mote(["run", "--kernel"]).arg(kernel()).args(flags.iter().copied());
        run.args([name.as_str(), "echo", "offline"]).run()
    };
    assert_eq!(run(&[]).expect_code(0).text(), "offline\n");
    assert_eq!(run(&["--pull", "never"]).expect_code(0).text(), "offline\n");
    run(&["--pull", "always"]).expect_code(125).expect_said(&[
        &format!("error: cannot reach {address}\n"),
        "Connection refused",
        "hint: check the network; ",
    ]);

    sandbox.mote(["prune", "--older-than", "0s"]).run().expect_code(0).text();
    let listed = sandbox.mote(["images", "--format", "json"]).run().expect_code(0).text();
    assert_eq!(listed, "[]\n");
    run(&["--pull", "never"]).expect_code(125).expect_said(&[
        &format!("error: {name} has not been pulled\n"),
        "hint: pull it while there is a network\n",
    ]);
    assert_eq!(fs::read_dir(sandbox.cache().join("blobs/sha256")).unwrap().count(), 0);
}

/// The oldest pulled image goes first. The disk of a machine that runs stays, whatever is asked for;
/// then the image that it was made of is not needed.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn prune_removes_an_unused_image_and_leaves_what_a_running_machine_uses() {
    let registry = Registry::start(Access::Open);
    // Times are whole seconds: of two that were pulled in one, the first by name counts as older.
    let unused = registry.push(&image("valkey"), "a/unused:1");
    let used = registry.push(&image("busybox"), "b/used:1");
    let sandbox = sandbox();
    for name in [&unused, &used] {
        sandbox.mote(["pull", name]).run().expect_code(0);
    }
    let run = |command: &[&str]| {
        let run = sandbox.mote(["run", "-i", "--kernel"]).arg(kernel()).arg(&used);
        run.args(command.iter().copied())
    };
    let script = "echo up; read line; sha256sum /bin/busybox >/dev/null && echo $line";
    let mut running = run(&["sh", "-c", script]).start();
    running.stdout.wait_for("up\n");

    let prune = |keep: &str| sandbox.mote(["prune", "--keep", keep]).run().expect_code(0).text();
    let images = || sandbox.mote(["images"]).run().expect_code(0).text();
    let pruned = prune("5m");
    assert!(pruned.contains(&format!("image {unused}: ")), "{pruned}");
    assert!(!pruned.contains(&used), "{pruned}");
    let listed = images();
    assert!(listed.contains(&used) && !listed.contains(&unused), "{listed}");
    let pruned = prune("1m");
    assert!(pruned.starts_with(&format!("image {used}: ")), "{pruned}");
    assert!(!pruned.contains("disk "), "{pruned}");

    let mut stdin = running.take_stdin();
    stdin.write_all(b"still here\n").unwrap();
    running.stdout.wait_for("still here\n");
    running.finish().expect_code(0);
    // It is pulled again, and its disk is still there.
    run(&["true"]).run().expect_code(0).expect_unsaid(&["writing the image"]);
}

/// A bar for all, and one for each layer.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn layers_are_pulled_with_bars() {
    let registry = Registry::start(Access::Open);
    let name = registry.push(&image("valkey"), "store/valkey:9");
    let sandbox = sandbox();
    let mut terminal = sandbox.mote(["pull", &name]).start_on_terminal(24, 200);
    terminal.screen.wait_for(&format!("pulling {name} "));
    let layers = terminal.screen.wait_for(" MiB");
    let (layer, bar) = layers.rsplit_once(" [").unwrap();
    let digest = &layer.as_bytes()[layer.len() - 12..];
    assert!(digest.iter().all(u8::is_ascii_hexdigit), "{layer:?}");
    assert!(bar.contains("░] 0 B/"), "{bar:?}");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

/// At whatever moment a pull is killed, no blob has a name that is not its digest, and the next pull
/// leaves nothing behind.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn a_pull_that_was_killed_is_no_harm_to_the_next() {
    let registry = Registry::start(Access::Open);
    let name = registry.push(&image("valkey"), "store/valkey:9");
    let sandbox = sandbox();
    let blobs = || {
        let listed = fs::read_dir(sandbox.cache().join("blobs/sha256"));
        listed.into_iter().flatten().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    for delay_ms in (0..200).step_by(20) {
        let running = sandbox.mote(["pull", &name]).start();
        std::thread::sleep(Duration::from_millis(delay_ms));
        running.signal(Signal::KILL);
        running.finish();
        for blob in blobs() {
            let name = blob.file_name().unwrap().to_str().unwrap();
            let is_partial = name.len() != 64;
            let digest = Command::new("sha256sum").arg(&blob).output().unwrap().stdout;
            assert!(is_partial || digest.starts_with(name.as_bytes()), "{name}, {delay_ms} ms");
        }
        sandbox.assert_no_orphans();
    }
    sandbox.mote(["pull", &name]).run().expect_code(0);
    assert!(blobs().iter().all(|blob| blob.file_name().unwrap().len() == 64), "{:?}", blobs());
    drop(registry);
    let args = ["image", "build", "--format", "erofs", "-o", "out.erofs", &name];
    sandbox.mote(args).run().expect_code(0);
}

/// Odd files, layers of zstd, and an image of several platforms. The archive of a tree depends on
/// nothing else.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn an_image_from_a_registry_is_the_one_that_was_pushed() {
    let registry = Registry::start(Access::Open);
    let sandbox = sandbox();
    let initramfs = |source: &str| {
        let args = ["image", "build", source, "--format", "initramfs", "-o", "tree.cpio"];
        sandbox.mote(args).run().expect_code(0);
        fs::read(sandbox.home().join("tree.cpio")).unwrap()
    };
    for (pushed, same_as) in [("odd", "odd"), ("python", "python"), ("platforms", "busybox")] {
        let name = registry.push(&image(pushed), &format!("{pushed}:1"));
        assert!(initramfs(&name) == initramfs(&layout(same_as)), "{pushed}");
    }
}

/// The first file that knows the registry counts.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn credentials_come_from_where_the_environment_says() {
    let registry = Registry::start(Access::Password);
    let name = registry.push(&image("busybox"), "tools/busybox:1");
    let sandbox = sandbox();
    let wrong = registry.docker_config().replace("\"auth\":\"", "\"auth\":\"eDp4\",\"was\":\"");
    sandbox.write(".docker/config.json", wrong);
    let right = sandbox.write("auth.json", registry.docker_config());
    let pull = || sandbox.mote(["pull", &name]);
    let address = registry.address();
    pull().run().expect_code(125).expect_said(&[
        &format!("error: {address} refuses access to {name}: authentication required\n"),
        &format!("or the credentials may be old, log in again: docker login {address}\n"),
    ]);
    pull().env("REGISTRY_AUTH_FILE", &right).run().expect_code(0);
    sandbox.write("other/config.json", registry.docker_config());
    pull().env("DOCKER_CONFIG", sandbox.home().join("other")).run().expect_code(0);
}

/// 0.0.0.0 leads to this machine, but is no name that says so.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn plain_http_is_spoken_with_others_only_if_they_are_named() {
    let registry = Registry::start(Access::Open);
    let pushed = registry.push(&image("busybox"), "busybox:1");
    let address = registry.address().replace("127.0.0.1", "0.0.0.0");
    let name = pushed.replace("127.0.0.1", "0.0.0.0");
    let sandbox = sandbox();
    let pull = |allowed: &str| sandbox.mote(["pull", &name]).env("MOTE_PLAIN_HTTP", allowed).run();
    for allowed in ["", "127.0.0.1", "0.0.0.0:1", "registry.example"] {
        let refused = pull(allowed).expect_code(125);
        refused.expect_said(&[
            &format!("error: no safe connection to {address}\n"),
            &format!("allow plain HTTP with MOTE_PLAIN_HTTP={address}\n"),
        ]);
    }
    assert!(!sandbox.cache().join("images.json").exists());
    for allowed in [address.as_str(), "0.0.0.0", "registry.example, 0.0.0.0"] {
        let pulled = pull(allowed).expect_code(0).text();
        assert!(pulled.starts_with(&format!("{name}@sha256:")), "{allowed}: {pulled}");
    }
}

/// A blob that was damaged on the disk of the host is found by its digest, and pulled again.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn a_blob_that_was_damaged_in_the_cache_is_pulled_again() {
    let registry = Registry::start(Access::Open);
    let name = registry.push(&image("busybox"), "busybox:1");
    let sandbox = sandbox();
    sandbox.mote(["pull", &name]).run().expect_code(0);
    let blobs = fs::read_dir(sandbox.cache().join("blobs/sha256")).unwrap();
    let sizes = blobs.map(|entry| entry.unwrap().path());
    let layer = sizes.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    // The time in gzip's header: it still inflates to the same.
    bytes[4] ^= 1;
    std::fs::write(&layer, bytes).unwrap();
    let build = || {
        let args = ["image", "build", &name, "--format", "erofs", "-o", "busybox.erofs"];
        sandbox.mote(args).run()
    };
    build().expect_code(125).expect_said(&["has the digest sha256:", "hint: "]);
    build().expect_code(0);
}
