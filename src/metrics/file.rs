//! A file that readers see whole.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Puts a new file in the place of the one at `path`.
pub(super) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    // Nobody can have put something in the way of a name that nobody knows.
    hidden.push(format!(".{:016x}", fastrand::u64(..)));
    let hidden = path.with_file_name(hidden);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&hidden)
        .and_then(|mut file| file.write_all(contents))
        .and_then(|()| fs::rename(&hidden, path));
    if written.is_err() {
        // It may not have been made at all.
        let _ = fs::remove_file(&hidden);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.prom");
        for contents in ["first, longer", "second"] {
            replace(&path, contents.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
        }
        let taken = directory.path().join("directory");
        fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(replace(&taken, b"x").is_err());
        assert!(replace(&directory.path().join("no/where"), b"x").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
