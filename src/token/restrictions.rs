//! What is known of a key beyond what KMS knows, in the key's tags.
//!
//! | tag | holds | encoding |
//! | --- | --- | --- |
//! | `p11:mechanisms` | CKA_ALLOWED_MECHANISMS of the private or secret key | hexadecimal numbers, separated by spaces |
//! | `p11:public-mechanisms` | that of the public key | the same |
//! | `p11:key-type` | CKA_KEY_TYPE of an HMAC key that was made for its hash | `SHA256_HMAC` and its like |
//! | `p11:origin` | that an application handed the key in | `imported` |

use pkcs11_sys::*;

use super::names::MAX_VALUE;
use crate::error::{Error, Result};
use crate::kms::Tags;
use crate::object::Restrictions;
use crate::object::spec::HMACS;

const MECHANISMS: &str = "p11:mechanisms";
const PUBLIC_MECHANISMS: &str = "p11:public-mechanisms";
const KEY_TYPE: &str = "p11:key-type";
const ORIGIN: &str = "p11:origin";
const IMPORTED: &str = "imported";

/// Reads the restrictions. A list that cannot be read allows nothing: whoever wrote it meant to
/// restrict the key.
pub(super) fn in_tags(tags: &Tags) -> Restrictions {
    let list_in = |tag| tags.get(tag).map(|value: &String| decode(value));
    let named = |name: &String| HMACS.iter().find(|facts| facts.key_type_name == name);
    Restrictions {
        key_type: tags
            .get(KEY_TYPE)
            .and_then(named)
            .map(|facts| facts.key_type),
        mechanisms: list_in(MECHANISMS),
        public_mechanisms: list_in(PUBLIC_MECHANISMS),
        imported: tags.get(ORIGIN).is_some_and(|origin| origin == IMPORTED),
    }
}

/// The tags that keep the restrictions.
pub(super) fn to_tags(restrictions: &Restrictions) -> Result<Tags> {
    let mut tags = Tags::new();
    for (tag, list) in [
        (MECHANISMS, &restrictions.mechanisms),
        (PUBLIC_MECHANISMS, &restrictions.public_mechanisms),
    ] {
        if let Some(list) = list {
            tags.insert(tag.to_owned(), encode(list)?);
        }
    }
    let facts = HMACS
        .iter()
        .find(|facts| Some(facts.key_type) == restrictions.key_type);
    if let Some(facts) = facts {
        tags.insert(KEY_TYPE.to_owned(), facts.key_type_name.to_owned());
    }
    if restrictions.imported {
        tags.insert(ORIGIN.to_owned(), IMPORTED.to_owned());
    }
    Ok(tags)
}

fn encode(list: &[CK_MECHANISM_TYPE]) -> Result<String> {
    let numbers: Vec<String> = list.iter().map(|type_| format!("{type_:x}")).collect();
    let value = numbers.join(" ");
    if value.len() > MAX_VALUE {
        return Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "CKA_ALLOWED_MECHANISMS needs {} characters in a tag of the key, which holds {MAX_VALUE}",
                value.len()
            ),
        ));
    }
    Ok(value)
}

fn decode(value: &str) -> Vec<CK_MECHANISM_TYPE> {
    value
        .split_whitespace()
        .map(|number| CK_MECHANISM_TYPE::from_str_radix(number, 16))
        .collect::<std::result::Result<_, _>>()
        .unwrap_or_else(|_| {
            tracing::warn!("a tag of allowed mechanisms, {value:?}, is no list of hexadecimal numbers: none is allowed");
            Vec::new()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrictions_come_back_from_their_tags() {
        let restrictions = Restrictions {
            key_type: Some(CKK_SHA384_HMAC),
            mechanisms: Some(vec![CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS]),
            public_mechanisms: Some(Vec::new()),
            imported: true,
        };
        assert_eq!(in_tags(&to_tags(&restrictions).unwrap()), restrictions);
        let none = Restrictions::default();
        assert_eq!(to_tags(&none), Ok(Tags::new()));
        assert_eq!(in_tags(&Tags::new()), none);
    }

    #[test]
    fn a_list_that_cannot_be_read_allows_nothing() {
        let tags = Tags::from([(MECHANISMS.to_owned(), "40 zz".to_owned())]);
        assert_eq!(in_tags(&tags).mechanisms, Some(Vec::new()));
    }

    #[test]
    fn a_list_that_no_tag_can_hold_is_refused() {
        let restrictions = Restrictions {
            mechanisms: Some(vec![CKM_VENDOR_DEFINED; 29]),
            ..Restrictions::default()
        };
        assert_eq!(
            to_tags(&restrictions).map_err(|error| error.rv()),
            Err(CKR_ATTRIBUTE_VALUE_INVALID)
        );
    }
}
