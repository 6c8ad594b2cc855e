//! Files of certificates as they were last read.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{InFile, pem};

/// Reads files again only when they changed, and warns of each version of a file once.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// Locked while files are read: other threads wait, and find what was read.
    files: Mutex<BTreeMap<PathBuf, Cached>>,
}

#[derive(Debug)]
struct Cached {
    stamp: Stamp,
    certificates: Vec<InFile>,
}

/// What differs between two versions of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamp {
    File {
        inode: u64,
        len: u64,
        /// Seconds and nanoseconds. Set by a write as the time of modification is, and by a change of
        /// permissions, too.
        changed: (i64, i64),
    },
    Missing(ErrorKind),
}

impl Cache {
    /// The certificates of these files, in order; other files are forgotten.
    pub(super) fn read(&self, paths: &[PathBuf]) -> Vec<InFile> {
        let mut files = self.files.lock();
        files.retain(|path, _| paths.contains(path));
        let mut certificates = Vec::new();
        for path in paths {
            // Taken before the file is read: what is written meanwhile is another version.
            let stamp = Stamp::of(path);
            let cached = match files.remove(path) {
                Some(cached) if cached.stamp == stamp => cached,
                _ => Cached {
                    stamp,
                    certificates: load(path),
                },
            };
            certificates.extend(cached.certificates.iter().cloned());
            files.insert(path.clone(), cached);
        }
        certificates
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::File {
                inode: metadata.ino(),
                len: metadata.len(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            Err(error) => Self::Missing(error.kind()),
        }
    }
}

/// Reads a file, and says what is to be mended in it.
fn load(path: &Path) -> Vec<InFile> {
    let shown = path.display();
    let bundle = match contents(path) {
        Ok(text) => pem::read(&text),
        Err(error) => {
            tracing::warn!("{shown}: {error}; the token shows no certificate of this file");
            return Vec::new();
        }
    };
    if let Some(problem) = &bundle.problem {
        tracing::warn!("{shown}: {problem}; the token shows the certificates that can be read");
    } else if bundle.certificates.is_empty() {
        tracing::warn!(
            "{shown}: no certificate in it; one begins with the line -----BEGIN CERTIFICATE-----"
        );
    }
    let path = Arc::new(path.to_owned());
    let in_file = |noted| InFile {
        path: Arc::clone(&path),
        noted,
    };
    bundle.certificates.into_iter().map(in_file).collect()
}

/// The contents of a regular file.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new()
        .read(true)
        // Or a FIFO would be waited for, before it could be seen to be none.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut contents = Vec::new();
    file.read_to_end(&mut contents)?;
    Ok(contents)
}
