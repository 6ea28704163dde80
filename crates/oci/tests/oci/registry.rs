//! Debian's docker-registry: open, with passwords, with tokens, with TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mote_oci::{OciError, PullEvent, PullPolicy, RegistryError};

use crate::fixture::{Fixture, Place, write_layout};
use crate::programs::{DockerRegistry, run, skopeo_copy};
use crate::server::{Request, Response, Server};

const LOGIN: &str = "me:se:cret";

/// The images `team/app:v1` that are pushed.
fn images() -> [Fixture; 2] {
    [Fixture::new("amd64", &[5000, 700_000, 30, 100_000, 0, 2000]), Fixture::new("arm64", &[3000])]
}

fn push(dir: &Path, address: &str, more: &[&str], images: &[Fixture; 2]) -> String {
    let layout = dir.join("layout");
    write_layout(&layout, &[("arm64", &images[1]), ("amd64", &images[0])]);
    let name = format!("{address}/team/app:v1");
    let more = [&["--all"], more].concat();
    skopeo_copy(&more, &format!("oci:{}:v1", layout.display()), &format!("docker://{name}"));
    name
}

fn config_json(address: &str, login: &str) -> String {
    format!(r#"{{"auths":{{"{address}":{{"auth":"{}"}}}}}}"#, STANDARD.encode(login))
}

#[test]
fn what_was_pulled_works_without_a_network() {
    let place = Place::new();
    let registry = DockerRegistry::start(place.path(), "");
    let images = images();
    let name = push(place.path(), &registry.address, &[], &images);

    let error = place.load(&name, PullPolicy::Never).unwrap_err();
    assert_eq!(error.to_string(), format!("{name} has not been pulled"));
    let image = place.load(&name, PullPolicy::Missing).unwrap();
    images[0].assert_is(&image);
    assert_eq!(image.manifest_digest, Some(images[0].manifest));
    assert_eq!(image.origin, name);
    let events = place.events();
    assert_eq!(events[0], PullEvent::Asking { image: name.clone() });
    let PullEvent::Planned { layers } = &events[1] else { panic!("{events:?}") };
    assert!(layers.iter().all(|layer| !layer.present));
    let verified = events.iter().filter(|event| matches!(event, PullEvent::Verified { .. }));
    assert_eq!(verified.count(), 6);

    // Again: nothing is asked for; then only the manifest is.
    place.load(&name, PullPolicy::Missing).unwrap();
    assert_eq!(place.events(), []);
    place.load(&name, PullPolicy::Always).unwrap();
    let events = place.events();
    let PullEvent::Planned { layers } = events.last().unwrap() else { panic!("{events:?}") };
    assert!(layers.iter().all(|layer| layer.present));

    // The other platform is not there yet, and is got; then both are there.
    let arm = place.load_for(&name, "linux/arm64", PullPolicy::Missing).unwrap();
    images[1].assert_is(&arm);
    let pinned = format!("{}@{}", name, place.store.images().unwrap()[0].digest);
    images[0].assert_is(&place.load(&pinned, PullPolicy::Never).unwrap());
    let error = place.load_for(&name, "linux/s390x", PullPolicy::Missing).unwrap_err();
    let message = "is not available for linux/s390x, only for linux/amd64, linux/arm64";
    assert_eq!(error.to_string(), format!("{name} {message}"));

    drop(registry);
    images[0].assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    images[1].assert_is(&place.load_for(&name, "linux/arm64", PullPolicy::Never).unwrap());
    let error = place.load(&name, PullPolicy::Always).unwrap_err();
    assert!(matches!(error, OciError::Registry(RegistryError::Unreachable { .. })), "{error}");

    // Nothing is removed under those who read.
    let reference = place.store.images().unwrap()[0].reference.clone();
    assert!(matches!(place.store.remove_unused(), Err(OciError::InUse { .. })));
    drop((image, arm));
    assert_eq!(place.store.remove_unused().unwrap().blobs, 0);
    assert!(place.store.forget(&reference).unwrap());
    assert!(place.store.remove_unused().unwrap().blobs > 10);
    assert_eq!(place.stored(), [""; 0]);
}

#[test]
fn what_is_not_there_is_said() {
    let place = Place::new();
    let registry = DockerRegistry::start(place.path(), "");
    let address = &registry.address;
    let error = place.refusal(&format!("{address}/team/app:v1"));
    let message = format!("{address}/team/app:v1 was not found in {address}: ");
    assert!(error.to_string().starts_with(&message), "{error}");
    assert_eq!(error.hint().unwrap(), "check the name and the tag");
    assert_eq!(place.stored(), [""; 0]);
}

#[test]
fn a_registry_with_passwords() {
    let mut place = Place::new();
    let passwords = place.path().join("htpasswd");
    let (user, secret) = LOGIN.split_once(':').unwrap();
    fs::write(&passwords, run("htpasswd", "apache2-utils", &["-Bbn", user, secret])).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: r, path: '{}'}}}}\n", passwords.display());
    let registry = DockerRegistry::start(place.path(), &auth);
    let address = registry.address.clone();
    let images = images();
    let name = push(place.path(), &address, &["--dest-creds", LOGIN], &images);

    let error = place.refusal(&name);
    assert_eq!(error.to_string(), format!("{address} refuses access to {name}"));
    assert!(error.hint().unwrap().contains("log in first: docker login"), "{error}");
    place.log_in(&config_json(&address, "me:wrong"));
    let error = place.refusal(&name);
    assert!(
        error.to_string().starts_with(&format!("{address} refuses access to {name}: ")),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("log in again"), "{error}");
    place.log_in(&config_json(&address, LOGIN));
    images[0].assert_is(&place.load(&name, PullPolicy::Missing).unwrap());

    // A helper knows it.
    let helper = place.path().join("docker-credential-test");
    let answer = r#"printf '{"ServerURL":"%s","Username":"me","Secret":"se:cret"}' "$(cat)""#;
    fs::write(&helper, format!("#!/bin/sh\n[ \"$1\" = get ] && {answer}\n")).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    place.access.program_path = place.path().into();
    place.log_in(&format!(r#"{{"credHelpers":{{"{address}":"test"}}}}"#));
    images[0].assert_is(&place.load(&name, PullPolicy::Always).unwrap());
    place.log_in(r#"{"credsStore":"none"}"#);
    let error = place.load(&name, PullPolicy::Always).unwrap_err();
    assert!(error.to_string().starts_with("cannot ask the credential helper none"), "{error}");
    assert!(error.hint().unwrap().starts_with("install docker-credential-none"), "{error}");
}

/// A token as docker-registry wants it, signed with the key in `dir`.
fn token(dir: &Path, scope: &str) -> String {
    let certificate = fs::read_to_string(dir.join("cert.pem")).unwrap();
    let certificate: String = certificate.lines().filter(|line| !line.starts_with("---")).collect();
    let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{certificate}"]}}"#);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let access = match scope.split(':').collect::<Vec<_>>().as_slice() {
        [kind, name, actions] => {
            let actions: Vec<String> =
                actions.split(',').map(|word| format!("\"{word}\"")).collect();
            format!(r#"{{"type":"{kind}","name":"{name}","actions":[{}]}}"#, actions.join(","))
        }
        _ => String::new(),
    };
    let claims = format!(
        r#"{{"iss":"tests","sub":"me","aud":"reg","iat":{now},"nbf":{},"exp":{},"jti":"1","access":[{access}]}}"#,
        now - 10,
        now + 300
    );
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let file = tempfile::NamedTempFile::new_in(dir).unwrap();
    fs::write(file.path(), &text).unwrap();
    let key = dir.join("key.pem");
    let [key, file] = [key.as_path(), file.path()].map(|path| path.to_str().unwrap());
    let signature = run("openssl", "openssl", &["dgst", "-sha256", "-sign", key, file]);
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The value of `name` in the query of an address, or in a form.
fn value(pairs: &str, name: &str) -> Option<String> {
    let pairs = pairs.rsplit('?').next()?;
    let value = pairs.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","))
}

/// A self-signed certificate for this machine, and its key.
fn make_certificate(dir: &Path) {
    let [key, cert] = ["key.pem", "cert.pem"].map(|name| dir.join(name).display().to_string());
    let args = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=tests",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout",
        &key,
        "-out",
        &cert,
    ];
    run("openssl", "openssl", &args);
}

#[test]
fn a_registry_with_tokens() {
    let mut place = Place::new();
    make_certificate(place.path());
    let dir = place.path().to_owned();
    let answer = move |request: &Request| {
        let basic = format!("Basic {}", STANDARD.encode(LOGIN));
        let form = value(&request.body, "refresh_token").is_some_and(|token| token == "refresh");
        let allowed = form || request.headers.get("authorization") == Some(&basic);
        let text = if form { &request.body } else { &request.path };
        match allowed {
            true => {
                let token = token(&dir, &value(text, "scope").unwrap_or_default());
                Response::ok(format!(r#"{{"token":"{token}","expires_in":300}}"#))
            }
            false => Response { status: 401, ..Response::ok(r#"{"details":"who are you"}"#) },
        }
    };
    let tokens = Server::start(answer);
    let auth = format!(
        "auth: {{token: {{realm: 'http://{}/token', service: reg, issuer: tests, rootcertbundle: '{}'}}}}\n",
        tokens.address,
        place.path().join("cert.pem").display()
    );
    let registry = DockerRegistry::start(place.path(), &auth);
    let address = registry.address.clone();
    let images = images();
    let name = push(place.path(), &address, &["--dest-creds", LOGIN], &images);

    let error = place.refusal(&name);
    assert_eq!(error.to_string(), format!("{address} refuses access to {name}: who are you"));
    place.log_in(&config_json(&address, LOGIN));
    let before = tokens.seen("/token").len();
    images[0].assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    let asked = &tokens.seen("/token")[before..];
    // One token serves the manifests and all layers.
    assert_eq!(asked.len(), 1);
    assert_eq!(value(&asked[0].path, "service").as_deref(), Some("reg"));
    assert_eq!(value(&asked[0].path, "scope").as_deref(), Some("repository:team/app:pull"));

    // An identity token is exchanged, not sent to the registry.
    place.log_in(&format!(r#"{{"auths":{{"{address}":{{"identitytoken":"refresh"}}}}}}"#));
    images[0].assert_is(&place.load(&name, PullPolicy::Always).unwrap());
    let exchanged = tokens.seen("/token").pop().unwrap();
    assert_eq!(value(&exchanged.body, "grant_type").as_deref(), Some("refresh_token"));
}

#[test]
fn a_registry_with_tls() {
    let mut place = Place::new();
    make_certificate(place.path());
    let [key, cert] = ["key.pem", "cert.pem"].map(|name| place.path().join(name));
    let tls = format!("  tls: {{certificate: '{}', key: '{}'}}\n", cert.display(), key.display());
    let registry = DockerRegistry::start(place.path(), &tls);
    let images = images();
    let name = push(place.path(), &registry.address, &[], &images);
    let error = place.refusal(&name);
    assert_eq!(error.to_string(), format!("no safe connection to {}", registry.address));
    place.access.ca_file = Some(cert);
    images[0].assert_is(&place.load(&name, PullPolicy::Missing).unwrap());

    place.access.ca_file = Some(key);
    let error = place.load(&name, PullPolicy::Always).unwrap_err();
    assert!(error.to_string().starts_with("cannot use the certificates in "), "{error}");
}
