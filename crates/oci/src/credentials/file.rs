//! Docker's `config.json` and podman's `auth.json`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::{Credential, CredentialsError, DOCKER_HUB_KEY};
use crate::Reference;

pub(super) struct CredentialFile {
    path: PathBuf,
    raw: RawFile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFile {
    auths: Option<BTreeMap<String, RawEntry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct RawEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// What a file says of a registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Nothing,
    Credential(Credential),
    /// A helper knows, under that key.
    AskHelper {
        name: String,
        key: String,
    },
}

impl CredentialFile {
    /// The file at the path, if there is one.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, CredentialsError> {
        let path = path.to_owned();
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CredentialsError::Read { path, source }),
            Ok(text) => text,
        };
        // Podman makes empty files.
        let text = if text.is_empty() { b"{}" } else { text.as_slice() };
        match serde_json::from_slice(text) {
            Ok(raw) => Ok(Some(Self { path, raw })),
            Err(source) => Err(CredentialsError::Malformed { path, source }),
        }
    }

    /// A helper for the registry comes first, then what the file itself holds, then the store.
    pub(super) fn find(&self, reference: &Reference) -> Result<Finding, CredentialsError> {
        let key = helper_key(reference.registry());
        if let Some(name) = self.helper(reference.registry()) {
            return Ok(Finding::AskHelper { name: name.clone(), key });
        }
        if let Some((entry_key, entry)) = self.entry(reference)
            && let Some(credential) = self.credential(entry_key, entry)?
        {
            return Ok(Finding::Credential(credential));
        }
        Ok(match &self.raw.creds_store {
            Some(name) if !name.is_empty() => Finding::AskHelper { name: name.clone(), key },
            _ => Finding::Nothing,
        })
    }

    fn helper(&self, registry: &str) -> Option<&String> {
        let matching = |(key, _): &(&String, &String)| host_of(key) == registry;
        self.raw.cred_helpers.iter().flatten().find(matching).map(|(_, name)| name)
    }

    /// The entry with the longest key that is the image's name or the beginning of it.
    fn entry(&self, reference: &Reference) -> Option<(&String, &RawEntry)> {
        let registry = reference.registry();
        let name = format!("{registry}/{}", reference.repository());
        let mut candidate = name.as_str();
        loop {
            let matching = |(key, _): &(&String, &RawEntry)| normalized(key) == candidate;
            if let Some(found) = self.raw.auths.iter().flatten().find(matching) {
                return Some(found);
            }
            candidate = candidate.rsplit_once('/')?.0;
        }
    }

    fn credential(
        &self,
        key: &str,
        entry: &RawEntry,
    ) -> Result<Option<Credential>, CredentialsError> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&entry.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        if let Some(token) = filled(&entry.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(auth) = filled(&entry.auth) {
            let (user, secret) = decode(&auth).ok_or_else(|| CredentialsError::Entry {
                path: self.path.clone(),
                key: key.to_owned(),
            })?;
            return Ok(Some(Credential::Password { user, secret }));
        }
        let pair = filled(&entry.username).zip(filled(&entry.password));
        Ok(pair.map(|(user, secret)| Credential::Password { user, secret }))
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, secret) = text.split_once(':')?;
    Some((user.to_owned(), secret.trim_end_matches('\0').to_owned()))
}

/// What helpers know a registry by.
fn helper_key(registry: &str) -> String {
    match registry {
        "docker.io" => DOCKER_HUB_KEY.to_owned(),
        registry => registry.to_owned(),
    }
}

/// The name that a key means: old ones are addresses, such as `https://host/v1/`.
fn normalized(key: &str) -> String {
    let is_address = key.contains("://");
    let plain = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let name = match plain.strip_suffix("/v1").or_else(|| plain.strip_suffix("/v2")) {
        Some(host) if is_address || !host.contains('/') => host,
        _ => plain,
    };
    let (host, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    };
    format!("{host}{rest}")
}

fn host_of(key: &str) -> String {
    normalized(key).split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, image: &str) -> Result<Finding, CredentialsError> {
        let sandbox = tempfile::tempdir().unwrap();
        let path = sandbox.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        let file = CredentialFile::read(&path)?.unwrap();
        file.find(&image.parse().unwrap())
    }

    fn password(user: &str, secret: &str) -> Finding {
        let (user, secret) = (user.to_owned(), secret.to_owned());
        Finding::Credential(Credential::Password { user, secret })
    }

    #[test]
    fn entries_are_found_as_docker_and_podman_find_them() {
        // me:se:cret, other:x
        let text = r#"{"auths":{
            "https://index.docker.io/v1/":{"auth":"bWU6c2U6Y3JldA=="},
            "h.example:5000":{"auth":"b3RoZXI6eA"},
            "p.example":{"auth":"bWU6c2U6Y3JldA=="},
            "p.example/team":{"username":"team","password":"t"},
            "p.example/team/app":{"username":"app","password":"a"},
            "i.example":{"identitytoken":"idt"},
            "http://old.example/v2/":{"username":"old","password":"o","auth":""},
            "e.example":{}
        }}"#;
        for (image, wanted) in [
            ("alpine", password("me", "se:cret")),
            ("h.example:5000/a", password("other", "x")),
            ("h.example/a", Finding::Nothing),
            ("p.example/a/b", password("me", "se:cret")),
            ("p.example/team/b", password("team", "t")),
            ("p.example/team/app", password("app", "a")),
            ("p.example/teams/app", password("me", "se:cret")),
            ("i.example/a", Finding::Credential(Credential::IdentityToken("idt".to_owned()))),
            ("old.example/a", password("old", "o")),
            ("e.example/a", Finding::Nothing),
        ] {
            assert_eq!(find(text, image).unwrap(), wanted, "{image}");
        }
    }

    #[test]
    fn helpers_come_before_entries_and_the_store_after_them() {
        let text = r#"{"auths":{"a.example":{"auth":"bWU6eA=="},"b.example":{}},
            "credHelpers":{"a.example":"one","docker.io":"hub"},"credsStore":"store"}"#;
        let ask = |name: &str, key: &str| Finding::AskHelper {
            name: name.to_owned(),
            key: key.to_owned(),
        };
        assert_eq!(find(text, "a.example/x").unwrap(), ask("one", "a.example"));
        assert_eq!(find(text, "b.example/x").unwrap(), ask("store", "b.example"));
        assert_eq!(find(text, "alpine").unwrap(), ask("hub", DOCKER_HUB_KEY));
    }

    #[test]
    fn what_is_damaged_is_said_to_be() {
        assert_eq!(find("", "a.example/x").unwrap(), Finding::Nothing);
        let null = r#"{"auths":null,"credHelpers":null,"credsStore":null}"#;
        assert_eq!(find(null, "a.example/x").unwrap(), Finding::Nothing);
        let error = find("{", "a.example/x").unwrap_err();
        assert!(matches!(error, CredentialsError::Malformed { .. }));
        for auth in ["!", "bWU="] {
            let text = format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#);
            let error = find(&text, "a.example/x").unwrap_err();
            let start = "the credentials for a.example are not base64 of USER:PASSWORD in ";
            assert!(error.to_string().starts_with(start), "{error}");
        }
        assert!(CredentialFile::read(Path::new("/nowhere/config.json")).unwrap().is_none());
    }

    #[test]
    fn secrets_are_not_shown() {
        let Finding::Credential(credential) = password("me", "hidden") else { panic!() };
        assert_eq!(format!("{credential:?}"), "Password of me");
    }
}
