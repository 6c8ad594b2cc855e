//! The encodings of names and certificates, for what is fuzzed.

use super::names;

pub(crate) use super::certificates::pem::{
    read as certificates_of_pem, write as pem_of_certificate,
};
pub(crate) use super::certificates::tags::{
    read as certificates_of_tags, to_tags as certificate_to_tags,
};

pub(crate) fn escape_label(label: &[u8]) -> String {
    names::escape_label(label)
}

pub(crate) fn decode_label(value: &str) -> Vec<u8> {
    names::decode_label(value)
}
