//! Credentials as a PIN gives them.

use std::fmt;

use zeroize::Zeroizing;

/// Whose requests a token sends, instead of those whom its configuration says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Keys {
        id: String,
        secret: Zeroizing<String>,
        session_token: Option<Zeroizing<String>>,
    },
    /// A profile of the shared AWS files.
    Profile(String),
}

/// The forms of a PIN, as a message says them.
pub(crate) const IDENTITY_FORMS: &str = "ACCESS_KEY_ID:SECRET_ACCESS_KEY, ACCESS_KEY_ID:SECRET_ACCESS_KEY:SESSION_TOKEN or profile:NAME";

impl Identity {
    /// `None` for a PIN of another form than [`IDENTITY_FORMS`].
    pub(crate) fn from_pin(pin: &[u8]) -> Option<Self> {
        let pin = std::str::from_utf8(pin).ok()?;
        let (id, rest) = pin.split_once(':')?;
        if id == "profile" {
            let is_name = !rest.is_empty() && !rest.contains(char::is_control);
            return is_name.then(|| Self::Profile(rest.to_owned()));
        }
        let (secret, session_token) = match rest.split_once(':') {
            Some((secret, token)) => (secret, Some(token)),
            None => (rest, None),
        };
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_secret = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        (is_id && is_secret(secret) && session_token.is_none_or(is_secret)).then(|| Self::Keys {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
            session_token: session_token.map(|token| Zeroizing::new(token.to_owned())),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { id, .. } => f
                .debug_struct("Keys")
                .field("id", id)
                .finish_non_exhaustive(),
            Self::Profile(name) => f.debug_tuple("Profile").field(name).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_an_access_key_with_or_without_a_session_token_or_a_profile() {
        let keys = |id: &str, secret: &str, token: Option<&str>| {
            Some(Identity::Keys {
                id: id.to_owned(),
                secret: Zeroizing::new(secret.to_owned()),
                session_token: token.map(|token| Zeroizing::new(token.to_owned())),
            })
        };
        for (pin, identity) in [
            ("AKIDTEST:a/b+c", keys("AKIDTEST", "a/b+c", None)),
            ("AKIDTEST:a:t/o=", keys("AKIDTEST", "a", Some("t/o="))),
            ("profile:ops", Some(Identity::Profile("ops".to_owned()))),
            ("profile:a b:c", Some(Identity::Profile("a b:c".to_owned()))),
            ("", None),
            ("1234", None),
            ("profile", None),
            ("profile:", None),
            (":secret", None),
            ("AKIDTEST:", None),
            ("AKIDTEST:a:", None),
            ("AKID TEST:a", None),
            ("AKIDTEST:a b", None),
        ] {
            assert_eq!(Identity::from_pin(pin.as_bytes()), identity, "{pin}");
        }
        assert_eq!(Identity::from_pin(b"AKIDTEST:\xff"), None);
    }

    #[test]
    fn an_identity_does_not_show_its_secrets() {
        let identity = Identity::from_pin(b"AKIDTEST:hidden1:hidden2").unwrap();
        let shown = format!("{identity:?}");
        assert!(
            shown.contains("AKIDTEST") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
