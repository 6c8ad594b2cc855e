//! The files of a token's certificates: those that the configuration names, and the directory.

use super::InFile;
use super::directory::Directory;
use super::files::Files;
use crate::config::TokenConfig;

/// All places for certificates but the tags of keys.
#[derive(Debug)]
pub(in crate::token) struct Store {
    files: Files,
    directory: Option<Directory>,
}

impl Store {
    pub(in crate::token) fn new(config: &TokenConfig) -> Self {
        let directory = config.certificate_directory.clone();
        Self {
            files: Files::new(config.certificates.clone()),
            directory: directory.map(Directory::new),
        }
    }

    /// Where C_CreateObject may write.
    pub(super) fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// All certificates, and which of them this module wrote. Files are read again where they changed.
    pub(in crate::token) fn list(&self) -> Vec<(InFile, bool)> {
        let named = self.files.list().into_iter().map(|file| (file, false));
        let directory = self.directory.iter();
        let stored = directory.flat_map(|directory| {
            let own = move |file: InFile| {
                let own = directory.stores(&file);
                (file, own)
            };
            directory.list().into_iter().map(own)
        });
        named.chain(stored).collect()
    }
}
