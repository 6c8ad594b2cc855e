//! Where the configuration file is, and whether it may be trusted.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{ConfigError, Env, Source};
use crate::files::{self, Rules, Writers};

/// Names the file that must be read.
const FILE_VARIABLE: &str = "KMS_PKCS11_CONFIG";
/// Below the directory of the user's configuration files.
const USER_FILE: &str = "kms-pkcs11/config.toml";

const RULES: Rules = Rules {
    most: 1 << 20,
    writers: Writers::Owner,
    is_own: false,
    stake: "the keys this module uses",
};
/// For a file that nobody named: the environment may be that of another user.
const RULES_OF_USER: Rules = Rules {
    is_own: true,
    ..RULES
};

/// The contents of the file that is to be used, or `None` when there is none.
pub(super) fn find(
    reserved: Option<&str>,
    env: Env<'_>,
    system_file: &Path,
) -> Result<Option<Source>, ConfigError> {
    let named = match reserved {
        Some(reserved) => path_of_reserved(reserved)?,
        None => None,
    };
    if let Some(path) = named.or_else(|| path_variable(env, FILE_VARIABLE)) {
        return read(path, &RULES).map(Some);
    }
    // A daemon may run with the HOME of a user whose directories it cannot enter: nothing there was meant for it.
    if let Some(path) = user_file(env)
        && is_there(&path, |why| why != ErrorKind::PermissionDenied)
    {
        return read(path, &RULES_OF_USER).map(Some);
    }
    // What is kept from this process was meant for it: without it, every key would be in its reach.
    if is_there(system_file, |_| true) {
        return read(system_file.to_owned(), &RULES).map(Some);
    }
    Ok(None)
}

/// The value of `config` among space-separated `key=value` parameters.
fn path_of_reserved(reserved: &str) -> Result<Option<PathBuf>, ConfigError> {
    let mut path = None;
    for parameter in reserved.split_ascii_whitespace() {
        let value = match parameter.split_once('=') {
            Some(("config", value)) if !value.is_empty() => value,
            _ => return Err(ConfigError::Reserved(format!("parameter {parameter:?}"))),
        };
        if path.replace(PathBuf::from(value)).is_some() {
            return Err(ConfigError::Reserved("two paths".to_owned()));
        }
    }
    Ok(path)
}

/// The file in the user's directory, by the XDG base directory specification.
fn user_file(env: Env<'_>) -> Option<PathBuf> {
    path_variable(env, "XDG_CONFIG_HOME")
        .or_else(|| path_variable(env, "HOME").map(|home| home.join(".config")))
        // The specification wants relative paths to be ignored.
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(USER_FILE))
}

/// The path in a variable; an empty one counts as unset.
fn path_variable(env: Env<'_>, name: &str) -> Option<PathBuf> {
    env(name).filter(|value| !value.is_empty()).map(Into::into)
}

/// Whether there is a file that nobody named; of one that cannot be looked at, `is_error` says whether that is so.
/// A file that is there and cannot be read is an error.
fn is_there(path: &Path, is_error: impl Fn(ErrorKind) -> bool) -> bool {
    use ErrorKind::{NotADirectory, NotFound};
    match fs::metadata(path).map_err(|error| error.kind()) {
        Ok(_) => true,
        Err(NotFound | NotADirectory) => false,
        Err(why) => is_error(why),
    }
}

fn read(path: PathBuf, rules: &Rules) -> Result<Source, ConfigError> {
    match files::read(&path, rules) {
        Ok(contents) => Source::new(path, contents),
        Err(error) => Err(ConfigError::File { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;
    use crate::config::Config;

    /// A directory with files, and an environment.
    struct World {
        directory: TempDir,
        variables: BTreeMap<&'static str, OsString>,
    }

    impl World {
        fn new() -> Self {
            Self {
                directory: tempfile::tempdir().unwrap(),
                variables: BTreeMap::new(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// A file that configures a token with this label.
        fn file(&self, name: &str, label: &str) -> PathBuf {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("[[token]]\nlabel = {label:?}")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            path
        }

        fn set(&mut self, variable: &'static str, value: impl Into<OsString>) {
            self.variables.insert(variable, value.into());
        }

        fn find(&self, reserved: Option<&str>) -> Result<Option<Source>, ConfigError> {
            let env = |name: &str| self.variables.get(name).cloned();
            find(reserved, &env, &self.path("system.toml"))
        }

        /// The label of the first token in the file that is found.
        fn label(&self, reserved: Option<&str>) -> Option<String> {
            let source = self.find(reserved).unwrap()?;
            let config = Config::read(&source).unwrap();
            Some(config.tokens[0].label.to_string())
        }

        fn complaint(&self, reserved: Option<&str>) -> String {
            self.find(reserved).map(|_| ()).unwrap_err().to_string()
        }
    }

    fn reserved(path: &Path) -> String {
        format!("config={}", path.display())
    }

    #[test]
    fn the_first_file_of_the_search_order_is_used() {
        let mut world = World::new();
        assert_eq!(world.label(None), None);

        world.file("system.toml", "system");
        assert_eq!(world.label(None).as_deref(), Some("system"));

        world.file("home/.config/kms-pkcs11/config.toml", "home");
        world.set("HOME", world.path("home"));
        assert_eq!(world.label(None).as_deref(), Some("home"));

        world.file("xdg/kms-pkcs11/config.toml", "xdg");
        world.set("XDG_CONFIG_HOME", world.path("xdg"));
        assert_eq!(world.label(None).as_deref(), Some("xdg"));

        let variable = world.file("variable.toml", "variable");
        world.set("KMS_PKCS11_CONFIG", &variable);
        assert_eq!(world.label(None).as_deref(), Some("variable"));

        let argument = world.file("argument.toml", "argument");
        assert_eq!(
            world.label(Some(&reserved(&argument))).as_deref(),
            Some("argument")
        );
        assert_eq!(world.label(Some("")).as_deref(), Some("variable"));
    }

    #[test]
    fn empty_variables_and_relative_directories_count_as_unset() {
        let mut world = World::new();
        world.file("home/.config/kms-pkcs11/config.toml", "home");
        world.set("HOME", world.path("home"));
        for variable in ["KMS_PKCS11_CONFIG", "XDG_CONFIG_HOME", "KMS_PKCS11_LOG"] {
            world.set(variable, "");
        }
        assert_eq!(world.label(None).as_deref(), Some("home"));
        world.set("XDG_CONFIG_HOME", "relative");
        assert_eq!(world.label(None), None);
    }

    #[test]
    fn a_missing_file_is_an_error_only_where_it_was_named() {
        let mut world = World::new();
        let file = world.file("file", "x");
        for home in [world.path("nowhere"), file] {
            world.set("HOME", home);
            assert_eq!(world.label(None), None);
        }

        let missing = world.path("missing.toml");
        let expected = format!(
            "configuration file {}: No such file or directory (os error 2)",
            missing.display()
        );
        assert_eq!(world.complaint(Some(&reserved(&missing))), expected);
        world.set("KMS_PKCS11_CONFIG", &missing);
        assert_eq!(world.complaint(None), expected);
    }

    #[test]
    fn a_file_that_others_can_write_is_refused_with_advice() {
        let mut world = World::new();
        let path = world.file("config.toml", "x");
        world.set("KMS_PKCS11_CONFIG", &path);
        for mode in [0o400, 0o600, 0o644, 0o755] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(world.label(None).as_deref(), Some("x"));
        }
        for mode in [0o620, 0o602, 0o664, 0o666, 0o777] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let complaint = world.complaint(None);
            assert_eq!(
                complaint,
                format!(
                    "configuration file {path}: its mode {mode:04o} lets others write it, and with \
                     it choose the keys this module uses; run: chmod go-w {path}",
                    path = path.display()
                )
            );
        }
    }

    #[test]
    fn a_link_is_as_good_as_the_file_behind_it() {
        let mut world = World::new();
        let path = world.file("behind.toml", "x");
        let link = world.path("link.toml");
        symlink(&path, &link).unwrap();
        world.set("KMS_PKCS11_CONFIG", &link);
        assert_eq!(world.label(None).as_deref(), Some("x"));
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(world.complaint(None).contains("chmod go-w"));
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let mut world = World::new();
        let fifo = world.path("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        for path in [fifo, world.path(""), "/dev/null".into()] {
            world.set("KMS_PKCS11_CONFIG", &path);
            let expected = format!("configuration file {}: not a regular file", path.display());
            assert_eq!(world.complaint(None), expected);
        }
    }

    #[test]
    fn a_reserved_string_with_anything_but_a_path_is_refused() {
        let world = World::new();
        for (reserved, problem) in [
            ("/etc/config.toml", "parameter \"/etc/config.toml\""),
            ("config", "parameter \"config\""),
            ("config=", "parameter \"config=\""),
            ("Config=/a", "parameter \"Config=/a\""),
            ("config=/a slot=1", "parameter \"slot=1\""),
            ("config=/a  config=/b", "two paths"),
        ] {
            let expected = format!(
                "C_Initialize's reserved string: {problem}; allowed: config=/path/of/config.toml"
            );
            assert_eq!(world.complaint(Some(reserved)), expected);
        }
    }
}
