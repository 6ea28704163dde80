//! A token server, as the registry's documents "Token Authentication Specification" and "Token
//! Authentication Implementation" (distribution 2.8) describe it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use mote_process::{Cancel, Command};
use serde_json::{Value, json};

use super::server::{PASSWORD, USER, program};

/// How long a token is good for.
const VALID_S: u64 = 300;
/// The repositories that everybody may pull from.
const PUBLIC: &str = "public/";

/// Serves tokens from a thread, which ends with the process.
#[derive(Debug)]
pub(super) struct TokenServer {
    /// Where tokens are asked for.
    pub realm: String,
    /// The certificate with which the registry checks them.
    pub certificate: PathBuf,
}

impl TokenServer {
    pub const ISSUER: &str = "mote-test-tokens";
    pub const SERVICE: &str = "mote-test-registry";

    /// Makes a key in `dir` and starts to serve.
    pub fn start(dir: &Path) -> Self {
        let (key, certificate) = (dir.join("token.key"), dir.join("token.crt"));
        openssl(
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mote"],
            |command| {
                command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
            },
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let issuer = Issuer { key, chain: der(&certificate) };
        thread::spawn(move || {
            for client in listener.incoming() {
                // A client that went away gets no token.
                let _ = client.and_then(|client| issuer.answer(client));
            }
        });
        Self { realm: format!("http://{address}/token"), certificate }
    }
}

/// Who signs tokens.
struct Issuer {
    key: PathBuf,
    /// The certificate in base64, which goes with each token.
    chain: String,
}

/// What of a request matters.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    scopes: Vec<String>,
    authorization: Option<String>,
}

impl Issuer {
    fn answer(&self, mut client: TcpStream) -> std::io::Result<()> {
        let lines = BufReader::new(client.try_clone()?).lines();
        let head = lines.take_while(|line| !matches!(line.as_deref(), Ok("") | Err(_)));
        let request = Request::parse(head.collect::<Result<Vec<_>, _>>()?);
        let (status, body) = match request.grants() {
            Some(grants) => {
                ("200 OK", json!({ "token": self.token(&grants), "expires_in": VALID_S }))
            }
            None => ("401 Unauthorized", json!({ "details": "incorrect username or password" })),
        };
        let body = body.to_string();
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    /// A JSON Web Token (RFC 7519) signed with RS256.
    fn token(&self, grants: &[Value]) -> String {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [self.chain] });
        let claims = json!({
            "iss": TokenServer::ISSUER,
            "aud": TokenServer::SERVICE,
            "sub": USER,
            "iat": now,
            "nbf": now,
            "exp": now + VALID_S,
            "access": grants,
        });
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = [header, claims].map(|part| encode(part.to_string().as_bytes())).join(".");
        let text = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(text.path(), &signed).expect("a temporary file");
        let signature = openssl(&["dgst", "-sha256", "-sign"], |command| {
            command.arg(&self.key).arg(text.path());
        });
        format!("{signed}.{}", encode(&signature))
    }
}

impl Request {
    /// From the lines of an HTTP request's head.
    fn parse(head: Vec<String>) -> Self {
        let target = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let (_, query) = target.split_once('?').unwrap_or_default();
        let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
        let scopes = parameters.filter(|(name, _)| *name == "scope");
        let scopes = scopes.map(|(_, value)| decoded(value)).collect();
        let mut fields = head.iter().filter_map(|line| line.split_once(": "));
        let authorization = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        Self { scopes, authorization: authorization.map(|(_, value)| value.to_owned()) }
    }

    /// What the client may do; `None` if it is not who it says it is.
    fn grants(&self) -> Option<Vec<Value>> {
        let login = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let known = match self.authorization.as_deref() {
            Some(given) if given.strip_prefix("Basic ") == Some(login.as_str()) => true,
            Some(_) => return None,
            None => false,
        };
        // repository:NAME:ACTION,…
        let asked = self.scopes.iter().flat_map(|scopes| scopes.split(' '));
        let asked = asked.filter_map(|scope| {
            let (rest, actions) = scope.rsplit_once(':')?;
            let (kind, name) = rest.split_once(':')?;
            Some((kind, name, actions.split(',')))
        });
        let granted = asked.map(|(kind, name, actions)| {
            let allowed = |action: &&str| known || (*action == "pull" && name.starts_with(PUBLIC));
            let actions: Vec<_> = actions.filter(allowed).collect();
            json!({ "type": kind, "name": name, "actions": actions })
        });
        Some(granted.collect())
    }
}

/// A value of a query, without its percent signs.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        let digits = after.get(..2).unwrap_or_default();
        bytes.extend(u8::from_str_radix(digits, 16));
        rest = after.get(2..).unwrap_or_default();
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).replace('+', " ")
}

/// The base64 of a PEM file's only section.
fn der(certificate: &Path) -> String {
    let text = fs::read_to_string(certificate).expect("openssl wrote it");
    text.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn openssl(args: &[&str], further: impl FnOnce(&mut Command)) -> Vec<u8> {
    let mut command = Command::new(&program("openssl", "openssl"));
    command.args(args);
    further(&mut command);
    let done = command.output(&Cancel::default());
    done.unwrap_or_else(|error| panic!("no key, no token: {error}")).stdout
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, field: &str) -> Request {
        Request::parse(vec![format!("GET {target} HTTP/1.1"), field.to_owned()])
    }

    #[test]
    fn scopes_are_read() {
        let asked =
            request("/token?service=a&scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=x:y:z", "");
        assert_eq!(asked.scopes, ["repository:a/b:pull,push", "x:y:z"]);
        assert_eq!(asked.authorization, None);
        assert_eq!(request("/token?scope=%", "Host: a").scopes, [""]);
    }

    #[test]
    fn everybody_pulls_what_is_public() {
        let pull =
            |name: &str| json!([{ "type": "repository", "name": name, "actions": ["pull"] }]);
        let nothing = |name: &str| json!([{ "type": "repository", "name": name, "actions": [] }]);
        let both = json!([{ "type": "repository", "name": "a", "actions": ["pull", "push"] }]);
        for (name, field, granted) in [
            ("public/a", "Host: b", Some(pull("public/a"))),
            ("a", "Host: b", Some(nothing("a"))),
            ("a", "authorization: Basic bW90ZTpzZTpjcmV0", Some(both)),
            ("a", "Authorization: Basic bW90ZTp3cm9uZw==", None),
        ] {
            let asked = request(&format!("/token?scope=repository:{name}:pull,push"), field);
            assert_eq!(asked.grants().map(Value::from), granted, "{name} {field}");
        }
    }
}
