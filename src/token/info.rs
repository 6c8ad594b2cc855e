//! What C_GetSlotInfo and C_GetTokenInfo tell.

use pkcs11_sys::*;

use super::Token;
use crate::config::{Region, TokenConfig};
use crate::crypto::Hash;
use crate::hex;

/// Shown for slot and library.
pub(crate) const MANUFACTURER: &str = "kms-pkcs11";
/// Longest PIN taken, in bytes.
const MAX_PIN: CK_ULONG = 4096;

/// What can be saved of a session's operations is digests, which have no key.
const TOKEN_FLAGS: CK_FLAGS =
    CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_RESTORE_KEY_NOT_NEEDED;

/// Sessions of a token that are open now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionCounts {
    pub(crate) all: usize,
    pub(crate) read_write: usize,
}

impl Token {
    pub(crate) fn slot_info(&self) -> CK_SLOT_INFO {
        CK_SLOT_INFO {
            slotDescription: pad(&format!("AWS KMS: {}", self.config.label)),
            manufacturerID: pad(MANUFACTURER),
            flags: CKF_TOKEN_PRESENT,
            hardwareVersion: VERSION,
            firmwareVersion: VERSION,
        }
    }

    pub(crate) fn token_info(&self, sessions: SessionCounts) -> CK_TOKEN_INFO {
        let login_required = if self.config.pin.needs_login() {
            CKF_LOGIN_REQUIRED
        } else {
            0
        };
        CK_TOKEN_INFO {
            label: pad(self.config.label.as_str()),
            manufacturerID: pad(MANUFACTURER),
            model: pad("AWS KMS"),
            serialNumber: pad(&self.serial),
            flags: TOKEN_FLAGS | login_required,
            ulMaxSessionCount: CK_EFFECTIVELY_INFINITE,
            ulSessionCount: sessions.all as CK_ULONG,
            ulMaxRwSessionCount: CK_EFFECTIVELY_INFINITE,
            ulRwSessionCount: sessions.read_write as CK_ULONG,
            ulMaxPinLen: MAX_PIN,
            ulMinPinLen: 0,
            ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
            ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
            ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
            ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
            hardwareVersion: VERSION,
            firmwareVersion: VERSION,
            utcTime: pad(""),
        }
    }
}

/// The version of the package, as slot, token and library report it.
pub(crate) const VERSION: CK_VERSION = CK_VERSION {
    major: decimal(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: decimal(env!("CARGO_PKG_VERSION_MINOR")),
};

const fn decimal(digits: &str) -> u8 {
    match u8::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => 0,
    }
}

/// 16 hexadecimal digits that differ between tokens of different region, label or configured account.
pub(super) fn serial(config: &TokenConfig, region: Option<&str>) -> String {
    let region = config
        .region
        .as_ref()
        .map(Region::as_str)
        .or(region)
        .unwrap_or_default();
    let account = config.caller.account.as_ref();
    let account = account.map(|account| format!("{account}\n"));
    let account = account.unwrap_or_default();
    let digest = Hash::Sha256.digest(format!("{account}{region}\n{}", config.label).as_bytes());
    hex::encode(&digest[..8])
}

/// A text field: cut at a character boundary, padded with blanks, not terminated.
pub(crate) fn pad<const N: usize>(text: &str) -> [CK_UTF8CHAR; N] {
    let mut field = [b' '; N];
    let text = &text.as_bytes()[..text.floor_char_boundary(N)];
    field[..text.len()].copy_from_slice(text);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fields_are_padded_with_blanks_and_cut_between_characters() {
        assert_eq!(pad::<4>("ab"), *b"ab  ");
        assert_eq!(pad::<4>("abcdef"), *b"abcd");
        assert_eq!(pad::<4>("abcé"), *b"abc ");
    }
}
