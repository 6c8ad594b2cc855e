//! Texts of the configuration that cannot hold anything else than what they are named after.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Declares a text type from its check and from what a text that fails it is told.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, $check:expr, $allowed:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                check(text).then(|| Self(text.to_owned())).ok_or($allowed)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type! {
    /// The label of a token, which `CK_TOKEN_INFO` pads with blanks to 32 bytes.
    Label,
    |text| matches!(text.len(), 1..=32) && !text.contains(char::is_control) && !text.ends_with(' '),
    "1 to 32 bytes of UTF-8, no control characters, no blank at the end"
}

impl Default for Label {
    fn default() -> Self {
        Self("aws-kms".to_owned())
    }
}

text_type! {
    /// An AWS region: `eu-west-1`.
    Region,
    |text| !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')),
    "the name of a region, such as \"eu-west-1\""
}

text_type! {
    /// The URL that KMS is reached at, instead of the region's.
    Endpoint,
    is_http_url,
    "a URL that begins with http:// or https:// and has neither user nor query"
}

text_type! {
    /// A profile of the shared AWS files.
    Profile,
    |text| !text.is_empty() && !text.contains(char::is_control),
    "the name of an AWS profile"
}

text_type! {
    /// An AWS account.
    AccountId,
    is_account_id,
    "the 12 digits of an AWS account"
}

text_type! {
    /// What the ARN of an identity must look like: `*` stands for any characters, `?` for one.
    ArnPattern,
    |text| text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic()),
    "an ARN in which * stands for any characters and ? for one, such as \
     \"arn:aws:sts::111122223333:assumed-role/signer/*\""
}

impl ArnPattern {
    /// Whether the whole of `arn` is what the pattern describes.
    pub(crate) fn matches(&self, arn: &str) -> bool {
        let (pattern, arn) = (self.as_str().as_bytes(), arn.as_bytes());
        let (mut at, mut matched) = (0, 0);
        // After the last star, and how much of the ARN that star stands for the end of.
        let mut star: Option<(usize, usize)> = None;
        while matched < arn.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at + 1, matched));
                    at += 1;
                }
                Some(&byte) if byte == b'?' || byte == arn[matched] => {
                    at += 1;
                    matched += 1;
                }
                _ => match &mut star {
                    // The star takes one more, and the rest is tried again.
                    Some((after, end)) => {
                        *end += 1;
                        (at, matched) = (*after, *end);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|&byte| byte == b'*')
    }
}

text_type! {
    /// The ARN of an IAM role.
    RoleArn,
    is_role_arn,
    "the ARN of an IAM role, such as \"arn:aws:iam::111122223333:role/signer\""
}

text_type! {
    /// What the owner of a role demands to be told by those who assume it.
    ExternalId,
    |text| matches!(text.len(), 2..=1224) && is_role_text(text, b"+=,.@:/-_"),
    "2 to 1224 letters, digits or any of +=,.@:/-_"
}

text_type! {
    /// The name of a role's session.
    SessionName,
    |text| matches!(text.len(), 2..=64) && is_role_text(text, b"+=,.@-_"),
    "2 to 64 letters, digits or any of +=,.@-_"
}

text_type! {
    /// An IAM policy for one session.
    SessionPolicy,
    |text| {
        let text = text.trim();
        text.starts_with('{') && text.ends_with('}') && text.len() <= 2048
    },
    "an IAM policy in JSON, at most 2048 characters"
}

text_type! {
    /// A key id, key ARN, alias name or alias ARN.
    KeyName,
    is_key_name,
    "a key id, \"alias/…\", or the ARN of a key or alias of KMS"
}

text_type! {
    /// The description that created keys get.
    Description,
    |text| text.chars().count() <= 8192,
    "at most 8192 characters"
}

text_type! {
    /// The key of a tag that KMS allows and that is none of the module's own.
    TagKey,
    |text| {
        let begins_with = |prefix: &str| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        is_tag_text(text, 1..=128) && !begins_with("aws:") && !begins_with("p11:")
    },
    "1 to 128 letters, digits, blanks or any of _.:/=+-@, not beginning with aws: or p11:"
}

text_type! {
    /// The value of a tag.
    TagValue,
    |text| is_tag_text(text, 0..=256),
    "at most 256 letters, digits, blanks or any of _.:/=+-@"
}

text_type! {
    /// A name in an encryption context.
    ContextName,
    |text| !text.is_empty() && !text.contains(char::is_control),
    "one character or more, none of them a control character"
}

text_type! {
    /// A value in an encryption context.
    ContextValue,
    |text| !text.contains(char::is_control),
    "a text without control characters"
}

impl Default for Description {
    fn default() -> Self {
        Self("kms-pkcs11".to_owned())
    }
}

/// A path that does not depend on the directory of the process.
pub(super) struct AbsolutePath(pub(super) PathBuf);

impl FromStr for AbsolutePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = Path::new(text);
        path.is_absolute()
            .then(|| Self(path.to_owned()))
            .ok_or("an absolute path")
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri
                .authority()
                .is_some_and(|name| !name.as_str().contains('@'))
            && uri.query().is_none()
    })
}

/// The alphabet of tags, and their length in characters.
fn is_tag_text(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.chars().count())
        && text
            .chars()
            .all(|char| char.is_alphanumeric() || " _.:/=+-@".contains(char))
}

fn is_key_name(text: &str) -> bool {
    match text.strip_prefix("arn:") {
        Some(arn) => is_kms_arn(arn),
        None => is_key_id(text) || is_alias(text),
    }
}

/// `aws:kms:eu-west-1:111122223333:key/…` or `…:alias/…`, whatever the partition.
fn is_kms_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(5, ':').collect();
    let [partition, "kms", region, account, resource] = parts[..] else {
        return false;
    };
    let is_resource = match resource.strip_prefix("key/") {
        Some(id) => is_key_id(id),
        None => is_alias(resource),
    };
    partition.starts_with("aws")
        && region.parse::<Region>().is_ok()
        && is_account_id(account)
        && is_resource
}

/// `arn:aws:iam::111122223333:role/…`, whatever the partition.
fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    let is_role = resource
        .strip_prefix("role/")
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
    partition.starts_with("aws") && is_account_id(account) && is_role
}

pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_role_text(text: &str, marks: &[u8]) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

/// A UUID, or `mrk-` and 32 hexadecimal digits.
fn is_key_id(text: &str) -> bool {
    let (digits, lengths): (&str, &[usize]) = match text.strip_prefix("mrk-") {
        Some(digits) => (digits, &[32]),
        None => (text, &[8, 4, 4, 4, 12]),
    };
    let parts = digits.split('-');
    parts.clone().map(str::len).eq(lengths.iter().copied())
        && parts
            .flat_map(str::bytes)
            .all(|byte| byte.is_ascii_hexdigit())
}

/// `alias/` and at most 250 characters.
fn is_alias(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| {
        matches!(name.len(), 1..=250)
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: FromStr>(texts: &[&str]) {
        for text in texts {
            assert!(text.parse::<T>().is_ok(), "{text:?}");
        }
    }

    fn refuses<T: FromStr>(texts: &[&str]) {
        for text in texts {
            assert!(text.parse::<T>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_label_has_1_to_32_bytes_that_survive_padding() {
        accepts::<Label>(&["a", "two words", "ключ", &"x".repeat(32), &"é".repeat(16)]);
        refuses::<Label>(&["", &"x".repeat(33), &"é".repeat(17), "x ", "a\nb", "a\0"]);
    }

    #[test]
    fn a_region_has_the_letters_of_regions() {
        accepts::<Region>(&["eu-west-1", "us-gov-east-1", "local"]);
        refuses::<Region>(&["", "EU-WEST-1", "eu west", "eu_west_1", "eu-west-1/"]);
    }

    #[test]
    fn an_endpoint_is_an_http_url_without_secrets() {
        accepts::<Endpoint>(&[
            "http://127.0.0.1:8080",
            "https://kms.eu-west-1.amazonaws.com",
            "https://[::1]:443/",
            "https://proxy.example.com/kms",
        ]);
        refuses::<Endpoint>(&[
            "",
            "localhost:8080",
            "/kms",
            "ftp://example.com",
            "file:///etc/passwd",
            "http://",
            "https://user@example.com",
            "https://example.com?x=1",
            "https://exa mple.com",
        ]);
    }

    #[test]
    fn tags_have_the_alphabet_and_lengths_of_kms() {
        accepts::<TagKey>(&[
            "a",
            "Team",
            "cost centre",
            "a_.:/=+-@9",
            "ключ",
            &"x".repeat(128),
        ]);
        refuses::<TagKey>(&["", &"x".repeat(129), "a*", "a\tb", "a,b"]);
        accepts::<TagValue>(&["", "teleport.example.com", &"é".repeat(256)]);
        refuses::<TagValue>(&[&"x".repeat(257), "a&b", "a\n"]);
    }

    #[test]
    fn a_context_is_of_texts_without_control_characters() {
        accepts::<ContextName>(&["application", "aws:s3:arn", "ключ", " "]);
        refuses::<ContextName>(&["", "a\0", "a\nb"]);
        accepts::<ContextValue>(&["", "arn:aws:s3:::recordings/*", "é"]);
        refuses::<ContextValue>(&["\0", "a\tb"]);
    }

    #[test]
    fn the_tags_of_aws_and_of_the_module_are_not_the_users() {
        refuses::<TagKey>(&["aws:name", "AWS:name", "p11:label", "P11:id"]);
        accepts::<TagKey>(&["aws", "aws-name", "p11", "my:p11:label"]);
    }

    #[test]
    fn a_role_is_named_by_its_arn() {
        accepts::<RoleArn>(&[
            "arn:aws:iam::111122223333:role/signer",
            "arn:aws-us-gov:iam::111122223333:role/team/signer@1",
        ]);
        refuses::<RoleArn>(&[
            "signer",
            "arn:aws:iam::111122223333:user/signer",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::1111:role/signer",
            "arn:aws:sts::111122223333:assumed-role/signer/x",
        ]);
        accepts::<ExternalId>(&["ab", "a:/b-_+=,.@"]);
        refuses::<ExternalId>(&["a", "a b", "é!"]);
        accepts::<SessionName>(&["ab", &"x".repeat(64)]);
        refuses::<SessionName>(&["a", &"x".repeat(65), "a:b", "a/b"]);
        accepts::<SessionPolicy>(&["{}", " {\"Version\": \"2012-10-17\"}\n"]);
        refuses::<SessionPolicy>(&["", "policy.json", &format!("{{{}}}", "x".repeat(2047))]);
    }

    #[test]
    fn an_arn_pattern_describes_whole_arns_with_stars_and_question_marks() {
        let arn = "arn:aws:sts::333333333333:assumed-role/auth-role/i-0123456789abcdef0";
        let matches = |pattern: &str| pattern.parse::<ArnPattern>().unwrap().matches(arn);
        for pattern in [
            arn,
            "arn:aws:sts::333333333333:assumed-role/auth-role/i-*",
            "arn:aws:sts::333333333333:assumed-role/auth-role/*",
            "arn:aws:sts::????????????:assumed-role/auth-role/i-?*",
            "arn:*:sts::333333333333:*/auth-role/**",
            "arn:*0",
        ] {
            assert!(matches(pattern), "{pattern}");
        }
        for pattern in [
            "arn:aws:sts::333333333333:assumed-role/auth-role/i-",
            "arn:aws:sts::333333333333:assumed-role/auth-role",
            "arn:aws:sts::333333333333:assumed-role/auth-role/?",
            "arn:aws:sts::333333333333:assumed-role/AUTH-role/*",
            "arn:aws-cn:sts::333333333333:assumed-role/auth-role/*",
            "arn:aws:sts::333333333333:assumed-role/auth-role/i-*1",
            "arn:aws:sts::333333333333:assumed-role/auth-role/i-0123456789abcdef0?",
            "arn:aws*i-*i-*",
            "arn:",
        ] {
            assert!(!matches(pattern), "{pattern}");
        }
        // Nothing in a pattern but the two is special, and a star may stand for nothing.
        let dots: ArnPattern = "arn:a.s*".parse().unwrap();
        assert!(dots.matches("arn:a.s") && !dots.matches("arn:aws"));
        refuses::<ArnPattern>(&["", "*", "signer", "arn:a b", "arn:é"]);
        accepts::<AccountId>(&["111122223333"]);
        refuses::<AccountId>(&[
            "",
            "1111-2222-3333",
            "11112222333",
            "1111222233334",
            "a11122223333",
        ]);
    }

    #[test]
    fn a_key_is_named_by_id_alias_or_arn() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let mrk = "mrk-1234abcd12ab34cd56ef1234567890ab";
        let arn = |resource: &str| format!("arn:aws:kms:eu-west-1:111122223333:{resource}");
        accepts::<KeyName>(&[
            id,
            mrk,
            "alias/a",
            "alias/team/signing_key-2",
            &format!("alias/{}", "x".repeat(250)),
            &arn(&format!("key/{id}")),
            &arn(&format!("key/{mrk}")),
            &arn("alias/signing"),
            "arn:aws-cn:kms:cn-north-1:111122223333:alias/signing",
        ]);
        refuses::<KeyName>(&[
            "",
            "signing",
            "alias/",
            "alias/a b",
            &format!("alias/{}", "x".repeat(251)),
            &id[1..],
            &format!("{id}0"),
            &id.replace('a', "g"),
            &mrk[..35],
            &arn(id),
            &arn("key/alias/signing"),
            "arn:aws:s3:eu-west-1:111122223333:alias/signing",
            "arn:aws:kms::111122223333:alias/signing",
            "arn:aws:kms:eu-west-1:11112222333:alias/signing",
            "arn:aws:kms:eu-west-1:111122223333",
        ]);
    }
}
