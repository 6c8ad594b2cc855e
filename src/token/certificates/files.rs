//! The PEM files that the configuration names, `certificates`: read, never written.

use std::path::PathBuf;

use super::InFile;
use super::cache::Cache;

/// Files of certificates, such as a chain up to its root.
#[derive(Debug, Default)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    cache: Cache,
}

impl Files {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            cache: Cache::default(),
        }
    }

    /// All certificates, in the order of the files and within each. Files that changed since the last
    /// call are read again.
    pub(crate) fn list(&self) -> Vec<InFile> {
        self.cache.read(&self.paths)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::object::certificate::issued::{KINDS, issue};
    use crate::token::certificates::testing::logged;

    fn ders(listed: &[InFile]) -> Vec<Vec<u8>> {
        let der = |listed: &InFile| listed.noted.certificate.der().to_vec();
        listed.iter().map(der).collect()
    }

    /// A list of these files, and the lines that making it adds to the log.
    fn list(files: &Files) -> (Vec<InFile>, Vec<String>) {
        logged(|| files.list())
    }

    fn only_line(lines: &[String]) -> &str {
        let [line] = lines else {
            panic!("{lines:#?}");
        };
        line
    }

    #[test]
    fn whole_chains_are_listed_in_the_order_of_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(&KINDS);
        let (first, second) = issued.split_at(3);
        let mut paths = Vec::new();
        for (name, issued) in [("first.pem", first), ("second.pem", second)] {
            let pems: Vec<Vec<u8>> = issued.iter().map(|issued| issued.field("pem")).collect();
            let path = directory.path().join(name);
            fs::write(&path, pems.concat()).unwrap();
            paths.push(path);
        }
        let files = Files::new(paths.clone());
        let (listed, lines) = list(&files);
        let expected: Vec<Vec<u8>> = issued.iter().map(|issued| issued.field("der")).collect();
        assert_eq!(ders(&listed), expected);
        assert_eq!(*listed[2].path, paths[0]);
        assert_eq!(*listed[3].path, paths[1]);
        assert_eq!(lines, [""; 0]);
    }

    #[test]
    fn a_file_is_read_again_when_it_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.pem");
        let issued = issue(&["p256", "p521"]);
        fs::write(&path, issued[0].field("pem")).unwrap();
        let files = Files::new(vec![path.clone()]);
        assert_eq!(ders(&files.list()), [issued[0].field("der")]);

        // Written in place, then exchanged as a whole.
        fs::write(&path, issued[1].field("pem")).unwrap();
        assert_eq!(ders(&files.list()), [issued[1].field("der")]);
        let other = directory.path().join("other.pem");
        fs::write(&other, issued[0].field("pem")).unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(ders(&files.list()), [issued[0].field("der")]);
        fs::remove_file(&path).unwrap();
        assert_eq!(ders(&files.list()), [[0; 0]; 0]);
    }

    #[test]
    fn a_bad_file_is_warned_of_once_and_hides_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let good = directory.path().join("good.pem");
        let bad = directory.path().join("bad.pem");
        let issued = &issue(&["p256"])[0];
        fs::write(&good, issued.field("pem")).unwrap();
        let files = Files::new(vec![bad.clone(), good]);
        let expected = [issued.field("der")];
        let expect = |reason: &str| {
            let (listed, lines) = list(&files);
            assert_eq!(ders(&listed), expected);
            let line = only_line(&lines);
            let text = format!("{}: {reason}", bad.display());
            assert!(line.contains("WARN") && line.contains(&text), "{line}");
            assert_eq!(list(&files).1, [""; 0]);
        };

        expect("No such file or directory (os error 2); the token shows no certificate");
        fs::write(&bad, "").unwrap();
        expect("no certificate in it; one begins with the line -----BEGIN CERTIFICATE-----");
        fs::write(&bad, "\n-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
        expect("line 2: this BEGIN has no END; the token shows the certificates that can be read");
        fs::remove_file(&bad).unwrap();
        let made = Command::new("mkfifo").arg(&bad).status().unwrap();
        assert!(made.success());
        expect("not a regular file; the token shows no certificate");
    }

    #[test]
    fn a_file_whose_permissions_are_mended_is_read() {
        // Root reads everything: what it finds unreadable is a directory in place of the file.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.pem");
        let issued = &issue(&["p256"])[0];
        fs::write(&path, issued.field("pem")).unwrap();
        let mode = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        let files = Files::new(vec![path.clone()]);
        let readable = fs::read(Path::new(&path)).is_ok();
        let (listed, lines) = list(&files);
        assert_eq!(
            (listed.len(), lines.len()),
            if readable { (1, 0) } else { (0, 1) }
        );
        mode(0o644);
        assert_eq!(ders(&files.list()), [issued.field("der")]);
    }
}
