//! Configuration files: what is read is the same when it is written down and read again, and a mistake is
//! somewhere in the file.

use crate::config::{Config, ConfigError};

pub(super) fn run(bytes: &[u8]) {
    let read = Config::of_bytes(bytes.to_vec());
    match read {
        Ok(config) => check_rewritten(bytes, &config),
        Err(error) => check_place(bytes, &error),
    }
}

/// Another file that says the same.
fn check_rewritten(bytes: &[u8], config: &Config) {
    let table = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok());
    let Some(table) = table else {
        panic!("a configuration was read from what is no TOML");
    };
    let rewritten = table.to_string();
    match Config::of_bytes(rewritten.clone().into_bytes()) {
        Ok(again) => assert_eq!(&again, config, "rewritten: {rewritten}"),
        Err(error) => panic!("{error}: {rewritten}"),
    }
}

fn check_place(bytes: &[u8], error: &ConfigError) {
    assert!(!error.to_string().is_empty());
    if let ConfigError::Invalid { line, column, .. } = error {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        assert!((1..=lines).contains(line), "line {line} of {lines}");
        assert!(
            (1..=bytes.len() + 1).contains(column),
            "column {column} in {} bytes",
            bytes.len()
        );
    }
}
