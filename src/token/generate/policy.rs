//! The key policy that the configuration has for new keys.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pkcs11_sys::CKR_FUNCTION_FAILED;

use crate::error::{Error, Result};

/// The longest policy that KMS takes, in bytes.
const MAX_LEN: usize = 32 * 1024;

/// The text of a policy. Whether it is one, KMS says.
///
/// `CKR_FUNCTION_FAILED` for a file that cannot be read or is too long: a key that should have had a
/// policy of its own is not made with another.
pub(super) fn read(path: &Path) -> Result<String> {
    let wrong = |what: &dyn std::fmt::Display| {
        Error::new(
            CKR_FUNCTION_FAILED,
            format!(
                "policy_file {}: {what}; no key is made without it",
                path.display()
            ),
        )
    };
    let text = read_at_most(path, MAX_LEN + 1).map_err(|error| wrong(&error))?;
    if text.len() > MAX_LEN {
        return Err(wrong(&format_args!("it has more than {MAX_LEN} bytes")));
    }
    Ok(text)
}

fn read_at_most(path: &Path, len: usize) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(len as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}
