//! The ciphertext of a symmetric key: version, length of the key id, key id, sealed plaintext.

use std::collections::BTreeMap;

use crate::error::ApiResult;
use crate::key::KeyCore;
use crate::material::Material;

/// The `EncryptionContext` of a request: without the same one again, nothing is decrypted.
pub(crate) type Context = BTreeMap<String, String>;

const VERSION: u8 = 1;

/// Encrypts under a symmetric key.
pub(crate) fn seal(
    core: &KeyCore,
    material: &Material,
    context: &Context,
    plaintext: &[u8],
) -> ApiResult<Vec<u8>> {
    // A key id is a UUID or `mrk-` and 32 digits: 36 characters either way.
    let id_len = u8::try_from(core.id.len()).unwrap_or(u8::MAX);
    let header = [&[VERSION, id_len], core.id.as_bytes()].concat();
    let sealed = material.seal(&associated(&header, context), plaintext)?;
    Ok([header, sealed].concat())
}

/// The parts of a ciphertext.
#[derive(Debug)]
pub(crate) struct Blob<'a> {
    header: &'a [u8],
    pub(crate) key_id: &'a str,
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    pub(crate) fn read(blob: &'a [u8]) -> Option<Self> {
        let [VERSION, id_len, ..] = blob else {
            return None;
        };
        let (header, sealed) = blob.split_at_checked(2 + usize::from(*id_len))?;
        let key_id = std::str::from_utf8(&header[2..]).ok()?;
        Some(Self {
            header,
            key_id,
            sealed,
        })
    }

    /// The plaintext; nothing when the context or a byte is not what it was.
    pub(crate) fn open(&self, material: &Material, context: &Context) -> Option<Vec<u8>> {
        material.open(&associated(self.header, context), self.sealed)
    }
}

/// What a ciphertext is bound to: its header and the context, each string after its length.
fn associated(header: &[u8], context: &Context) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for text in context.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.bytes());
    }
    bytes
}
