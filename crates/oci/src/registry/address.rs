//! Addresses: what may be spoken to in plain text, and where redirections lead.

use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

/// The host of an address such as `host:port` or `[::1]:port`, without brackets.
pub(super) fn host_of(authority: &str) -> &str {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    authority.split(':').next().unwrap_or_default()
}

/// Whether what is sent to the host does not leave this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `authority` may be spoken to without encryption: `allowed` has it with its port, or its
/// host without one.
pub(super) fn may_be_plain(authority: &str, allowed: &[String]) -> bool {
    is_loopback(host_of(authority))
        || allowed.iter().any(|name| {
            name.eq_ignore_ascii_case(authority) || name.eq_ignore_ascii_case(host_of(authority))
        })
}

/// Whether the host is one of those of `NO_PROXY`: names stand for the domains below them too.
pub(super) fn goes_around_proxy(authority: &str, no_proxy: &str) -> bool {
    let host = host_of(authority).to_ascii_lowercase();
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let name = host_of(&entry).trim_start_matches('*').trim_start_matches('.');
        let below = || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        entry == "*" || (!name.is_empty() && (host == name || below()))
    })
}

/// Scheme, host and port, which credentials are bound to.
pub(super) fn origin(url: &Uri) -> Option<(String, String, u16)> {
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let default = if scheme == "http" { 80 } else { 443 };
    let authority = url.authority()?;
    let port = authority.port_u16().unwrap_or(default);
    Some((scheme, authority.host().to_ascii_lowercase(), port))
}

/// The host and port that `url` names, for messages and lists.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// What `location` means in a reply from `base` (RFC 3986, 5.2, but for `..`).
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, host) = (base.scheme_str()?, base.authority()?);
    // Within a path or a query it is only text.
    let is_absolute = location.find("://").is_some_and(|end| !location[..end].contains(['/', '?']));
    let absolute = if is_absolute {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{host}{folder}/{location}")
    };
    let url: Uri = absolute.parse().ok()?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    // A name and a password in an address would be sent to whomever the reply names.
    let bare = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    (known && bare).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_this_machine_unless_allowed() {
        let allowed = ["reg.example".to_owned(), "other.example:5000".to_owned()];
        for (authority, wanted) in [
            ("localhost", true),
            ("LOCALHOST:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.9.1", true),
            ("[::1]:5000", true),
            ("reg.example:80", true),
            ("Reg.example", true),
            ("other.example:5000", true),
            ("other.example", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("10.0.0.1", false),
            ("[::2]", false),
        ] {
            assert_eq!(may_be_plain(authority, &allowed), wanted, "{authority}");
        }
    }

    #[test]
    fn some_go_around_the_proxy() {
        for (host, wanted) in [
            ("a.example", true),
            ("sub.a.example:443", true),
            ("nota.example", false),
            ("b.example", true),
            ("x.c.example", true),
            ("10.0.0.1", true),
            ("d.example", false),
        ] {
            let list = "a.example, .b.example,*.c.example,10.0.0.1";
            assert_eq!(goes_around_proxy(host, list), wanted, "{host}");
        }
        assert!(goes_around_proxy("any.example", "*"));
        assert!(!goes_around_proxy("any.example", ""));
    }

    #[test]
    fn redirections_are_followed_to_http_only() {
        let base: Uri = "https://h.example:5000/v2/a/blobs/x?y".parse().unwrap();
        for (location, wanted) in [
            ("https://s.example/b?c=d#e", Some("https://s.example/b?c=d")),
            ("//s.example/b", Some("https://s.example/b")),
            ("/b", Some("https://h.example:5000/b")),
            ("b", Some("https://h.example:5000/v2/a/blobs/b")),
            (
                "/b?src=https://s.example/x",
                Some("https://h.example:5000/b?src=https://s.example/x"),
            ),
            (
                "//s.example/b?src=https://h.example/x",
                Some("https://s.example/b?src=https://h.example/x"),
            ),
            (
                "b?src=https://s.example/x",
                Some("https://h.example:5000/v2/a/blobs/b?src=https://s.example/x"),
            ),
            (
                "https://s.example/b?src=https://h.example/x",
                Some("https://s.example/b?src=https://h.example/x"),
            ),
            ("file:///etc/passwd", None),
            ("https://me:secret@s.example/", None),
            ("ftp://s.example/", None),
            ("https://", None),
        ] {
            let joined = join(&base, location).map(|url| url.to_string());
            assert_eq!(joined.as_deref(), wanted, "{location}");
        }
        let [a, b] =
            ["https://H.example/x", "https://h.example:443/y"].map(|url| url.parse().unwrap());
        assert_eq!(origin(&a), origin(&b));
    }
}
