//! Certificates in PEM (RFC 7468): one or many in a text, with what else is in it.
//!
//! What is noted beside a certificate stands in lines of explanatory text before it, which other
//! programs skip:
//!
//! ```text
//! CKA_LABEL: web server
//! CKA_ID: 0a1b2c
//! -----BEGIN CERTIFICATE-----
//! ```

use std::sync::Arc;

use pem_rfc7468::{Decoder, LineEnding};

use super::Noted;
use super::notes::FIELDS;
use crate::object::certificate::{Certificate, Notes};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// What is between BEGIN and the hyphens of a certificate.
const LABEL: &str = "CERTIFICATE";

/// The certificates of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) certificates: Vec<Noted>,
    /// The first mistake in the text, if there is any.
    pub(crate) problem: Option<Problem>,
}

/// A place of a text that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct Problem {
    /// Counts from 1.
    line: usize,
    reason: String,
}

/// Reads all certificates of a text. Blocks of other labels, such as keys, are skipped.
pub(crate) fn read(text: &[u8]) -> Bundle {
    let mut bundle = Bundle::default();
    let mut notes = Notes::default();
    let mut block: Option<Block<'_>> = None;
    let mut offset = 0;
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (start, number) = (offset, number + 1);
        offset += line.len();
        if line.starts_with(BEGIN) {
            if let Some(open) = block.replace(Block {
                text,
                start,
                number,
            }) {
                bundle.note(open.number, "this BEGIN has no END");
            }
        } else if line.starts_with(END) {
            let notes = std::mem::take(&mut notes);
            match block.take() {
                Some(block) => bundle.push(&block, offset, notes),
                None => bundle.note(number, "this END has no BEGIN"),
            }
        } else if block.is_none() && !read_note(&mut notes, line) {
            bundle.note(number, "the value of this attribute cannot be read");
        }
    }
    if let Some(open) = block {
        bundle.note(open.number, "this BEGIN has no END");
    }
    bundle
}

/// The text of one certificate.
pub(crate) fn write(
    certificate: &Certificate,
    notes: &Notes,
) -> Result<String, pem_rfc7468::Error> {
    let lines = FIELDS.iter().filter_map(|field| {
        let text = (field.write)(notes)?;
        Some(format!("{}: {text}\n", field.line))
    });
    let block = pem_rfc7468::encode_string(LABEL, LineEnding::LF, certificate.der())?;
    Ok(lines.chain([block]).collect())
}

/// A block that has begun.
struct Block<'t> {
    text: &'t [u8],
    /// Where it begins in the text, in bytes.
    start: usize,
    /// The line it begins in.
    number: usize,
}

impl Bundle {
    fn push(&mut self, block: &Block<'_>, end: usize, notes: Notes) {
        let text = block.text.get(block.start..end).unwrap_or_default();
        match certificate(text) {
            Ok(Some(certificate)) => self.certificates.push(Noted {
                certificate: Arc::new(certificate),
                notes,
            }),
            Ok(None) => {}
            Err(reason) => self.note(block.number, reason),
        }
    }

    fn note(&mut self, line: usize, reason: impl Into<String>) {
        let reason = reason.into();
        self.problem.get_or_insert(Problem { line, reason });
    }
}

/// The certificate in one block; `None` for a block of something else.
fn certificate(block: &[u8]) -> Result<Option<Certificate>, String> {
    let mut decoder = Decoder::new_detect_wrap(block).map_err(|error| error.to_string())?;
    if decoder.type_label() != LABEL {
        return Ok(None);
    }
    let mut der = Vec::new();
    decoder
        .decode_to_end(&mut der)
        .map_err(|error| error.to_string())?;
    let certificate = Certificate::from_der(&der).map_err(|error| error.to_string())?;
    Ok(Some(certificate))
}

/// Reads a line between blocks; false for a note that cannot be read.
fn read_note(notes: &mut Notes, line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else {
        return true;
    };
    let field = FIELDS.iter().find_map(|field| {
        let text = line.strip_prefix(field.line)?.strip_prefix(':')?;
        Some((field, text.trim()))
    });
    field.is_none_or(|(field, text)| (field.read)(notes, text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::certificate::Category;
    use crate::object::certificate::issued::issue;

    fn problem(bundle: &Bundle) -> String {
        let problem = bundle.problem.as_ref();
        problem.map(Problem::to_string).unwrap_or_default()
    }

    fn ders(bundle: &Bundle) -> Vec<&[u8]> {
        let noted = bundle.certificates.iter();
        noted.map(|noted| noted.certificate.der()).collect()
    }

    #[test]
    fn certificates_are_found_among_other_texts() {
        let issued = &issue(&["p256"])[0];
        let (der, pem) = (issued.field("der"), issued.field("pem"));
        let pem = String::from_utf8(pem).unwrap();
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let windows = pem.replace('\n', "\r\n");
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let one_line = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        for text in [
            pem.clone(),
            pem.trim_end().to_owned(),
            format!("subject=CN = a\n\n{pem}\n\n# end"),
            format!("{key}{pem}{key}"),
            windows,
            one_line,
        ] {
            let bundle = read(text.as_bytes());
            assert_eq!(
                (ders(&bundle), problem(&bundle).as_str()),
                (vec![&der[..]], "")
            );
        }
        let bundle = read(format!("{key}{pem}{pem}").as_bytes());
        assert_eq!(ders(&bundle), [&der[..], &der[..]]);
        assert_eq!(read(b""), Bundle::default());
        assert_eq!(read(key.as_bytes()), Bundle::default());
    }

    #[test]
    fn a_note_belongs_to_the_certificate_below_it_alone() {
        let pem = issue(&["p256"])[0].field("pem");
        let head = b"CKA_LABEL:  typed by hand \nCKA_ID: 0A1b\nCKA_CERTIFICATE_CATEGORY: 2\n";
        let bundle = read(&[&head[..], &pem, &pem].concat());
        let expected = Notes {
            label: Some(b"typed by hand".to_vec()),
            id: Some(vec![0x0a, 0x1b]),
            category: Category::Authority,
        };
        let notes: Vec<&Notes> = bundle
            .certificates
            .iter()
            .map(|noted| &noted.notes)
            .collect();
        assert_eq!(notes, [&expected, &Notes::default()]);
        assert_eq!(bundle.problem, None);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_hides_no_other_certificate() {
        let issued = &issue(&["p256"])[0];
        let (der, pem) = (issued.field("der"), issued.field("pem"));
        let pem = String::from_utf8(pem).unwrap();
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        let lines = pem.lines().count();
        let after = |text: &str| format!("{pem}{text}");
        for (text, line, reason) in [
            (after(begin), lines + 1, "this BEGIN has no END"),
            (format!("{begin}{pem}"), 1, "this BEGIN has no END"),
            (after(end), lines + 1, "this END has no BEGIN"),
            (after(&format!("{begin}&&&&\n{end}")), lines + 1, "PEM"),
            (
                after(&format!("{begin}AAAA\n{end}")),
                lines + 1,
                "not the DER",
            ),
            (
                format!("CKA_ID: x\n{pem}"),
                1,
                "the value of this attribute",
            ),
            (
                format!("CKA_ID: x\n{pem}{begin}"),
                1,
                "the value of this attribute",
            ),
        ] {
            let bundle = read(text.as_bytes());
            assert_eq!(ders(&bundle), [&der[..]], "{reason}");
            let problem = problem(&bundle);
            let start = format!("line {line}: {reason}");
            assert!(problem.starts_with(&start), "{problem}");
        }
    }
}
