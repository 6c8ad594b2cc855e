//! Where a token's certificates are kept.
//!
//! | place | in the configuration | written |
//! | --- | --- | --- |
//! | tags of the KMS key that the certificate certifies | | by C_CreateObject |
//! | a directory, one PEM file each | `certificate_directory` | by C_CreateObject, what tags do not hold |
//! | PEM files, whole chains included | `certificates` | never |
//!
//! A certificate that cannot be read is left out, with one warning, and hides no other.

mod cache;
pub(crate) mod directory;
pub(crate) mod files;
mod find;
mod notes;
pub(crate) mod pem;
pub(crate) mod shelf;
pub(crate) mod store;
pub(crate) mod tags;
#[cfg(test)]
mod testing;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use crate::object::certificate::{Certificate, Notes};

/// A certificate, and what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) notes: Notes,
}

/// A certificate of a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFile {
    pub(crate) path: Arc<PathBuf>,
    pub(crate) noted: Noted,
}
