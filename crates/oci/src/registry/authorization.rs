//! What is said to a registry so that it lets us in: nothing, a name and a password, or a token.
//!
//! Follows docker's "Token Authentication Specification" and, for identity tokens, its OAuth 2.0
//! part.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::RegistryError;
use super::challenge::{self, Challenge};
use super::http::{Http, Reply, Request, Trouble};
use crate::credentials::{self, Credential};
use crate::stop::Stop;
use crate::{Access, OciError, Reference};

/// How long a token is good that does not say it (docker's specification).
const TOKEN_LIFE: Duration = Duration::from_secs(60);

/// The longest reply of a token server; real ones have a few kilobytes.
const TOKEN_MAX_BYTES: u64 = 256 << 10;

/// What a registry is told, and how that is renewed; shared by all threads of a pull.
pub(super) struct Authorization {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The value of the header.
    header: Option<String>,
    /// After this, a new one is needed.
    expires: Option<Instant>,
    /// Looked up once.
    credential: Option<Option<Credential>>,
}

/// A token server's reply.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Whose credentials are looked for, and where.
pub(super) struct Asker<'a> {
    pub(super) access: &'a Access,
    pub(super) http: &'a Http,
    pub(super) reference: &'a Reference,
}

impl Authorization {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default() }
    }

    /// The header to send, as far as it is known what the registry wants.
    pub(super) fn header(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let expired = state.expires.is_some_and(|end| Instant::now() >= end);
        if expired { None } else { state.header.clone() }
    }

    /// Whether the user has credentials, as far as that was looked up.
    pub(super) fn with_credentials(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(state.credential, Some(Some(_)))
    }

    /// Does what `refusal` asks for, unless another thread did since `used` was sent.
    pub(super) fn renew(
        &self,
        asker: &Asker<'_>,
        refusal: &Reply,
        used: Option<&str>,
        stop: &Stop<'_>,
    ) -> Result<(), Trouble> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let expired = state.expires.is_some_and(|end| Instant::now() >= end);
        if !expired && state.header.as_deref() != used {
            return Ok(());
        }
        if state.credential.is_none() {
            let found = credentials::find(asker.access, asker.reference, stop.cancel());
            state.credential = Some(found.map_err(OciError::from)?);
        }
        let credential = state.credential.clone().flatten();
        let challenges: Vec<Challenge> =
            refusal.headers("www-authenticate").flat_map(challenge::parse).collect();
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer { realm, service } => Some((realm, service.as_deref())),
            _ => None,
        });
        (state.header, state.expires) = match (bearer, credential) {
            (Some(_), Some(Credential::RegistryToken(token))) => {
                (Some(format!("Bearer {token}")), None)
            }
            (Some((realm, service)), credential) => {
                let token = asker.token(realm, service, credential.as_ref(), stop)?;
                (Some(format!("Bearer {}", token.0)), Some(Instant::now() + token.1))
            }
            (None, Some(Credential::Password { user, secret }))
                if challenges.contains(&Challenge::Basic) =>
            {
                (Some(basic(&user, &secret)), None)
            }
            (None, _) => return Err(asker.no_way(&challenges)),
        };
        Ok(())
    }
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

impl Asker<'_> {
    /// A token to read the image's repository, and for how long it is good.
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        credential: Option<&Credential>,
        stop: &Stop<'_>,
    ) -> Result<(String, Duration), Trouble> {
        let scope = format!("repository:{}:pull", self.reference.repository());
        let mut query = vec![("scope", scope.as_str())];
        query.extend(service.map(|service| ("service", service)));
        let request = match credential {
            Some(Credential::IdentityToken(token)) => {
                query.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "mote"),
                    ("refresh_token", token),
                ]);
                Request { url: realm.to_owned(), form: Some(encoded(&query)), ..Request::default() }
            }
            credential => {
                let authorization = match credential {
                    Some(Credential::Password { user, secret }) => Some(basic(user, secret)),
                    _ => None,
                };
                let separator = if realm.contains('?') { '&' } else { '?' };
                let url = format!("{realm}{separator}{}", encoded(&query));
                Request { url, authorization, ..Request::default() }
            }
        };
        let mut reply = self.http.send(&request, stop)?;
        match reply.status {
            200 => {}
            401 | 403 => {
                return Err(RegistryError::Denied {
                    image: self.reference.familiar(),
                    registry: self.reference.registry().to_owned(),
                    detail: reply.detail(stop),
                    with_credentials: credential.is_some(),
                }
                .into());
            }
            _ => return Err(reply.refusal(stop)),
        }
        let bytes = reply.bytes(TOKEN_MAX_BYTES, stop)?;
        let no_token = |source| RegistryError::NoToken { url: realm.to_owned(), source };
        let token: Token = serde_json::from_slice(&bytes).map_err(no_token)?;
        let missing = || no_token(serde::de::Error::missing_field("token"));
        let text = token.token.or(token.access_token).filter(|text| !text.is_empty());
        let life = token.expires_in.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        // A day is more than any server gives, and keeps the sum in bounds.
        let life = life.unwrap_or(TOKEN_LIFE).min(Duration::from_secs(86_400));
        Ok((text.ok_or_else(missing)?, life))
    }

    /// What is asked for cannot be given.
    fn no_way(&self, challenges: &[Challenge]) -> Trouble {
        let registry = self.reference.registry().to_owned();
        let known = |challenge: &Challenge| !matches!(challenge, Challenge::Other(_));
        match challenges.iter().find(|challenge| !known(challenge)) {
            Some(Challenge::Other(asked)) if !challenges.iter().any(known) => {
                let asked = mote_process::printable(asked.as_bytes());
                RegistryError::UnknownChallenge { registry, asked }.into()
            }
            _ => RegistryError::Denied {
                image: self.reference.familiar(),
                registry,
                detail: String::new(),
                with_credentials: false,
            }
            .into(),
        }
    }
}

/// A form (URL standard, "application/x-www-form-urlencoded").
fn encoded(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    escaped.push(char::from(byte));
                }
                _ => escaped.push_str(&format!("%{byte:02X}")),
            }
            escaped
        })
    };
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", escape(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_encoded() {
        let pairs = [("scope", "repository:a/b:pull"), ("service", "r & d")];
        assert_eq!(encoded(&pairs), "scope=repository%3Aa%2Fb%3Apull&service=r%20%26%20d");
        assert_eq!(basic("me", "se:cret"), "Basic bWU6c2U6Y3JldA==");
    }
}
