//! Initialised tokens of the references, each in a directory of its own.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use tempfile::TempDir;

use crate::ctx::PIN;

const LABEL: &str = "aws-kms";
const SO_PIN: &str = "12345678";

/// A token's directory, and the variable of the environment that leads to it.
type Token = (TempDir, (&'static str, OsString));

pub(super) fn softhsm() -> io::Result<Token> {
    let directory = TempDir::new()?;
    let tokens = directory.path().join("tokens");
    fs::create_dir(&tokens)?;
    let configuration = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    let environment = configured("SOFTHSM2_CONF", &directory, &configuration)?;
    let mut command = Command::new("softhsm2-util");
    command.args(["--init-token", "--free", "--label", LABEL]);
    command.args(["--so-pin", SO_PIN, "--pin", &user_pin()]);
    succeed(command, &environment)?;
    Ok((directory, environment))
}

pub(super) fn kryoptic(library: &Path) -> io::Result<Token> {
    let directory = TempDir::new()?;
    let configuration = format!(
        "[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n",
        directory.path().join("token.sql").display()
    );
    let environment = configured("KRYOPTIC_CONF", &directory, &configuration)?;
    let tool = || {
        let mut command = Command::new("pkcs11-tool");
        command.arg("--module").arg(library);
        command.args(["--slot", "1", "--so-pin", SO_PIN]);
        command
    };
    let mut token = tool();
    token.args(["--init-token", "--label", LABEL]);
    succeed(token, &environment)?;
    let mut pin = tool();
    pin.args(["--login", "--login-type", "so"]);
    pin.args(["--init-pin", "--new-pin", &user_pin()]);
    succeed(pin, &environment)?;
    Ok((directory, environment))
}

/// Writes a configuration into a token's directory.
fn configured(
    variable: &'static str,
    directory: &TempDir,
    configuration: &str,
) -> io::Result<(&'static str, OsString)> {
    let path = directory.path().join("token.conf");
    fs::write(&path, configuration)?;
    Ok((variable, path.into_os_string()))
}

fn user_pin() -> String {
    String::from_utf8_lossy(PIN).into_owned()
}

fn succeed(
    mut command: Command,
    (variable, value): &(impl AsRef<OsStr>, OsString),
) -> io::Result<()> {
    let output = command.env(variable, value).output()?;
    if output.status.success() {
        return Ok(());
    }
    let tool = command.get_program().to_string_lossy();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{tool}: {said}")))
}
