//! The store by itself.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mote_process::Cancel;
use tempfile::TempDir;

use super::*;
use crate::stop::Stop;

fn store() -> (TempDir, BlobStore) {
    let sandbox = tempfile::tempdir().unwrap();
    let store = BlobStore::new(sandbox.path().join("store"), sandbox.path().to_owned());
    (sandbox, store)
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor { digest: Digest::of(bytes), size: bytes.len() as u64 }
}

fn names(store: &BlobStore) -> Vec<String> {
    let listing = fs::read_dir(store.folder()).unwrap();
    let mut names: Vec<String> =
        listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Puts an image with one layer there, and gives its manifest's digest.
fn put_image(store: &BlobStore, layer: &[u8]) -> Digest {
    let blob = |media_type: &str, bytes: &[u8]| {
        store.put(&Digest::of(bytes), bytes).unwrap();
        let digest = Digest::of(bytes);
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}}}"#, bytes.len())
    };
    let config = blob("application/vnd.oci.image.config.v1+json", b"{}");
    let layer = blob("application/vnd.oci.image.layer.v1.tar", layer);
    let manifest = format!(r#"{{"config":{config},"layers":[{layer}]}}"#);
    let digest = Digest::of(manifest.as_bytes());
    store.put(&digest, manifest.as_bytes()).unwrap();
    digest
}

#[test]
fn names_are_remembered_and_forgotten() {
    let (_sandbox, store) = store();
    assert_eq!(store.images().unwrap(), []);
    let [one, other]: [Reference; 2] = ["b:1", "a"].map(|name| name.parse().unwrap());
    store.record(&one, Digest::of(b"1")).unwrap();
    store.record(&other, Digest::of(b"2")).unwrap();
    store.record(&one, Digest::of(b"3")).unwrap();
    let images = store.images().unwrap();
    let list: Vec<_> =
        images.iter().map(|image| (image.reference.familiar(), image.digest)).collect();
    assert_eq!(
        list,
        [("a:latest".to_owned(), Digest::of(b"2")), ("b:1".to_owned(), Digest::of(b"3"))]
    );
    assert!(images[0].pulled_unix_s > 1_700_000_000);
    assert_eq!(store.find(&one).unwrap(), Some(Digest::of(b"3")));
    assert!(store.forget(&one).unwrap());
    assert!(!store.forget(&one).unwrap());
    assert_eq!(store.find(&one).unwrap(), None);
}

#[test]
fn a_damaged_list_is_said_to_be() {
    let (_sandbox, store) = store();
    fs::create_dir_all(store.root()).unwrap();
    for text in [
        "",
        "{}",
        r#"{"schema":2,"images":[]}"#,
        r#"{"schema":1,"images":[{"name":"A","digest":"","pulled_unix_s":0}]}"#,
    ] {
        fs::write(store.root().join("images.json"), text).unwrap();
        let error = store.images().unwrap_err();
        assert!(matches!(error, OciError::DamagedNames { .. }), "{error}");
    }
}

#[test]
fn only_what_no_image_needs_is_removed() {
    let (_sandbox, store) = store();
    let [kept, gone] = [&b"layer one"[..], b"layer two"].map(|layer| put_image(&store, layer));
    let [name, other]: [Reference; 2] = ["a", "b"].map(|name| name.parse().unwrap());
    store.record(&name, kept).unwrap();
    store.record(&other, gone).unwrap();
    let partial = store.folder().join(format!("{}.partial", Digest::of(b"x").hex()));
    fs::write(&partial, "half").unwrap();

    // The configuration is shared.
    assert_eq!(names(&store).len(), 6);
    let lease = store.lease().unwrap();
    assert!(matches!(store.remove_unused(), Err(OciError::InUse { .. })));
    drop(lease);
    assert_eq!(store.remove_unused().unwrap(), Freed { blobs: 1, bytes: 4 });
    store.forget(&other).unwrap();
    let freed = store.remove_unused().unwrap();
    assert_eq!(freed.blobs, 2);
    let left: Vec<String> = store.blobs(&kept).unwrap().keys().map(Digest::hex).collect();
    assert_eq!(names(&store), left);
}

#[test]
fn two_that_want_one_blob_share_the_work() {
    let (_sandbox, store) = store();
    let bytes = vec![7; 100_000];
    let blob = descriptor(&bytes);
    let (downloads, waits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cancel = Cancel::default();
                let stop = Stop::new(&cancel);
                start.wait();
                let on_wait = || {
                    waits.fetch_add(1, Ordering::SeqCst);
                };
                let Some(mut partial) = store.claim(&blob, &stop, &on_wait).unwrap() else {
                    return;
                };
                downloads.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(200));
                partial.append(&bytes, "").unwrap();
                partial.accept().unwrap();
            });
        }
    });
    assert_eq!(downloads.into_inner(), 1);
    assert_eq!(waits.into_inner(), 3);
    assert_eq!(names(&store), [blob.digest.hex()]);
}

#[test]
fn who_waits_can_be_interrupted() {
    let (_sandbox, store) = store();
    let blob = descriptor(b"x");
    let cancel = Cancel::default();
    let stop = Stop::new(&cancel);
    let _held = store.claim(&blob, &stop, &|| ()).unwrap();
    let began = Instant::now();
    let interrupt = || cancel.cancel(2);
    let error = store.claim(&blob, &stop, &interrupt).err().unwrap();
    assert_eq!(error.to_string(), "stopped by SIGINT");
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[test]
fn what_is_there_is_gone_on_with() {
    let (_sandbox, store) = store();
    let cancel = Cancel::default();
    let stop = Stop::new(&cancel);
    let blob = descriptor(b"0123456789");
    let claim = || store.claim(&blob, &stop, &|| ()).unwrap().expect("it is not there yet");
    let mut first = claim();
    first.append(b"01234", "").unwrap();
    drop(first);
    let mut second = claim();
    second.take_up(&stop).unwrap();
    assert_eq!((second.there(), second.is_pieced()), (5, true));
    second.append(b"56789", "").unwrap();
    assert_eq!(second.digest(), blob.digest);
    let error = second.append(b"!", "here").unwrap_err();
    assert_eq!(error.to_string(), format!("{} has 11 bytes instead of 10: here", blob.digest));
    assert_eq!(second.there(), 0);
    second.append(b"0123456789", "").unwrap();
    second.accept().unwrap();
    assert!(store.claim(&blob, &stop, &|| ()).unwrap().is_none());
}
