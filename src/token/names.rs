//! CKA_ID and CKA_LABEL in a key's tags.
//!
//! | tag | holds | encoding |
//! | --- | --- | --- |
//! | `p11:id` | CKA_ID of both halves | hexadecimal, at most 128 bytes |
//! | `p11:label` | CKA_LABEL of both halves | text; bytes outside the tag alphabet as `=XX` |
//! | `p11:public-id`, `p11:public-label` | those of the public half, where they differ | the same |
//!
//! A key without them takes the 16 bytes of its key id as CKA_ID, and as CKA_LABEL its alias or,
//! without one, its key id.

use pkcs11_sys::CKR_ATTRIBUTE_VALUE_INVALID;

use crate::error::{Error, Result};
use crate::hex;
use crate::kms::{KeyEntry, Tags};
use crate::object::{Names, Part};

/// The longest tag value, in characters.
pub(super) const MAX_VALUE: usize = 256;

const PRIVATE_TAGS: NameTags = NameTags {
    id: "p11:id",
    label: "p11:label",
};
const PUBLIC_TAGS: NameTags = NameTags {
    id: "p11:public-id",
    label: "p11:public-label",
};

struct NameTags {
    id: &'static str,
    label: &'static str,
}

/// The names of both halves of a listed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PairNames {
    pub(super) private: Names,
    pub(super) public: Names,
}

impl PairNames {
    /// Reads the names from tags; `alias` is the key's alias without its prefix. A tag that cannot
    /// be read counts as missing.
    pub(super) fn of_key(entry: &KeyEntry, tags: &Tags, alias: Option<&str>) -> Self {
        let id_in = |tag| tags.get(tag).and_then(|value| hex::decode(value));
        let label_in = |tag| tags.get(tag).map(|value| decode_label(value));
        let id = id_in(PRIVATE_TAGS.id).unwrap_or_else(|| default_id(&entry.key_id));
        let label = label_in(PRIVATE_TAGS.label)
            .unwrap_or_else(|| alias.unwrap_or(&entry.key_id).as_bytes().to_vec());
        let public = Names {
            id: id_in(PUBLIC_TAGS.id).unwrap_or_else(|| id.clone()),
            label: label_in(PUBLIC_TAGS.label).unwrap_or_else(|| label.clone()),
        };
        Self {
            private: Names { id, label },
            public,
        }
    }

    /// The tags that make these names; the public half's only where they differ.
    pub(super) fn to_tags(&self) -> Result<Tags> {
        let mut tags = Tags::new();
        tags.insert(PRIVATE_TAGS.id.to_owned(), encode_id(&self.private.id)?);
        tags.insert(
            PRIVATE_TAGS.label.to_owned(),
            encode_label(&self.private.label)?,
        );
        if self.public.id != self.private.id {
            tags.insert(PUBLIC_TAGS.id.to_owned(), encode_id(&self.public.id)?);
        }
        if self.public.label != self.private.label {
            tags.insert(
                PUBLIC_TAGS.label.to_owned(),
                encode_label(&self.public.label)?,
            );
        }
        Ok(tags)
    }
}

/// A change of an object's names, as C_SetAttributeValue asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) label: Option<Vec<u8>>,
}

impl Renaming {
    /// The tags to write. Renaming the private half renames its pair, unless the public half has
    /// own names.
    pub(super) fn to_tags(&self, part: Part) -> Result<Tags> {
        let names = match part {
            Part::Private | Part::Secret => &PRIVATE_TAGS,
            Part::Public => &PUBLIC_TAGS,
        };
        let mut tags = Tags::new();
        if let Some(id) = &self.id {
            tags.insert(names.id.to_owned(), encode_id(id)?);
        }
        if let Some(label) = &self.label {
            tags.insert(names.label.to_owned(), encode_label(label)?);
        }
        Ok(tags)
    }
}

/// Tells of tags that somebody wrote and that mean nothing.
pub(super) fn warn_of_bad_ids(entry: &KeyEntry, tags: &Tags) {
    for tag in [PRIVATE_TAGS.id, PUBLIC_TAGS.id] {
        if let Some(value) = tags.get(tag).filter(|value| hex::decode(value).is_none()) {
            let arn = &entry.arn;
            tracing::warn!("{arn}: tag {tag} = {value:?} is not hexadecimal and is ignored");
        }
    }
}

/// True for a key whose label is in its tags, so that its alias is of no interest.
pub(super) fn has_label(tags: &Tags) -> bool {
    tags.contains_key(PRIVATE_TAGS.label)
}

/// The 16 bytes of a UUID; of a multi-Region key id the 16 bytes after `mrk-`.
fn default_id(key_id: &str) -> Vec<u8> {
    let digits: String = key_id
        .trim_start_matches("mrk-")
        .chars()
        .filter(|c| *c != '-')
        .collect();
    hex::decode(&digits).unwrap_or_else(|| key_id.as_bytes().to_vec())
}

fn encode_id(id: &[u8]) -> Result<String> {
    if 2 * id.len() > MAX_VALUE {
        return Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "CKA_ID has {} bytes; a tag of the key holds {}",
                id.len(),
                MAX_VALUE / 2
            ),
        ));
    }
    Ok(hex::encode(id))
}

fn encode_label(label: &[u8]) -> Result<String> {
    let escaped = escape_label(label);
    if escaped.len() > MAX_VALUE {
        return Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "CKA_LABEL needs {} characters in a tag of the key, which holds {MAX_VALUE}",
                escaped.len()
            ),
        ));
    }
    Ok(escaped)
}

/// Text of the tag alphabet for a label of any bytes and any length.
pub(super) fn escape_label(label: &[u8]) -> String {
    let last = label.len().saturating_sub(1);
    label
        .iter()
        .enumerate()
        .map(|(index, byte)| match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'_'
            | b'.'
            | b':'
            | b'/'
            | b'+'
            | b'-'
            | b'@' => char::from(*byte).to_string(),
            // The console trims spaces at the ends.
            b' ' if index != 0 && index != last => " ".to_owned(),
            other => format!("={other:02X}"),
        })
        .collect()
}

/// Reads a label back; a `=` that is not followed by two hexadecimal digits stands for itself, so
/// that labels typed by hand read as typed.
pub(super) fn decode_label(value: &str) -> Vec<u8> {
    let mut label = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'=')
            .then(|| {
                tail.first_chunk::<2>()
                    .and_then(|digits| hex::byte(*digits))
            })
            .flatten();
        label.push(escaped.unwrap_or(*first));
        rest = tail
            .get(if escaped.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key_id: &str) -> KeyEntry {
        KeyEntry {
            arn: format!("arn:aws:kms:us-east-1:111122223333:key/{key_id}"),
            key_id: key_id.to_owned(),
        }
    }

    fn names(id: &[u8], label: &[u8]) -> Names {
        Names {
            id: id.to_vec(),
            label: label.to_vec(),
        }
    }

    #[test]
    fn names_of_any_bytes_come_back_from_their_tags() {
        let all: Vec<u8> = (0..=255).collect();
        let chunks = all.chunks(64).map(<[u8]>::to_vec);
        for bytes in chunks.chain([b" a b ".to_vec(), b"a=20b".to_vec(), Vec::new()]) {
            let pair = PairNames {
                private: names(&bytes, &bytes),
                public: names(b"\x01", b"other"),
            };
            let tags = pair.to_tags().unwrap();
            assert_eq!(PairNames::of_key(&entry("k"), &tags, Some("alias")), pair);
            let alphabet = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
            assert!(
                tags.values().all(|value| value.chars().all(alphabet)),
                "{tags:?}"
            );
        }
    }

    #[test]
    fn a_key_made_elsewhere_takes_its_names_from_its_id_and_alias() {
        let key = entry("1234abcd-12ab-34cd-56ef-1234567890ab");
        let id = [
            0x12, 0x34, 0xab, 0xcd, 0x12, 0xab, 0x34, 0xcd, 0x56, 0xef, 0x12, 0x34, 0x56, 0x78,
            0x90, 0xab,
        ];
        let named = PairNames::of_key(&key, &Tags::new(), Some("signing"));
        assert_eq!(
            (named.private, named.public),
            (names(&id, b"signing"), names(&id, b"signing"))
        );
        let nameless = PairNames::of_key(&key, &Tags::new(), None);
        assert_eq!(nameless.private.label, key.key_id.as_bytes());
        let multi_region = PairNames::of_key(
            &entry("mrk-1234abcd12ab34cd56ef1234567890ab"),
            &Tags::new(),
            None,
        );
        assert_eq!(multi_region.private.id, id);
    }

    #[test]
    fn a_label_typed_by_hand_reads_as_typed() {
        assert_eq!(decode_label("a=b == c"), b"a=b == c");
        assert_eq!(decode_label("50=25"), b"50%");
    }

    #[test]
    fn an_id_tag_that_is_not_hexadecimal_is_ignored() {
        let tags = Tags::from([("p11:id".to_owned(), "xyz".to_owned())]);
        let read = PairNames::of_key(&entry("1234abcd-12ab-34cd-56ef-1234567890ab"), &tags, None);
        assert_eq!(read.private.id.len(), 16);
    }

    #[test]
    fn names_that_no_tag_can_hold_are_refused() {
        let long = PairNames {
            private: names(&[0; 129], b""),
            public: names(&[0; 129], b""),
        };
        assert_eq!(
            long.to_tags().map_err(|e| e.rv()),
            Err(CKR_ATTRIBUTE_VALUE_INVALID)
        );
        let renaming = Renaming {
            id: None,
            label: Some(vec![b'%'; 86]),
        };
        assert_eq!(
            renaming.to_tags(Part::Private).map_err(|e| e.rv()),
            Err(CKR_ATTRIBUTE_VALUE_INVALID)
        );
    }
}
