//! What a PIN is for, `pin` in the file.

use std::path::PathBuf;

use super::ConfigError;
use super::section::{Entry, Section, one_of};
use super::token::read_path;
use crate::crypto::PinHash;
use crate::files::{self, Rules, Writers};
use crate::fork;

/// For a file with the hash of the PIN.
const RULES: Rules = Rules {
    most: 4096,
    writers: Writers::Owner,
    is_own: false,
    stake: "the PIN",
};

/// What C_Login does with the PIN of a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PinMode {
    /// Any PIN is right, and none is needed.
    Any,
    /// The right PIN is needed for private objects.
    Verify(PinHashSource),
    /// The PIN is, or names, the AWS credentials that the token uses.
    Credentials,
}

/// Where the hash of the right PIN is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PinHashSource {
    Text(PinHash),
    /// Read by every login.
    File(PathBuf),
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Any,
    Verify,
    Credentials,
}

const WORDS: [(&str, Word); 3] = [
    ("any", Word::Any),
    ("verify", Word::Verify),
    ("credentials", Word::Credentials),
];

impl PinMode {
    /// Reads `pin` and what belongs to it.
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let lacking = section.wrong(
            "pin",
            "pin is \"verify\"; allowed: beside one of pin_hash and pin_hash_file",
        );
        let stray = ["pin_hash", "pin_hash_file"].map(|key| {
            section.wrong(
                key,
                format_args!("{key} is of no use here; allowed: one of pin_hash and pin_hash_file, beside pin = \"verify\""),
            )
        });
        let [stray_text, stray_file] = stray;
        let word = section.get("pin", one_of(&WORDS))?.unwrap_or(Word::Any);
        let text = section.get("pin_hash", Entry::parse_secret)?;
        let file = section.get("pin_hash_file", read_path)?;
        let source = match (text, file) {
            (Some(_), Some(_)) => return Err(stray_file),
            (Some(_), None) if word != Word::Verify => return Err(stray_text),
            (None, Some(_)) if word != Word::Verify => return Err(stray_file),
            (Some(hash), None) => Some(PinHashSource::Text(hash)),
            (None, Some(path)) => Some(PinHashSource::File(path)),
            (None, None) => None,
        };
        match word {
            Word::Any => Ok(Self::Any),
            Word::Verify => source.map(Self::Verify).ok_or(lacking),
            Word::Credentials => Ok(Self::Credentials),
        }
    }

    /// Whether private objects are there only for those who logged in.
    pub(crate) fn needs_login(&self) -> bool {
        *self != Self::Any
    }
}

impl PinHashSource {
    /// The hash as it is now; an error says what is wrong with the file.
    pub(crate) fn hash(&self) -> Result<PinHash, String> {
        match self {
            Self::Text(hash) => Ok(hash.clone()),
            Self::File(path) => {
                let wrong = |why: &dyn std::fmt::Display| {
                    format!("the PIN's hash in {} cannot be used: {why}", path.display())
                };
                let read = fork::waiting(|| files::read(path, &RULES));
                let text = String::from_utf8(read.map_err(|error| wrong(&error))?)
                    .map_err(|_| wrong(&"it is not text"))?;
                text.trim()
                    .parse()
                    .map_err(|allowed| wrong(&format_args!("allowed: {allowed}")))
            }
        }
    }
}
