//! What of an answer is compared, and how it reads.

use std::fmt::Write;

use cryptoki_sys::*;

use crate::names;
use crate::transcript::Detail;

/// The parts of a structure, compared where both modules must agree.
pub(crate) trait Describe {
    fn describe(&self) -> Vec<Detail>;
}

/// A length that must be the same for both modules.
pub(crate) fn length(length: CK_ULONG, _written: &[u8]) -> Detail {
    Detail::compared("length", length.to_string())
}

/// Bytes that must be the same for both modules; only their length when none were asked for.
pub(crate) fn value(stated: CK_ULONG, written: &[u8]) -> Detail {
    if written.is_empty() {
        length(stated, written)
    } else {
        Detail::compared("value", hex(written))
    }
}

/// One attribute of an answer of `C_GetAttributeValue`.
pub(crate) fn attribute(kind: CK_ATTRIBUTE_TYPE, length: CK_ULONG, value: Option<&[u8]>) -> Detail {
    let name = names::attribute(kind);
    match value {
        _ if length == CK_UNAVAILABLE_INFORMATION => Detail::compared(&name, "unavailable"),
        Some(value) if !DIFFERS_PER_KEY.contains(&kind) => Detail::compared(&name, hex(value)),
        _ => Detail::compared(&name, format!("{length} bytes")),
    }
}

/// Whether `C_GetAttributeValue` fills the template in with this return value (3.1, 5.7.5: these three
/// do not keep the other attributes from being answered).
pub(crate) fn has_attributes(rv: CK_RV) -> bool {
    matches!(
        rv,
        CKR_OK | CKR_ATTRIBUTE_SENSITIVE | CKR_ATTRIBUTE_TYPE_INVALID | CKR_BUFFER_TOO_SMALL
    )
}

/// Attributes whose values are another for every key or token; their lengths are compared.
const DIFFERS_PER_KEY: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_MODULUS,
    CKA_EC_POINT,
    CKA_PUBLIC_KEY_INFO,
    CKA_UNIQUE_ID,
    CKA_ALLOWED_MECHANISMS,
];

impl Describe for CK_INFO {
    fn describe(&self) -> Vec<Detail> {
        vec![
            Detail::compared("cryptokiVersion", version(self.cryptokiVersion)),
            text("manufacturerID", &self.manufacturerID),
            number("flags", self.flags),
            text("libraryDescription", &self.libraryDescription),
            Detail::aside("libraryVersion", version(self.libraryVersion)),
        ]
    }
}

impl Describe for CK_SLOT_INFO {
    fn describe(&self) -> Vec<Detail> {
        vec![
            text("slotDescription", &self.slotDescription),
            text("manufacturerID", &self.manufacturerID),
            number("flags", self.flags),
        ]
    }
}

impl Describe for CK_TOKEN_INFO {
    fn describe(&self) -> Vec<Detail> {
        let sessions = |name, count: CK_ULONG| match count {
            CK_UNAVAILABLE_INFORMATION => Detail::aside(name, "unavailable"),
            CK_EFFECTIVELY_INFINITE => Detail::aside(name, "unlimited"),
            _ => Detail::aside(name, count.to_string()),
        };
        vec![
            Detail::compared("label", String::from_utf8_lossy(&self.label)),
            text("manufacturerID", &self.manufacturerID),
            text("model", &self.model),
            text("serialNumber", &self.serialNumber),
            number("flags", self.flags),
            sessions("ulMaxSessionCount", self.ulMaxSessionCount),
            sessions("ulMaxRwSessionCount", self.ulMaxRwSessionCount),
            Detail::aside("ulMinPinLen", self.ulMinPinLen.to_string()),
            Detail::aside("ulMaxPinLen", self.ulMaxPinLen.to_string()),
        ]
    }
}

impl Describe for CK_MECHANISM_INFO {
    fn describe(&self) -> Vec<Detail> {
        vec![
            Detail::compared("ulMinKeySize", self.ulMinKeySize.to_string()),
            Detail::compared("ulMaxKeySize", self.ulMaxKeySize.to_string()),
            number("flags", self.flags),
        ]
    }
}

impl Describe for CK_SESSION_INFO {
    fn describe(&self) -> Vec<Detail> {
        vec![
            Detail::compared("state", names::state(self.state)),
            number("flags", self.flags),
            Detail::compared("ulDeviceError", self.ulDeviceError.to_string()),
        ]
    }
}

fn number(name: &str, value: CK_ULONG) -> Detail {
    Detail::compared(name, format!("{value:#x}"))
}

/// A text of fixed length: what it says is each module's own matter, that blanks pad it is not.
fn text(name: &str, text: &[u8]) -> Detail {
    let padded = !text.contains(&0) && std::str::from_utf8(text).is_ok();
    Detail::compared(
        name,
        if padded {
            "blank-padded"
        } else {
            "not blank-padded"
        },
    )
}

fn version(version: CK_VERSION) -> String {
    format!("{}.{}", version.major, version.minor)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
