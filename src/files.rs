//! Reading files that decide something: what the module does, whom it trusts, which PIN is right.
//!
//! Whoever can write such a file decides in the place of its owner. And it may be anything: a FIFO, behind which
//! nobody may ever come, a device without an end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// What a file has to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Bytes that it has at most.
    pub(crate) most: u64,
    /// The bits of its mode that must not be set.
    pub(crate) writers: Writers,
    /// Whether its owner has to be the user whom this process acts as, or root.
    pub(crate) is_own: bool,
    /// What is in the hands of whoever can write it.
    pub(crate) stake: &'static str,
}

/// Who may be able to write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    Owner,
    /// Where every user has a group of its own, files that a user makes can often be written by it.
    OwnerAndGroup,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),

    #[error("not a regular file")]
    NotAFile,

    #[error(
        "its mode {mode:04o} lets others write it, and with it choose {stake}; run: chmod {mend} {path}",
        path = path.display()
    )]
    Writable {
        path: PathBuf,
        mode: u32,
        mend: &'static str,
        stake: &'static str,
    },

    #[error(
        "its owner is the user {owner}, and this process acts as {user}: whose file it is chooses {stake}"
    )]
    NotOwn {
        owner: u32,
        user: u32,
        stake: &'static str,
    },

    #[error("longer than {0} bytes")]
    TooLong(u64),
}

/// The contents of a file that is like this. Links are followed: it is the file behind them that counts.
pub(crate) fn read(path: &Path, rules: &Rules) -> Result<Vec<u8>, FileError> {
    let file = OpenOptions::new()
        .read(true)
        // Or a FIFO would be waited for, before it could be seen to be none.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    rules.check(path, &file)?;
    let mut contents = Vec::new();
    file.take(rules.most + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > rules.most {
        return Err(FileError::TooLong(rules.most));
    }
    Ok(contents)
}

impl Rules {
    /// Of the open file, so that it cannot be exchanged between check and use.
    fn check(&self, path: &Path, file: &File) -> Result<(), FileError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        let (bits, mend) = self.writers.others();
        let mode = metadata.mode() & 0o7777;
        if mode & bits != 0 {
            return Err(FileError::Writable {
                path: path.to_owned(),
                mode,
                mend,
                stake: self.stake,
            });
        }
        let (owner, user) = (metadata.uid(), geteuid().as_raw());
        if self.is_own && ![0, user].contains(&owner) {
            return Err(FileError::NotOwn {
                owner,
                user,
                stake: self.stake,
            });
        }
        Ok(())
    }
}

impl Writers {
    /// The bits of everybody else, and what takes them away.
    fn others(self) -> (u32, &'static str) {
        match self {
            Self::Owner => (0o022, "go-w"),
            Self::OwnerAndGroup => (0o002, "o-w"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    const RULES: Rules = Rules {
        most: 8,
        writers: Writers::OwnerAndGroup,
        is_own: false,
        stake: "everything",
    };

    #[test]
    fn a_file_is_read_up_to_its_limit_and_as_its_mode_allows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345678").unwrap();
        assert_eq!(read(file.path(), &RULES).unwrap(), b"12345678");
        fs::write(file.path(), "123456789").unwrap();
        let said = read(file.path(), &RULES).unwrap_err().to_string();
        assert_eq!(said, "longer than 8 bytes");

        fs::write(file.path(), "").unwrap();
        let path = file.path().display();
        for (writers, mode, mend) in [
            (Writers::OwnerAndGroup, 0o664, None),
            (Writers::OwnerAndGroup, 0o646, Some("o-w")),
            (Writers::Owner, 0o664, Some("go-w")),
            (Writers::Owner, 0o644, None),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let said = read(file.path(), &Rules { writers, ..RULES }).map_err(|e| e.to_string());
            let expected = mend.map_or(Ok(Vec::new()), |mend| {
                Err(format!(
                    "its mode {mode:04o} lets others write it, and with it choose everything; run: chmod {mend} {path}"
                ))
            });
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn nothing_but_a_regular_file_is_read_or_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        for path in [&fifo, directory.path(), Path::new("/dev/zero")] {
            let said = read(path, &RULES).unwrap_err();
            assert!(matches!(said, FileError::NotAFile), "{said}");
        }
    }

    #[test]
    fn a_file_of_ones_own_is_ones_own_or_roots() {
        let own = Rules {
            is_own: true,
            most: 1 << 20,
            ..RULES
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        read(file.path(), &own).unwrap();
        read(Path::new("/etc/passwd"), &own).unwrap();
        // Only root can give files away.
        if geteuid().is_root() {
            std::os::unix::fs::chown(file.path(), Some(4711), None).unwrap();
            let said = read(file.path(), &own).unwrap_err().to_string();
            assert_eq!(
                said,
                "its owner is the user 4711, and this process acts as 0: whose file it is chooses everything"
            );
            read(file.path(), &RULES).unwrap();
        }
    }
}
