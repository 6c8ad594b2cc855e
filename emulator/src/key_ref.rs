//! The ways to name a key: id, key ARN, alias name, alias ARN.

use crate::error::{ApiError, ApiResult};

/// The account and region that this service is.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) region: String,
    pub(crate) account: String,
}

/// A well-formed reference into this account and region; its target need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyRef<'a> {
    Id(&'a str),
    /// With its prefix: `alias/signing`.
    Alias(&'a str),
}

impl Site {
    pub(crate) fn key_arn(&self, id: &str) -> String {
        key_arn(&self.region, &self.account, id)
    }

    pub(crate) fn alias_arn(&self, name: &str) -> String {
        format!("arn:aws:kms:{}:{}:{name}", self.region, self.account)
    }

    /// Reads a reference of any form.
    pub(crate) fn parse<'a>(&self, reference: &'a str) -> ApiResult<KeyRef<'a>> {
        if reference.starts_with("arn:") {
            self.parse_arn(reference)
        } else if reference.starts_with("alias/") {
            Ok(KeyRef::Alias(reference))
        } else if is_key_id(reference) {
            Ok(KeyRef::Id(reference))
        } else {
            Err(ApiError::not_found(format!("Invalid keyId '{reference}'")))
        }
    }

    /// Reads a reference where KMS takes a key's id or ARN, but no alias.
    pub(crate) fn parse_key<'a>(&self, reference: &'a str) -> ApiResult<&'a str> {
        match self.parse(reference)? {
            KeyRef::Id(id) => Ok(id),
            KeyRef::Alias(_) if reference.starts_with("arn:") => Err(ApiError::invalid_arn(
                format!("{reference} is not a valid key ARN"),
            )),
            KeyRef::Alias(_) => Err(ApiError::not_found(format!("Invalid keyId '{reference}'"))),
        }
    }

    fn parse_arn<'a>(&self, arn: &'a str) -> ApiResult<KeyRef<'a>> {
        let invalid = || ApiError::invalid_arn(format!("Invalid arn {arn}"));
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _partition, "kms", region, account, resource] = parts[..] else {
            return Err(invalid());
        };
        if region != self.region {
            return Err(ApiError::not_found(format!("Invalid arn {region}")));
        }
        let id = resource.strip_prefix("key/");
        match id {
            Some(id) if is_key_id(id) && account == self.account => Ok(KeyRef::Id(id)),
            Some(id) if is_key_id(id) => {
                Err(ApiError::not_found(format!("Key '{arn}' does not exist")))
            }
            Some(id) => Err(ApiError::not_found(format!("Invalid keyId '{id}'"))),
            None if !resource.starts_with("alias/") => Err(invalid()),
            None if account == self.account => Ok(KeyRef::Alias(resource)),
            None => Err(ApiError::not_found(format!("Alias {arn} is not found."))),
        }
    }
}

/// The ARN of a key in any region.
pub(crate) fn key_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

/// A UUID, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
fn is_key_id(text: &str) -> bool {
    let is_hex =
        |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(digits) = text.strip_prefix("mrk-") {
        return is_hex(digits, 32);
    }
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5
        && groups
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(group, len)| is_hex(group, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn site() -> Site {
        Site {
            region: "us-east-1".to_owned(),
            account: "111122223333".to_owned(),
        }
    }

    #[test]
    fn all_four_forms_are_read() {
        let key_arn = site().key_arn(ID);
        let alias_arn = site().alias_arn("alias/ca");
        assert_eq!(site().parse(ID), Ok(KeyRef::Id(ID)));
        assert_eq!(site().parse(&key_arn), Ok(KeyRef::Id(ID)));
        assert_eq!(site().parse("alias/ca"), Ok(KeyRef::Alias("alias/ca")));
        assert_eq!(site().parse(&alias_arn), Ok(KeyRef::Alias("alias/ca")));
        let multi_region = "mrk-1234abcd12ab34cd56ef1234567890ab";
        assert_eq!(site().parse(multi_region), Ok(KeyRef::Id(multi_region)));
    }

    #[test]
    fn other_regions_accounts_and_services_are_refused_by_name() {
        let code_of = |arn: &str| site().parse(arn).err().map(|error| error.code.into_owned());
        for (arn, code) in [
            (
                "arn:aws:kms:eu-west-1:111122223333:key/{ID}",
                "NotFoundException",
            ),
            (
                "arn:aws:kms:us-east-1:444455556666:key/{ID}",
                "NotFoundException",
            ),
            (
                "arn:aws:kms:us-east-1:444455556666:alias/ca",
                "NotFoundException",
            ),
            (
                "arn:aws:kms:us-east-1:111122223333:grant/x",
                "InvalidArnException",
            ),
            ("arn:aws:s3:::bucket", "InvalidArnException"),
        ] {
            assert_eq!(
                code_of(&arn.replace("{ID}", ID)),
                Some(code.to_owned()),
                "{arn}"
            );
        }
    }

    #[test]
    fn aliases_are_refused_where_kms_takes_keys_only() {
        assert_eq!(site().parse_key(ID), Ok(ID));
        let code_of = |name: &str| site().parse_key(name).err().map(|error| error.code);
        assert_eq!(code_of("alias/ca").as_deref(), Some("NotFoundException"));
        let alias_arn = site().alias_arn("alias/ca");
        assert_eq!(code_of(&alias_arn).as_deref(), Some("InvalidArnException"));
    }
}
