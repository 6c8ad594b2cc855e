//! Certificates in the tags of the KMS key that they certify.
//!
//! | tag | holds |
//! | --- | --- |
//! | `p11:cert0.00`, `p11:cert0.01`, … | the DER of the key's certificate 0: Base64 of 192 bytes each, the last of fewer |
//! | `p11:cert0.label`, `p11:cert0.id` | its CKA_LABEL and CKA_ID, where they differ from the key's, encoded like the key's |
//! | `p11:cert0.category` | its CKA_CERTIFICATE_CATEGORY in decimal, where its creator gave one |
//!
//! The tags of a key are read with the key anyway: such a certificate costs no request to find.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use pkcs11_sys::*;

use super::Noted;
use super::notes::FIELDS;
use crate::error::{Error, Result};
use crate::kms::{KeyEntry, Tags};
use crate::object::certificate::{Certificate, CertificateError, Notes};
use crate::token::names::MAX_VALUE;

const PREFIX: &str = "p11:cert";
/// KMS allows this many tags on a key.
const MOST_TAGS: usize = 50;
/// The bytes that fill a tag's value: 3 for each 4 characters of Base64.
const PIECE: usize = MAX_VALUE / 4 * 3;

/// A certificate of a key, and its number among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) index: u8,
    pub(crate) noted: Noted,
}

/// The certificates in a key's tags.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) certificates: Vec<Stored>,
    problems: Vec<Problem>,
}

/// What is wrong with the tags of one certificate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("{PREFIX}{0}.{1:02} is missing")]
    Missing(u8, usize),
    #[error("{PREFIX}{0}.{1:02} is not Base64")]
    NotBase64(u8, usize),
    #[error("{PREFIX}{0} is {1}")]
    NotACertificate(u8, CertificateError),
    /// The certificate is shown without this note.
    #[error("{PREFIX}{0}.{1} cannot be read")]
    Note(u8, &'static str),
}

/// The tags that hold certificates, or parts of them.
pub(crate) fn of_certificates(tags: &Tags) -> impl Iterator<Item = (&String, &String)> {
    let from_prefix = tags.range::<str, _>((Bound::Included(PREFIX), Bound::Unbounded));
    from_prefix.take_while(|(key, _)| key.starts_with(PREFIX))
}

/// Reads all certificates of a key. One that is not whole is left out.
pub(crate) fn read(tags: &Tags) -> Reading {
    let mut parts: BTreeMap<u8, BTreeMap<&str, &str>> = BTreeMap::new();
    for (key, value) in tags {
        if let Some((index, part)) = split(key) {
            parts.entry(index).or_default().insert(part, value);
        }
    }
    let mut reading = Reading::default();
    for (index, parts) in parts {
        let notes = read_notes(index, &parts, &mut reading.problems);
        match read_certificate(index, &parts) {
            Ok(certificate) => reading.certificates.push(Stored {
                index,
                noted: Noted {
                    certificate: Arc::new(certificate),
                    notes,
                },
            }),
            Err(problem) => reading.problems.push(problem),
        }
    }
    reading
}

impl Reading {
    /// Tells of tags that mean nothing, in one line for each key.
    pub(crate) fn warn(&self, entry: &KeyEntry) {
        if self.problems.is_empty() {
            return;
        }
        let arn = &entry.arn;
        let problems: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        let problems = problems.join("; ");
        tracing::warn!(
            "{arn}: of the certificates in its tags: {problems}; what cannot be read is left out: \
             remove the tags that begin with the same number, and store the certificate again"
        );
    }
}

/// The tags that store a certificate on a key with the tags `present`, and its number there.
///
/// `CKR_DEVICE_MEMORY` when the key's free tags do not hold it, `CKR_ATTRIBUTE_VALUE_INVALID` when a
/// note is longer than a tag's value.
pub(crate) fn to_tags(
    present: &Tags,
    certificate: &Certificate,
    notes: &Notes,
) -> Result<(u8, Tags)> {
    let index = free_index(present);
    let mut tags = note_tags(index, notes)?;
    // Tags of AWS's own do not count.
    let counted = |key: &&String| !key.starts_with("aws:");
    let taken = present.keys().filter(counted).count() + tags.len();
    let free = MOST_TAGS.saturating_sub(taken);
    let der = certificate.der();
    if der.len().div_ceil(PIECE) > free {
        let (len, room) = (der.len(), free * PIECE);
        return Err(Error::new(
            CKR_DEVICE_MEMORY,
            format!(
                "the certificate has {len} bytes, and the tags of its key have room for {room}: KMS \
                 allows {MOST_TAGS} tags of {PIECE} bytes on a key, of which {free} are free; set \
                 certificate_directory in the token's configuration to keep certificates in files"
            ),
        ));
    }
    for (number, piece) in der.chunks(PIECE).enumerate() {
        tags.insert(piece_key(index, number), Base64::encode_string(piece));
    }
    Ok((index, tags))
}

/// The keys of all tags of one certificate, damaged or not.
pub(crate) fn keys_of(tags: &Tags, index: u8) -> Vec<String> {
    tags.keys()
        .filter(|key| split(key).is_some_and(|(other, _)| other == index))
        .cloned()
        .collect()
}

/// The tags that hold a certificate's notes.
pub(crate) fn note_tags(index: u8, notes: &Notes) -> Result<Tags> {
    let mut tags = Tags::new();
    for field in &FIELDS {
        let Some(text) = (field.write)(notes) else {
            continue;
        };
        if text.len() > MAX_VALUE {
            return Err(Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                format!(
                    "{} of the certificate needs {} characters in a tag of its key, which holds \
                     {MAX_VALUE}",
                    field.line,
                    text.len()
                ),
            ));
        }
        tags.insert(format!("{PREFIX}{index}.{}", field.tag), text);
    }
    Ok(tags)
}

fn read_notes(index: u8, parts: &BTreeMap<&str, &str>, problems: &mut Vec<Problem>) -> Notes {
    let mut notes = Notes::default();
    for field in &FIELDS {
        if let Some(text) = parts.get(field.tag)
            && (field.read)(&mut notes, text).is_none()
        {
            problems.push(Problem::Note(index, field.tag));
        }
    }
    notes
}

fn read_certificate(
    index: u8,
    parts: &BTreeMap<&str, &str>,
) -> std::result::Result<Certificate, Problem> {
    let pieces = parts.iter().filter_map(|(part, text)| {
        let is_piece = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_piece.then_some((*part, *text))
    });
    let mut der = Vec::new();
    for (expected, (part, text)) in pieces.enumerate() {
        if part.parse() != Ok(expected) {
            return Err(Problem::Missing(index, expected));
        }
        let piece = Base64::decode_vec(text).map_err(|_| Problem::NotBase64(index, expected))?;
        der.extend(piece);
    }
    if der.is_empty() {
        return Err(Problem::Missing(index, 0));
    }
    Certificate::from_der(&der).map_err(|error| Problem::NotACertificate(index, error))
}

/// The least number that no tag has, not even one of a damaged certificate: its pieces would mix
/// with new ones.
fn free_index(tags: &Tags) -> u8 {
    let is_free = |index: &u8| keys_of(tags, *index).is_empty();
    // A key has 50 tags at most, so 50 numbers at most are taken.
    (0..u8::MAX).find(is_free).unwrap_or(u8::MAX)
}

fn piece_key(index: u8, number: usize) -> String {
    format!("{PREFIX}{index}.{number:02}")
}

/// The number of a certificate and what of it the tag with this key holds.
fn split(key: &str) -> Option<(u8, &str)> {
    let (number, part) = key.strip_prefix(PREFIX)?.split_once('.')?;
    let index: u8 = number.parse().ok()?;
    // Not a second spelling, such as 00 or +0, that would never be removed with the first.
    (index.to_string() == number).then_some((index, part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::certificate::Category;
    use crate::object::certificate::issued::{issue, self_signed};
    use crate::token::certificates::testing::logged;

    fn certificate(common_name: &str) -> Certificate {
        Certificate::from_der(&self_signed(common_name)).unwrap()
    }

    fn tags(count: usize) -> Tags {
        (0..count)
            .map(|number| (format!("tag{number}"), String::new()))
            .collect()
    }

    fn stored(present: &Tags, certificate: &Certificate) -> Tags {
        let (_, tags) = to_tags(present, certificate, &Notes::default()).unwrap();
        tags
    }

    fn problems(tags: &Tags) -> String {
        let reading = read(tags);
        assert_eq!(reading.certificates, []);
        let problems: Vec<String> = reading.problems.iter().map(Problem::to_string).collect();
        problems.join("; ")
    }

    #[test]
    fn certificates_of_all_sizes_come_back_from_their_tags() {
        let mut present = tags(2);
        let mut expected = Vec::new();
        for issued in issue(&["p256", "ed25519", "rsa", "ml-dsa-44"]) {
            let certificate = Certificate::from_der(&issued.field("der")).unwrap();
            let notes = Notes {
                label: Some(issued.kind().as_bytes().to_vec()),
                id: Some(vec![0, 0xff]),
                category: Category::Authority,
            };
            let (index, new) = to_tags(&present, &certificate, &notes).unwrap();
            assert_eq!(usize::from(index), expected.len());
            present.extend(new);
            let certificate = Arc::new(certificate);
            expected.push(Stored {
                index,
                noted: Noted { certificate, notes },
            });
        }
        let reading = read(&present);
        assert_eq!(reading.certificates, expected);
        assert_eq!(reading.problems, []);
    }

    #[test]
    fn the_largest_certificate_kms_can_have_a_key_for_fits_beside_a_name() {
        let der = issue(&["ml-dsa-87"])[0].field("der");
        let tags = stored(&tags(10), &Certificate::from_der(&der).unwrap());
        assert!(tags.len() > 37, "{}", tags.len());
        assert_eq!(*read(&tags).certificates[0].noted.certificate.der(), *der);
    }

    #[test]
    fn keys_and_values_are_what_kms_allows_in_a_tag() {
        let der = issue(&["ml-dsa-44"])[0].field("der");
        let notes = Notes {
            label: Some("ключ & value\n".as_bytes().to_vec()),
            id: Some(vec![1; 128]),
            category: Category::OtherEntity,
        };
        let certificate = Certificate::from_der(&der).unwrap();
        let (_, tags) = to_tags(&Tags::new(), &certificate, &notes).unwrap();
        let alphabet = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
        for (key, value) in &tags {
            assert!(key.chars().chain(value.chars()).all(alphabet), "{key}");
            assert!(key.len() <= 128 && value.len() <= 256, "{key}");
        }
        let full = tags.values().filter(|value| value.len() == 256).count();
        // The 128 bytes of CKA_ID fill a value, too.
        assert_eq!(full, der.len() / 192 + 1);
    }

    #[test]
    fn a_certificate_takes_the_tags_that_are_free_and_not_one_more() {
        let certificate = certificate("fits");
        let needed = certificate.der().len().div_ceil(192);
        let most = MOST_TAGS - needed;
        let present = tags(most);
        assert_eq!(stored(&present, &certificate).len() + most, 50);

        let error = to_tags(&tags(most + 1), &certificate, &Notes::default()).unwrap_err();
        assert_eq!(error.rv(), CKR_DEVICE_MEMORY);
        let expected = format!(
            "CKR_DEVICE_MEMORY: the certificate has {} bytes, and the tags of its key have room for \
             {}: KMS allows 50 tags of 192 bytes on a key, of which {} are free; set \
             certificate_directory in the token's configuration to keep certificates in files",
            certificate.der().len(),
            (needed - 1) * 192,
            needed - 1
        );
        assert_eq!(error.to_string(), expected);

        // Notes take tags as well; those of AWS do not count.
        let label = Notes {
            label: Some(b"label".to_vec()),
            ..Notes::default()
        };
        assert!(to_tags(&present, &certificate, &label).is_err());
        let mut of_aws = present;
        of_aws.insert("aws:cloudformation:stack-name".to_owned(), "x".to_owned());
        assert!(to_tags(&of_aws, &certificate, &Notes::default()).is_ok());
        assert!(to_tags(&tags(60), &certificate, &Notes::default()).is_err());
    }

    #[test]
    fn a_note_that_no_tag_holds_is_refused() {
        let certificate = certificate("long");
        for notes in [
            Notes {
                label: Some(vec![b'%'; 86]),
                ..Notes::default()
            },
            Notes {
                id: Some(vec![0; 129]),
                ..Notes::default()
            },
        ] {
            let error = to_tags(&Tags::new(), &certificate, &notes).unwrap_err();
            assert_eq!(error.rv(), CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }

    #[test]
    fn removing_a_certificate_leaves_the_others() {
        let (first, second) = (certificate("first"), certificate("second"));
        let mut present = tags(1);
        present.extend(stored(&present, &first));
        present.extend(stored(&present, &second));
        let before = present.len();
        let keys = keys_of(&present, 0);
        present.retain(|key, _| !keys.contains(key));
        assert_eq!(present.len() + keys.len(), before);

        let reading = read(&present);
        assert_eq!(reading.problems, []);
        let [left] = &reading.certificates[..] else {
            panic!("{reading:?}");
        };
        assert_eq!((left.index, &*left.noted.certificate), (1, &second));
        // The number is free again.
        let (index, _) = to_tags(&present, &first, &Notes::default()).unwrap();
        assert_eq!(index, 0);
    }

    #[test]
    fn what_is_missing_or_damaged_is_left_out_and_named() {
        let der = issue(&["rsa"])[0].field("der");
        let whole = stored(&Tags::new(), &Certificate::from_der(&der).unwrap());
        let without = |number| {
            let mut tags = whole.clone();
            tags.remove(&piece_key(0, number)).unwrap();
            problems(&tags)
        };
        let with = |number, text: &str| {
            let mut tags = whole.clone();
            tags.insert(piece_key(0, number), text.to_owned());
            problems(&tags)
        };
        assert_eq!(without(0), "p11:cert0.00 is missing");
        assert_eq!(without(1), "p11:cert0.01 is missing");
        let cut = without(whole.len() - 1);
        assert!(cut.starts_with("p11:cert0 is not the DER"), "{cut}");

        assert_eq!(with(1, "&"), "p11:cert0.01 is not Base64");
        assert_eq!(with(1, "AAA"), "p11:cert0.01 is not Base64");
        let changed = with(0, "AAAA");
        assert!(changed.starts_with("p11:cert0 is not the DER"), "{changed}");
        let extended = with(whole.len(), "AAAA");
        assert!(
            extended.starts_with("p11:cert0 is not the DER"),
            "{extended}"
        );
        let note = Tags::from([("p11:cert3.label".to_owned(), "x".to_owned())]);
        assert_eq!(problems(&note), "p11:cert3.00 is missing");
    }

    #[test]
    fn a_damaged_certificate_hides_no_other_and_is_not_written_into() {
        let (first, second) = (certificate("first"), certificate("second"));
        let mut present = stored(&Tags::new(), &first);
        present.remove(&piece_key(0, 0)).unwrap();
        let (index, new) = to_tags(&present, &second, &Notes::default()).unwrap();
        assert_eq!(index, 1);
        present.extend(new);
        let reading = read(&present);
        assert_eq!(reading.problems, [Problem::Missing(0, 0)]);
        assert_eq!(*reading.certificates[0].noted.certificate, second);
    }

    #[test]
    fn a_note_that_cannot_be_read_counts_as_missing() {
        let mut tags = stored(&Tags::new(), &certificate("notes"));
        tags.insert("p11:cert0.id".to_owned(), "xyz".to_owned());
        tags.insert("p11:cert0.category".to_owned(), "4".to_owned());
        let reading = read(&tags);
        assert_eq!(reading.certificates[0].noted.notes, Notes::default());
        let problems: Vec<String> = reading.problems.iter().map(Problem::to_string).collect();
        let expected = [
            "p11:cert0.id cannot be read",
            "p11:cert0.category cannot be read",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_key_with_damaged_certificates_is_warned_of_in_one_line() {
        let entry = KeyEntry {
            arn: "arn:aws:kms:eu-west-1:111122223333:key/1".to_owned(),
            key_id: "1".to_owned(),
        };
        let whole = stored(&Tags::new(), &certificate("whole"));
        assert_eq!(logged(|| read(&whole).warn(&entry)).1, [""; 0]);

        let damaged =
            ["p11:cert1.00", "p11:cert2.label"].map(|key| (key.to_owned(), "&".to_owned()));
        let ((), lines) = logged(|| read(&Tags::from(damaged)).warn(&entry));
        let [line] = &lines[..] else {
            panic!("{lines:#?}");
        };
        let problems = "p11:cert1.00 is not Base64; p11:cert2.00 is missing; what cannot be read";
        assert!(
            line.contains(&entry.arn) && line.contains(problems),
            "{line}"
        );
    }

    #[test]
    fn tags_of_other_names_are_no_certificates() {
        for key in [
            "p11:cert",
            "p11:cert0",
            "p11:cert.00",
            "p11:cert00.00",
            "p11:cert+0.00",
            "p11:cert256.00",
            "p11:certificate0.00",
            "P11:cert0.00",
        ] {
            let reading = read(&Tags::from([(key.to_owned(), "AAAA".to_owned())]));
            assert_eq!(
                (reading.certificates, reading.problems),
                (vec![], vec![]),
                "{key}"
            );
        }
    }
}
