//! What a `credential_process` answers: a JSON object of version 1
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>).

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};
use serde_json::{Map, Value};

/// The credentials in an answer, or what is wrong with it. No error has a part of the answer in it.
pub(super) fn credentials(answer: &[u8], account: Option<&str>) -> Result<Credentials, String> {
    let text = answer.trim_ascii();
    if text.is_empty() {
        return Err("is nothing".to_owned());
    }
    // serde_json tells the place of a mistake, and of what is there nothing.
    let parsed = serde_json::from_slice(text).map_err(|error| format!("is not JSON: {error}"))?;
    let Value::Object(members) = parsed else {
        return Err("is not a JSON object".to_owned());
    };
    let mut members = Members(members);
    match members.take("Version") {
        None => return Err("has no Version".to_owned()),
        Some(version) if version.as_f64() != Some(1.0) => {
            return Err("is of another Version than 1".to_owned());
        }
        Some(_) => {}
    }
    let expiry = members.text("Expiration")?;
    let account = members
        .text("AccountId")?
        .or_else(|| account.map(str::to_owned));
    let mut credentials = Credentials::builder()
        .access_key_id(members.mandatory("AccessKeyId")?)
        .secret_access_key(members.mandatory("SecretAccessKey")?)
        .provider_name("CredentialProcess");
    credentials.set_session_token(members.text("SessionToken")?);
    credentials.set_expiry(expiry.map(|text| instant(&text)).transpose()?);
    credentials.set_account_id(account.map(AccountId::from));
    Ok(credentials.build())
}

/// RFC 3339 allows a space between date and time, and small letters.
fn instant(text: &str) -> Result<SystemTime, String> {
    let strict = text.to_ascii_uppercase().replace(' ', "T");
    DateTime::from_str(&strict, DateTimeFormat::DateTimeWithOffset)
        .ok()
        .and_then(|time| SystemTime::try_from(time).ok())
        .ok_or_else(|| "has an Expiration that is no time as RFC 3339 writes it".to_owned())
}

/// Members whose names are compared without regard to case, as the SDK does it.
struct Members(Map<String, Value>);

impl Members {
    fn take(&mut self, name: &str) -> Option<Value> {
        let key = self.0.keys().find(|key| key.eq_ignore_ascii_case(name))?;
        let key = key.clone();
        self.0.remove(&key).filter(|value| !value.is_null())
    }

    /// A string; an empty one counts as none.
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("has in {name} no string")),
        }
    }

    fn mandatory(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("has no {name}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn an_answer_of_version_1_is_read_whatever_the_case_of_its_names() {
        let whole = r#" {"Version": 1, "accesskeyid": "id", "SecretAccessKey": "se\u0063ret", "SessionToken": "token",
            "Expiration": "2033-05-18T05:33:20+02:00", "AccountId": "111122223333", "Other": [1]} "#;
        let read = credentials(whole.as_bytes(), Some("444455556666")).unwrap();
        assert_eq!(read.access_key_id(), "id");
        assert_eq!(read.secret_access_key(), "secret");
        assert_eq!(read.session_token(), Some("token"));
        let end = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        assert_eq!(read.expiry(), Some(end));
        assert_eq!(read.account_id().unwrap().as_str(), "111122223333");

        for end in ["2033-05-18 05:33:20.500+02:00", "2033-05-18t03:33:20.5z"] {
            let end = instant(end).unwrap();
            assert_eq!(end, UNIX_EPOCH + Duration::from_millis(2_000_000_000_500));
        }

        let least = r#"{"Version":1,"AccessKeyId":"id","SecretAccessKey":"secret","SessionToken":null,"Expiration":""}"#;
        let read = credentials(least.as_bytes(), Some("444455556666")).unwrap();
        assert_eq!((read.session_token(), read.expiry()), (None, None));
        assert_eq!(read.account_id().unwrap().as_str(), "444455556666");
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said_without_a_part_of_it() {
        for (answer, wrong) in [
            ("", "is nothing"),
            ("\n", "is nothing"),
            ("sesame", "is not JSON: expected value at line 1 column 1"),
            (
                r#"{"Version": 1, "SecretAccessKey": "sesame"#,
                "is not JSON: EOF while parsing a string at line 1 column 41",
            ),
            (r#"["sesame"]"#, "is not a JSON object"),
            (r#"{"AccessKeyId": "sesame"}"#, "has no Version"),
            (r#"{"Version": 2}"#, "is of another Version than 1"),
            (r#"{"Version": "1"}"#, "is of another Version than 1"),
            (
                r#"{"Version": 1, "SecretAccessKey": "sesame"}"#,
                "has no AccessKeyId",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "sesame", "SecretAccessKey": ""}"#,
                "has no SecretAccessKey",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": ["sesame"]}"#,
                "has in SecretAccessKey no string",
            ),
            (
                r#"{"Version": 1, "Expiration": "sesame"}"#,
                "has no AccessKeyId",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "s", "Expiration": "tomorrow"}"#,
                "has an Expiration that is no time as RFC 3339 writes it",
            ),
        ] {
            let said = credentials(answer.as_bytes(), None).unwrap_err();
            assert_eq!(said, wrong, "{answer}");
        }
    }
}
