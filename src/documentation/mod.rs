//! The generated parts of the documentation, made of the tables that the module works with.
//!
//! A test compares them with the files. `UPDATE=1 cargo nextest run -p kms-pkcs11 --lib documentation`
//! writes them there.

mod algorithms;
mod functions;
mod mechanisms;
mod permissions;
mod policies;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// A generated part of a file: the name in its markers, and what makes it.
type Part = (&'static str, fn() -> String);

/// The files, each with its generated parts.
const FILES: [(&str, &[Part]); 3] = [
    (
        "docs/mechanisms.md",
        &[
            ("mechanisms", mechanisms::table),
            ("algorithms", algorithms::table),
            ("functions", functions::table),
        ],
    ),
    ("docs/iam.md", &[("permissions", permissions::table)]),
    (
        "README.md",
        &[
            ("policy sign-only", policies::sign_only),
            ("policy first-client", policies::first_client),
            ("policy full", policies::full),
        ],
    ),
];

#[test]
fn the_tables_of_the_documentation_are_those_of_the_module() {
    for (file, parts) in FILES {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
        let written = fs::read_to_string(&path).unwrap();
        let mut current = written.clone();
        for (name, table) in parts {
            let begin = format!("<!-- generated: {name} -->\n");
            let (before, rest) = current.split_once(&begin).expect(name);
            let (_, after) = rest.split_once("<!-- end -->").expect(name);
            current = format!("{before}{begin}\n{}\n<!-- end -->{after}", table());
        }
        if env::var_os("UPDATE").is_some() {
            fs::write(path, current).unwrap();
        } else {
            assert!(
                written == current,
                "{file} is not of today: run this test with UPDATE=1 in the environment"
            );
        }
    }
}

/// A table in Markdown.
fn markdown<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(N));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    text
}
