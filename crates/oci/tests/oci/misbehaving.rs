//! Registries that do not do what they should.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mote_oci::{Digest, OciError, PullEvent, PullPolicy, RegistryError};

use crate::fixture::{Fixture, Place, descriptor};
use crate::server::{Request, Response, Server, well_behaved};

fn image() -> Arc<Fixture> {
    Arc::new(Fixture::new("amd64", &[300_000]))
}

/// A registry with that image whose answers `change` may change.
fn registry(
    image: &Arc<Fixture>,
    change: impl Fn(&Request, Response) -> Response + Send + Sync + 'static,
) -> (Server, String) {
    let image = Arc::clone(image);
    let server = Server::start(move |request| change(request, well_behaved(&image, request)));
    let name = format!("{}/app:v1", server.address);
    (server, name)
}

fn is_layer(image: &Fixture) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let path = format!("/blobs/{}", image.layers[0]);
    move |request| request.path.ends_with(&path)
}

/// The `Range` of each request for the layer.
fn ranges(server: &Server, image: &Fixture) -> Vec<Option<String>> {
    let seen = server.seen(&image.layers[0].to_string());
    seen.into_iter().map(|request| request.headers.get("range").cloned()).collect()
}

#[test]
fn a_download_that_breaks_goes_on_where_it_was() {
    let (place, image) = (Place::new(), image());
    let of_layer = is_layer(&image);
    let requests = AtomicUsize::new(0);
    let (server, name) = registry(&image, move |request, response| match of_layer(request) {
        true if requests.fetch_add(1, Ordering::SeqCst) < 6 => {
            Response { cut_after: Some(40_000), ..response }
        }
        _ => response,
    });
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    let wanted: Vec<Option<String>> =
        (0..7).map(|number| (number > 0).then(|| format!("bytes={}-", number * 40_000))).collect();
    // It broke more often in all than it may in a row.
    assert_eq!(ranges(&server, &image), wanted);
    let retries =
        place.events().into_iter().filter(|event| matches!(event, PullEvent::Retrying { .. }));
    assert_eq!(retries.count(), 6);
}

#[test]
fn an_interrupted_pull_goes_on_where_it_was() {
    let (place, image) = (Place::new(), image());
    let layer = &image.blobs[&image.layers[0]];
    let partial = place.blobs().join(format!("{}.partial", image.layers[0].hex()));
    fs::create_dir_all(place.blobs()).unwrap();
    fs::write(&partial, &layer[..100_000]).unwrap();
    let (server, name) = registry(&image, |_, response| response);
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    assert_eq!(ranges(&server, &image), [Some("bytes=100000-".to_owned())]);
    assert!(!partial.exists());
}

#[test]
fn what_was_left_may_be_wrong() {
    let image = image();
    let layer = image.blobs[&image.layers[0]].clone();
    let longer = [layer.as_slice(), b"more"].concat();
    let other = vec![7; layer.len()];
    for (left, asked) in [(&other[..100], 2), (&other, 1), (&longer, 1)] {
        let place = Place::new();
        fs::create_dir_all(place.blobs()).unwrap();
        let partial = place.blobs().join(format!("{}.partial", image.layers[0].hex()));
        fs::write(&partial, left).unwrap();
        let (server, name) = registry(&image, |_, response| response);
        image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
        let ranges = ranges(&server, &image);
        assert_eq!((ranges.len(), ranges.last().unwrap()), (asked, &None));
    }
}

#[test]
fn a_registry_without_ranges_begins_anew() {
    let image = image();
    for status in [200, 416] {
        let place = Place::new();
        fs::create_dir_all(place.blobs()).unwrap();
        let partial = place.blobs().join(format!("{}.partial", image.layers[0].hex()));
        fs::write(&partial, &image.blobs[&image.layers[0]][..5000]).unwrap();
        let whole = Arc::clone(&image);
        let (_server, name) = registry(&image, move |request, response| {
            match request.headers.contains_key("range") {
                true if status == 200 => Response::ok(whole.blobs[&whole.layers[0]].clone()),
                true => Response::status(416),
                false => response,
            }
        });
        image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    }
}

#[test]
fn other_bytes_than_those_wanted_are_refused() {
    let image = image();
    let length = image.blobs[&image.layers[0]].len();
    for body in [vec![7; length], vec![7; length + 1]] {
        let place = Place::new();
        let of_layer = is_layer(&image);
        let body_sent = body.clone();
        let (_server, name) = registry(&image, move |request, response| match of_layer(request) {
            true => Response::ok(body_sent.clone()),
            false => response,
        });
        match place.refusal(&name) {
            OciError::WrongDigest { got, .. } => assert_eq!(got, Digest::of(&body)),
            OciError::WrongSize { .. } => assert_eq!(body.len(), length + 1),
            error => panic!("{error}"),
        }
        assert!(!place.stored().contains(&image.layers[0].hex()));
        assert_eq!(place.store.images().unwrap(), []);
    }
}

#[test]
fn documents_are_refused() {
    let image = image();
    let config = descriptor("application/vnd.oci.image.config.v1+json", b"{}", "");
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar", b"x", "");
    let many = format!(r#"{{"config":{config},"layers":[{}]}}"#, vec![layer; 1001].join(","));
    let schema1 = r#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#.to_owned();
    for (body, message) in [
        (many, "1001 layers, at most 1000 are accepted"),
        (schema1, "a manifest of schema version 1, which docker gave up"),
        (" ".repeat(5 << 20), "the reply of"),
        ("<html>".to_owned(), "not a manifest or an index of images"),
    ] {
        let place = Place::new();
        let (_server, name) =
            registry(&image, move |request, response| match request.path.contains("/manifests/") {
                true => Response::ok(body.clone()),
                false => response,
            });
        let error = place.refusal(&name);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error}: {}", cause.unwrap_or_default());
        assert!(text.contains(message), "{text}");
        assert_eq!(place.stored(), [""; 0]);
    }
    // It is not what the registry itself says it is, or not what was asked for.
    let place = Place::new();
    let (server, name) =
        registry(&image, |_, response| response.with("docker-content-digest", Digest::of(b"x")));
    assert!(matches!(place.refusal(&name), OciError::WrongDigest { .. }));
    let (_server, _) = registry(&image, |_, _| Response::ok("{}"));
    let pinned = format!("{}/app@{}", server.address, Digest::of(b"y"));
    assert!(matches!(place.refusal(&pinned), OciError::Registry(RegistryError::NotFound { .. })));
}

#[test]
fn a_busy_registry_is_asked_again() {
    let image = image();
    for (status, wait) in [(429, Some("0")), (503, None), (500, None)] {
        let place = Place::new();
        let requests = AtomicUsize::new(0);
        let (_server, name) = registry(&image, move |request, response| {
            let first =
                !request.path.ends_with("/v2/") && requests.fetch_add(1, Ordering::SeqCst) < 2;
            let busy = Response::status(status);
            match (first, wait) {
                (true, Some(wait)) => busy.with("retry-after", wait),
                (true, None) => busy,
                (false, _) => response,
            }
        });
        image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
        let pauses: Vec<Duration> = place
            .events()
            .into_iter()
            .filter_map(|event| match event {
                PullEvent::Retrying { pause, .. } => Some(pause),
                _ => None,
            })
            .collect();
        assert_eq!(pauses.len(), 2);
        assert_eq!(pauses[0].is_zero(), wait.is_some());
    }
}

#[test]
fn a_registry_may_want_us_to_wait_too_long() {
    let (place, image) = (Place::new(), image());
    let (server, name) = registry(&image, |request, response| match request.path.as_str() {
        "/v2/" => response,
        _ => Response::status(429).with("retry-after", 3600),
    });
    let error = place.refusal(&name);
    let message =
        format!("{} takes no more requests for now, it says for 3600 seconds", server.address);
    assert_eq!(error.to_string(), message);
    assert_eq!(server.seen("/manifests/").len(), 1);
}

#[test]
fn credentials_do_not_go_to_others() {
    let (mut place, image) = (Place::new(), image());
    let blob = image.blobs[&image.layers[0]].clone();
    let storage = Server::start(move |_| Response::ok(blob.clone()));
    // Another name of this machine is another host.
    let there = storage.address.replace("127.0.0.1", "localhost");
    let auth = STANDARD.encode("me:secret");
    let login = format!("Basic {auth}");
    let of_layer = is_layer(&image);
    let manifest = image.manifest;
    let (server, name) = registry(&image, move |request, response| {
        match request.headers.get("authorization") == Some(&login) {
            false => Response::status(401).with("www-authenticate", "Basic realm=\"r\""),
            true if of_layer(request) => {
                Response::status(307).with("location", format!("http://{there}/blob?signed"))
            }
            true if request.path.ends_with("/v1") => {
                Response::status(302).with("location", format!("/v2/app/manifests/{manifest}"))
            }
            true => response,
        }
    });
    place.log_in(&format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.address));
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    let seen = storage.seen("/blob?signed");
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].headers.contains_key("authorization"), "{seen:?}");
}

#[test]
fn redirections_end_and_stay_encrypted() {
    let image = image();
    for (location, message) in [
        ("/v2/app/manifests/v1", "sent us on more than 5 times"),
        ("http://plain.example/x", "refused to go to http://plain.example/x without encryption"),
        ("file:///etc/passwd", "sent us to what is no address: file:///etc/passwd"),
    ] {
        let place = Place::new();
        let (_server, name) =
            registry(&image, move |request, response| match request.path.contains("/manifests/") {
                true => Response::status(302).with("location", location),
                false => response,
            });
        let error = place.refusal(&name);
        assert!(error.to_string().ends_with(message), "{error}");
    }
}

#[test]
fn tokens_are_asked_for_only_where_it_is_safe() {
    let (place, image) = (Place::new(), image());
    let (_server, name) = registry(&image, |request, response| match request.path.as_str() {
        "/v2/" => response,
        _ => Response::status(401)
            .with("www-authenticate", "Bearer realm=\"http://plain.example/token\""),
    });
    let error = place.refusal(&name);
    assert!(
        error.to_string().starts_with("refused to go to http://plain.example/token"),
        "{error}"
    );
}

#[test]
fn identity_tokens_are_not_sent_on() {
    let (mut place, image) = (Place::new(), image());
    let other = Server::start(|_| Response::ok(r#"{"token":"x"}"#));
    let there = other.address.clone();
    let (server, name) = registry(&image, move |request, response| {
        let host = &request.headers["host"];
        match request.path.as_str() {
            "/v2/" => response,
            "/token" => Response::status(307).with("location", format!("http://{there}/")),
            _ => Response::status(401)
                .with("www-authenticate", format!("Bearer realm=\"http://{host}/token\"")),
        }
    });
    place.log_in(&format!(r#"{{"auths":{{"{}":{{"identitytoken":"secret"}}}}}}"#, server.address));
    let error = place.refusal(&name);
    assert!(
        matches!(error, OciError::Registry(RegistryError::Status { status: 307, .. })),
        "{error}"
    );
    assert_eq!(other.seen("/").len(), 0);
}

#[test]
fn a_proxy_is_used_where_it_is_wanted() {
    let mut place = Place::new();
    let proxy = Server::start(|_| Response::status(502));
    place.access.proxy = Some(format!("http://{}", proxy.address));
    let error = place.refusal("reg.invalid/app");
    assert_eq!(error.to_string(), "cannot reach reg.invalid");
    assert_eq!(proxy.seen("").len(), 1);
    assert_eq!(proxy.seen("")[0].path, "reg.invalid:443");

    place.access.no_proxy = Some("example,invalid".to_owned());
    assert_eq!(place.refusal("reg.invalid/app").to_string(), "cannot find the host reg.invalid");
    let image = image();
    let (_server, name) = registry(&image, |_, response| response);
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    assert_eq!(proxy.seen("").len(), 1);
}

#[test]
fn an_old_token_is_replaced() {
    let (place, image) = (Place::new(), image());
    let tokens = Arc::new(AtomicUsize::new(0));
    let uses = AtomicUsize::new(0);
    let issued = Arc::clone(&tokens);
    let (server, name) = registry(&image, move |request, response| {
        if request.path.starts_with("/token") {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            uses.store(0, Ordering::SeqCst);
            return Response::ok(format!(r#"{{"access_token":"number-{number}"}}"#));
        }
        let current = format!("Bearer number-{}", issued.load(Ordering::SeqCst));
        let known = request.headers.get("authorization") == Some(&current);
        let host = &request.headers["host"];
        // Each is good for one use.
        match request.path == "/v2/" || known && uses.fetch_add(1, Ordering::SeqCst) == 0 {
            true => response,
            false => Response::status(401).with(
                "www-authenticate",
                format!("Bearer realm=\"http://{host}/token\",service=\"s\""),
            ),
        }
    });
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    // For the manifest, the configuration and the layer.
    assert_eq!(tokens.load(Ordering::SeqCst), 3);
    assert_eq!(server.seen("/token")[0].path, "/token?scope=repository%3Aapp%3Apull&service=s");
}

#[test]
fn whoever_hangs_is_left_at_once() {
    let image = image();
    let of_layer = is_layer(&image);
    let (server, name) = registry(&image, move |request, response| match of_layer(request) {
        true => Response { silent: true, ..Response::default() },
        false => response,
    });
    let place = Place::new();
    let cancelled = thread::scope(|scope| {
        let cancelled = scope.spawn(|| {
            while server.seen("/blobs/").len() < 2 {
                thread::sleep(Duration::from_millis(5));
            }
            place.cancel.cancel(15);
            Instant::now()
        });
        assert_eq!(place.refusal(&name).to_string(), "stopped by SIGTERM");
        cancelled.join().unwrap()
    });
    assert!(cancelled.elapsed() < Duration::from_millis(500), "{:?}", cancelled.elapsed());
}

#[test]
fn one_failure_ends_the_other_downloads() {
    let image = Arc::new(Fixture::new("amd64", &[1000, 2000]));
    let missing = image.layers[1].to_string();
    let silent = image.layers[0].to_string();
    let (_server, name) = registry(&image, move |request, response| {
        if request.path.ends_with(&missing) {
            return Response::status(404);
        }
        Response { silent: request.path.ends_with(&silent), ..response }
    });
    let place = Place::new();
    let began = Instant::now();
    let error = place.refusal(&name);
    assert!(matches!(error, OciError::Registry(RegistryError::MissingBlob { .. })), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn two_pulls_at_once_share_the_work() {
    let image = image();
    let (server, name) = registry(&image, |request, response| {
        if request.path.contains("/blobs/") {
            thread::sleep(Duration::from_millis(200));
        }
        response
    });
    let place = Place::new();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap()));
        }
    });
    assert_eq!(ranges(&server, &image).len(), 1);
    assert!(place.stored().iter().all(|name| name.len() == 64), "{:?}", place.stored());
}

#[test]
fn what_another_image_has_brought_is_not_pulled_again() {
    let (place, one) = (Place::new(), image());
    let other = Arc::new(Fixture::new("amd64", &[300_000, 1000]));
    assert_eq!(one.layers[0], other.layers[0]);
    let (_server, name) = registry(&one, |_, response| response);
    place.load(&name, PullPolicy::Missing).unwrap();
    let (server, name) = registry(&other, |_, response| response);
    other.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    assert!(ranges(&server, &other).is_empty());
    assert_eq!(server.seen(&other.layers[1].to_string()).len(), 1);
}

#[test]
fn a_damaged_layer_is_got_again() {
    let (place, image) = (Place::new(), image());
    let (server, name) = registry(&image, |_, response| response);
    place.load(&name, PullPolicy::Missing).unwrap();
    let layer = place.blobs().join(image.layers[0].hex());
    fs::write(&layer, "cut by a power failure").unwrap();
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    // One of the right length is not seen here, but by whoever reads it.
    fs::write(&layer, vec![0; image.blobs[&image.layers[0]].len()]).unwrap();
    place.store.discard(&image.layers[0]).unwrap();
    image.assert_is(&place.load(&name, PullPolicy::Missing).unwrap());
    assert_eq!(ranges(&server, &image).len(), 3);
}

#[test]
fn without_a_way_to_the_registry() {
    let place = Place::new();
    let error = place.refusal("nowhere.invalid/app");
    assert_eq!(error.to_string(), "cannot find the host nowhere.invalid");
    assert!(error.hint().unwrap().contains("check the network"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let began = Instant::now();
    let error = place.refusal(&format!("{address}/app"));
    assert_eq!(error.to_string(), format!("cannot reach {address}"));
    assert!(began.elapsed() < Duration::from_secs(1));
}
