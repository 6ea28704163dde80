//! Layouts and archives, as skopeo and docker write them.

use std::fs;

use mote_oci::{Digest, OciError, PullPolicy};

use crate::fixture::{Fixture, Place, descriptor, gzip, noise, write_layout};
use crate::programs::{run, skopeo_copy};

fn two_platforms() -> (Fixture, Fixture) {
    (Fixture::new("amd64", &[5000, 0, 70_000]), Fixture::new("arm64", &[3000]))
}

#[test]
fn a_layout_is_read_where_it_is() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let (amd, arm) = two_platforms();
    write_layout(&dir, &[("arm64", &arm), ("amd64", &amd)]);
    let source = format!("oci:{}", dir.display());
    for source in [&source, &format!("{source}:v1")] {
        let image = place.load(source, PullPolicy::Never).unwrap();
        amd.assert_is(&image);
        assert_eq!(image.manifest_digest, Some(amd.manifest));
        assert_eq!(image.origin, *source);
        assert!(image.layers.iter().all(|layer| layer.blob.path().unwrap().starts_with(&dir)));
    }
    arm.assert_is(&place.load_for(&source, "linux/arm64", PullPolicy::Missing).unwrap());
    assert_eq!(place.stored(), [""; 0]);

    let error = place.load_for(&source, "linux/riscv64", PullPolicy::Missing).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("not available for linux/riscv64, only for linux/amd64, linux/arm64"),
        "{error}"
    );
    let error = place.refusal(&format!("{source}:v2"));
    assert_eq!(error.to_string(), format!("there is no image v2 in {source}:v2"));
    assert_eq!(error.hint().unwrap(), "there is v1");
}

#[test]
fn a_damaged_layout_is_refused() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let (amd, _) = two_platforms();
    let blob = |digest: &Digest| dir.join("blobs/sha256").join(digest.hex());
    let source = format!("oci:{}", dir.display());

    assert_eq!(
        place.refusal(&source).to_string(),
        format!("no such file or directory: {}", dir.display())
    );
    fs::create_dir(&dir).unwrap();
    let error = place.refusal(&source);
    assert!(
        error.to_string().starts_with("not an OCI image layout, index.json is missing"),
        "{error}"
    );

    write_layout(&dir, &[("amd64", &amd)]);
    fs::write(blob(&amd.layers[0]), "short").unwrap();
    assert!(matches!(place.refusal(&source), OciError::WrongSize { got: 5, .. }));
    fs::remove_file(blob(&amd.layers[0])).unwrap();
    let error = place.refusal(&source);
    assert_eq!(error.to_string(), format!("{} is missing in {source}", amd.layers[0]));
    let mut manifest = amd.blobs[&amd.manifest].clone();
    manifest[0] = b' ';
    fs::write(blob(&amd.manifest), &manifest).unwrap();
    assert!(matches!(place.refusal(&source), OciError::WrongDigest { .. }));
    fs::write(dir.join("index.json"), vec![b' '; 5 << 20]).unwrap();
    assert!(matches!(place.refusal(&source), OciError::DocumentTooLarge { .. }));
}

#[test]
fn archives_of_layouts_that_skopeo_wrote() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let amd = Fixture::new("amd64", &[5000, 70_000]);
    write_layout(&dir, &[("amd64", &amd)]);
    let archive = place.path().join("image.tar");
    let from = format!("oci:{}:v1", dir.display());
    skopeo_copy(&[], &from, &format!("oci-archive:{}:v7", archive.display()));
    let source = format!("oci-archive:{}", archive.display());
    for source in [&source, &format!("{source}:v7")] {
        let image = place.load(source, PullPolicy::Missing).unwrap();
        amd.assert_is(&image);
        assert!(image.layers.iter().all(|layer| layer.blob.path() == Some(&archive)));
    }

    // The same, compressed as a whole in each way.
    let bytes = fs::read(&archive).unwrap();
    let mut xz = Vec::new();
    std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(&bytes[..], 1), &mut xz).unwrap();
    for packed in [gzip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap(), xz] {
        fs::write(&archive, &packed).unwrap();
        let image = place.load(&source, PullPolicy::Missing).unwrap();
        assert_eq!(fs::read_dir(place.path().join("work")).unwrap().count(), 0);
        amd.assert_is(&image);

        fs::write(&archive, &packed[..packed.len() / 2]).unwrap();
        let error = place.refusal(&source);
        assert_eq!(error.to_string(), format!("the archive is damaged: {}", archive.display()));
    }

    fs::write(&archive, gzip(&vec![0; 100_000])).unwrap();
    let mut bounded = Place::new();
    bounded.store = bounded.store.clone().with_spool_limit(99_999);
    let error = bounded.refusal(&source);
    assert!(error.to_string().starts_with("the archive has more than 99999 bytes"), "{error}");
}

#[test]
fn archives_for_docker_that_skopeo_wrote() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let amd = Fixture::new("amd64", &[5000, 70_000]);
    write_layout(&dir, &[("amd64", &amd)]);
    let archive = place.path().join("saved.tar");
    let from = format!("oci:{}:v1", dir.display());
    skopeo_copy(&[], &from, &format!("docker-archive:{}:team/app:v1", archive.display()));
    let source = format!("docker-archive:{}", archive.display());
    for tag in ["", ":team/app:v1", ":docker.io/team/app:v1"] {
        let image = place.load(&format!("{source}{tag}"), PullPolicy::Missing).unwrap();
        amd.assert_is(&image);
        assert_eq!(image.manifest_digest, None);
        // Not compressed there: one digest is the other.
        assert!(image.layers.iter().all(|layer| layer.digest == layer.diff_id));
    }
    let error = place.refusal(&format!("{source}:team/other"));
    assert_eq!(error.hint().unwrap(), "there is docker.io/team/app:v1");
    let error = place.load_for(&source, "linux/arm64", PullPolicy::Missing).unwrap_err();
    assert!(
        error.to_string().ends_with("is not available for linux/arm64, only for linux/amd64"),
        "{error}"
    );
    let error = place.refusal(&format!("oci-archive:{}", archive.display()));
    assert!(error.to_string().starts_with("not an OCI image layout"), "{error}");
}

/// What docker has written since version 25: a layout, and a list that names its blobs.
#[test]
fn archives_for_docker_with_a_layout_inside() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let amd = Fixture::new("amd64", &[5000, 70_000]);
    write_layout(&dir, &[("amd64", &amd)]);
    let document: serde_json::Value = serde_json::from_slice(&amd.blobs[&amd.manifest]).unwrap();
    let config = document["config"]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
    let layers: Vec<String> =
        amd.layers.iter().map(|digest| format!("\"blobs/sha256/{}\"", digest.hex())).collect();
    let list = |config: &str, layers: &str| {
        fs::write(
            dir.join("manifest.json"),
            format!(r#"[{{"Config":"{config}","RepoTags":["app:v1"],"Layers":[{layers}]}}]"#),
        )
        .unwrap();
        let archive = place.path().join("saved.tar");
        let dir = dir.to_str().unwrap();
        run("tar", "tar", &["-cf", archive.to_str().unwrap(), "-C", dir, "."]);
        format!("docker-archive:{}", archive.display())
    };
    let source = list(&config, &layers.join(","));
    let image = place.load(&source, PullPolicy::Missing).unwrap();
    amd.assert_is(&image);
    let digests: Vec<Digest> = image.layers.iter().map(|layer| layer.digest).collect();
    assert_eq!(digests, amd.layers);
    amd.assert_is(&place.load(&source.replace("docker-", "oci-"), PullPolicy::Missing).unwrap());

    for (config, layers, message) in [
        (config.as_str(), "", "cannot use the configuration"),
        ("none.json", "", "cannot use the configuration none.json"),
        ("../../../etc/passwd", "", "cannot use the configuration ../../../etc/passwd"),
        (config.as_str(), r#""blobs/a","blobs/b""#, "is missing in docker-archive:"),
    ] {
        let error = place.refusal(&list(config, layers));
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// What docker wrote before: a folder for each layer, some of them links to others.
#[test]
fn archives_for_docker_with_links() {
    let place = Place::new();
    let dir = place.path().join("old");
    let content = noise(3000, 9);
    let diff_id = Digest::of(&content);
    for folder in ["one", "two", "three"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    fs::write(dir.join("one/layer.tar"), &content).unwrap();
    std::os::unix::fs::symlink("../one/layer.tar", dir.join("two/layer.tar")).unwrap();
    fs::write(dir.join("three/layer.tar"), gzip(&content)).unwrap();
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":["{diff_id}","{diff_id}","{diff_id}"]}}}}"#
    );
    let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    fs::write(dir.join(&name), &config).unwrap();
    let list = format!(
        r#"[{{"Config":"{name}","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar","three/layer.tar"]}}]"#
    );
    fs::write(dir.join("manifest.json"), list).unwrap();
    let archive = place.path().join("old.tar");
    let pack =
        || run("tar", "tar", &["-cf", archive.to_str().unwrap(), "-C", dir.to_str().unwrap(), "."]);
    pack();
    let source = format!("docker-archive:{}", archive.display());
    let image = place.load(&source, PullPolicy::Missing).unwrap();
    let digests: Vec<Digest> = image.layers.iter().map(|layer| layer.digest).collect();
    assert_eq!(digests, [diff_id, diff_id, Digest::of(&gzip(&content))]);

    fs::write(dir.join(&name), format!("{config} ")).unwrap();
    pack();
    assert!(matches!(place.refusal(&source), OciError::WrongDigest { .. }));
}

#[test]
fn a_layout_whose_index_is_that_of_the_image() {
    let place = Place::new();
    let dir = place.path().join("layout");
    let (amd, arm) = two_platforms();
    write_layout(&dir, &[("arm64", &arm), ("amd64", &amd)]);
    let entry = |image: &Fixture, architecture: &str| {
        let platform = format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#);
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        descriptor(media_type, &image.blobs[&image.manifest], &platform)
    };
    let entries = [entry(&arm, "arm64"), entry(&amd, "amd64")].join(",");
    fs::write(dir.join("index.json"), format!(r#"{{"manifests":[{entries}]}}"#)).unwrap();
    amd.assert_is(&place.load(&format!("oci:{}", dir.display()), PullPolicy::Missing).unwrap());
}
