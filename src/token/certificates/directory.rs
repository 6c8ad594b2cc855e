//! The directory of certificates that the configuration names, `certificate_directory`: one PEM file
//! for each certificate that C_CreateObject stores.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use pkcs11_sys::*;

use super::cache::Cache;
use super::{InFile, pem};
use crate::error::{Error, Result};
use crate::hex;
use crate::object::certificate::{Certificate, Notes};

/// Certificates are no secret.
const MODE: u32 = 0o644;
/// The end of a certificate's file name. Files of other names are left alone.
const SUFFIX: &str = "pem";

/// A directory of PEM files.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    cache: Cache,
    /// Why it could not be listed the last time, so that each reason is told of once.
    failure: Mutex<Option<ErrorKind>>,
}

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            cache: Cache::default(),
            failure: Mutex::default(),
        }
    }

    /// All certificates, those of files that were put there by hand included, by file name.
    pub(crate) fn list(&self) -> Vec<InFile> {
        let listing = self.files();
        let failure = listing.as_ref().err().map(io::Error::kind);
        let is_new = *self.failure.lock() != failure;
        *self.failure.lock() = failure;
        match listing {
            Ok(files) => self.cache.read(&files),
            Err(error) => {
                if is_new {
                    let path = self.path.display();
                    tracing::warn!(
                        "certificate_directory {path}: {error}; the token shows no certificates of it"
                    );
                }
                Vec::new()
            }
        }
    }

    /// Stores a certificate, in place of an earlier file of the same one. The file appears whole or
    /// not at all. Answers its path.
    pub(crate) fn add(&self, certificate: &Certificate, notes: &Notes) -> Result<PathBuf> {
        let text = pem::write(certificate, notes).map_err(|error| {
            Error::new(
                CKR_FUNCTION_FAILED,
                format!("the certificate in PEM: {error}"),
            )
        })?;
        let path = self.path_of(certificate);
        self.write(&path, text.as_bytes())
            .map_err(|error| refusal(&path, "cannot be written", &error))?;
        Ok(path)
    }

    /// Removes the file of a certificate that [`add`](Self::add) stored; one that is gone already is
    /// as good.
    ///
    /// `CKR_ACTION_PROHIBITED` for a file of another name, which may hold more than this certificate.
    pub(crate) fn remove(&self, certificate: &InFile) -> Result<()> {
        let path = &*certificate.path;
        if !self.stores(certificate) {
            return Err(Error::new(
                CKR_ACTION_PROHIBITED,
                format!(
                    "{} was not written by this module, which removes its own files only",
                    path.display()
                ),
            ));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(refusal(path, "cannot be removed", &error))
            }
            _ => Ok(()),
        }
    }

    /// True for a certificate in a file of its own, as [`add`](Self::add) writes them.
    pub(crate) fn stores(&self, certificate: &InFile) -> bool {
        *certificate.path == self.path_of(&certificate.noted.certificate)
    }

    fn path_of(&self, certificate: &Certificate) -> PathBuf {
        let name = hex::encode(&certificate.fingerprint());
        self.path.join(name).with_extension(SUFFIX)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == SUFFIX) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let number = fastrand::u64(..);
        let temporary = self.path.join(format!(".{number:016x}.tmp"));
        let written = write_new(&temporary, contents).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The first failure is the one to report.
            drop(fs::remove_file(&temporary));
        }
        written
    }
}

fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)?;
    // Whatever the host's umask is.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(contents)?;
    file.sync_all()
}

/// What a failure to write means for the caller of C_CreateObject or C_DestroyObject.
const MEANINGS: [(ErrorKind, CK_RV); 5] = [
    (ErrorKind::PermissionDenied, CKR_TOKEN_WRITE_PROTECTED),
    (ErrorKind::ReadOnlyFilesystem, CKR_TOKEN_WRITE_PROTECTED),
    (ErrorKind::NotFound, CKR_TOKEN_WRITE_PROTECTED),
    (ErrorKind::StorageFull, CKR_DEVICE_MEMORY),
    (ErrorKind::QuotaExceeded, CKR_DEVICE_MEMORY),
];

fn refusal(path: &Path, what: &str, error: &io::Error) -> Error {
    let kind = error.kind();
    let meaning = MEANINGS.iter().find(|(other, _)| *other == kind);
    let rv = meaning.map_or(CKR_DEVICE_ERROR, |(_, rv)| *rv);
    let path = path.display();
    Error::new(
        rv,
        format!("{path} {what}: {error}; see that this user may write the certificate_directory"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use kms_pkcs11_testkit::openssl_ok;
    use tempfile::TempDir;

    use super::*;
    use crate::object::certificate::Category;
    use crate::object::certificate::issued::{issue, self_signed};
    use crate::token::certificates::Noted;
    use crate::token::certificates::testing::logged;

    fn certificate(common_name: &str) -> Certificate {
        Certificate::from_der(&self_signed(common_name)).unwrap()
    }

    fn new() -> (TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path().to_owned());
        (temporary, directory)
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<String> = entries.map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_certificate_and_its_notes_come_back_from_their_file() {
        let (_temporary, directory) = new();
        let all: Vec<u8> = (0..=255).collect();
        let mut expected = Vec::new();
        for (certificate, notes) in [
            (certificate("plain"), Notes::default()),
            (
                certificate("noted"),
                Notes {
                    label: Some(all.clone()),
                    id: Some(all),
                    category: Category::TokenUser,
                },
            ),
            (
                certificate("blank"),
                Notes {
                    label: Some(b" CKA_ID: 00 ".to_vec()),
                    id: Some(vec![]),
                    category: Category::Unspecified,
                },
            ),
        ] {
            directory.add(&certificate, &notes).unwrap();
            let path = Arc::new(directory.path_of(&certificate));
            let certificate = Arc::new(certificate);
            expected.push(InFile {
                path,
                noted: Noted { certificate, notes },
            });
        }
        expected.sort_by(|a, b| a.path.cmp(&b.path));
        let (listed, lines) = logged(|| directory.list());
        assert_eq!((listed, lines), (expected, vec![]));
    }

    #[test]
    fn a_file_is_named_after_its_certificate_and_openssl_reads_it() {
        let (temporary, directory) = new();
        let issued = &issue(&["p256"])[0];
        let notes = Notes {
            label: Some("web\nserver".into()),
            ..Notes::default()
        };
        let certificate = Certificate::from_der(&issued.field("der")).unwrap();
        directory.add(&certificate, &notes).unwrap();
        let name = format!("{}.pem", hex::encode(&issued.field("sha256")));
        assert_eq!(names(temporary.path()), [name.as_str()]);

        let path = temporary.path().join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o644);
        let text = fs::read(&path).unwrap();
        let expected = [b"CKA_LABEL: web=0Aserver\n", &issued.field("pem")[..]].concat();
        assert_eq!(text, expected);
        let der = openssl_ok(["x509", "-outform", "DER"], &text);
        assert_eq!(der, issued.field("der"));
    }

    #[test]
    fn the_same_certificate_again_replaces_its_notes() {
        let (temporary, directory) = new();
        let certificate = certificate("twice");
        let labelled = |label: &str| Notes {
            label: Some(label.into()),
            ..Notes::default()
        };
        for label in ["first", "second"] {
            directory.add(&certificate, &labelled(label)).unwrap();
            let listed = directory.list();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].noted.notes, labelled(label));
        }
        assert_eq!(names(temporary.path()).len(), 1);
    }

    #[test]
    fn a_removed_certificate_is_gone_and_may_be_removed_twice() {
        let (temporary, directory) = new();
        directory.add(&certificate("a"), &Notes::default()).unwrap();
        directory.add(&certificate("b"), &Notes::default()).unwrap();
        let listed = directory.list();
        directory.remove(&listed[0]).unwrap();
        assert_eq!(directory.list(), listed[1..]);
        assert_eq!(names(temporary.path()).len(), 1);
        directory.remove(&listed[0]).unwrap();
    }

    #[test]
    fn a_file_put_there_by_hand_is_listed_and_not_removed() {
        let (temporary, directory) = new();
        let pems: Vec<Vec<u8>> = issue(&["p256", "p521"])
            .iter()
            .map(|issued| issued.field("pem"))
            .collect();
        fs::write(temporary.path().join("chain.pem"), pems.concat()).unwrap();
        fs::write(temporary.path().join("README"), "no certificate").unwrap();
        let (listed, lines) = logged(|| directory.list());
        assert_eq!((listed.len(), lines.len()), (2, 0));
        assert!(!directory.stores(&listed[0]));
        let error = directory.remove(&listed[0]).unwrap_err();
        assert_eq!(error.rv(), CKR_ACTION_PROHIBITED);
        assert_eq!(directory.list(), listed);
    }

    #[test]
    fn a_directory_that_is_missing_is_warned_of_once_and_takes_no_certificate() {
        let (temporary, _) = new();
        let path = temporary.path().join("missing");
        let directory = Directory::new(path.clone());
        let (_, lines) = logged(|| directory.list());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("No such file or directory"), "{lines:?}");
        assert_eq!(logged(|| directory.list()).1, [""; 0]);

        let certificate = certificate("homeless");
        let error = directory.add(&certificate, &Notes::default()).unwrap_err();
        assert_eq!(error.rv(), CKR_TOKEN_WRITE_PROTECTED);
        assert!(
            error.to_string().contains("certificate_directory"),
            "{error}"
        );

        fs::create_dir(&path).unwrap();
        directory.add(&certificate, &Notes::default()).unwrap();
        assert_eq!(directory.list().len(), 1);
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(logged(|| directory.list()).1.len(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let (temporary, directory) = new();
        let certificate = certificate("blocked");
        // A directory of the file's name: what was written cannot be renamed to it.
        fs::create_dir(directory.path_of(&certificate)).unwrap();
        let error = directory.add(&certificate, &Notes::default()).unwrap_err();
        assert_eq!(error.rv(), CKR_DEVICE_ERROR);
        assert_eq!(names(temporary.path()).len(), 1);
    }

    #[test]
    fn a_reader_never_sees_half_a_file() {
        let (_temporary, directory) = new();
        let certificate = certificate("atomic");
        let notes = |count| Notes {
            label: Some(vec![b'x'; count]),
            ..Notes::default()
        };
        directory.add(&certificate, &notes(1)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for count in 1..100 {
                    directory.add(&certificate, &notes(100 * count)).unwrap();
                }
            });
            for _ in 0..100 {
                let (listed, lines) = logged(|| directory.list());
                assert_eq!((listed.len(), lines), (1, vec![]));
            }
        });
    }
}
