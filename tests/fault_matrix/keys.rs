//! The keys that there are, in KMS and in a token.

use std::collections::BTreeSet;

use cryptoki_sys::*;
use kms_emulator::{Emulator, KeptKey};

use super::common_p11::attribute::label;
use super::common_p11::{Rv, Session};
use super::operations::of_class;

/// The keys of a KMS at some time.
#[derive(Debug)]
pub(crate) struct Keys(Vec<KeptKey>);

impl Keys {
    pub(crate) fn of(emulator: &Emulator) -> Self {
        Self(emulator.keys())
    }

    /// Those that were not there before.
    pub(crate) fn without(&self, before: &Self) -> Vec<&KeptKey> {
        let is_new = |key: &&KeptKey| before.0.iter().all(|old| old.key_id != key.key_id);
        self.0.iter().filter(is_new).collect()
    }

    /// The ARNs of those that can be used.
    pub(crate) fn enabled(&self) -> BTreeSet<String> {
        let keys = self.0.iter().filter(|key| key.state == "Enabled");
        keys.map(|key| key.arn.clone()).collect()
    }

    /// The ARNs of those that a token shows, after it has looked for new ones.
    pub(crate) fn shown_by(session: Session<'_>, slot: usize) -> Rv<BTreeSet<String>> {
        session.find(&[label(format!("nothing in {slot}"))])?;
        let mut shown = BTreeSet::new();
        for class in [CKO_PRIVATE_KEY, CKO_SECRET_KEY] {
            for object in session.find(&[of_class(class)])? {
                // Those of the session have no ARN.
                let name = session.get(object, CKA_UNIQUE_ID)?;
                let name = String::from_utf8(name).unwrap();
                if name.starts_with("arn:") {
                    shown.insert(name);
                }
            }
        }
        Ok(shown)
    }
}
