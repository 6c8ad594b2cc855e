//! What runs have shown, row by row: recorded by suites and scripts, rendered to docs/reliability.md.
//!
//! A row is a file of its own, `target/reliability/SECTION/ROW.json`, an object of texts in the order of
//! the columns: suites run in many processes at once, and scripts write rows, too.
//! `KMS_PKCS11_TEST_ROWS` names another folder than `target/reliability`, for runs that are not to be reported as they
//! are, such as those under a sanitizer.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::root;

/// A part of the report.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The folder of its rows.
    pub id: &'static str,
    pub title: &'static str,
    /// What its rows are rows of: the heading of the first column.
    pub row: &'static str,
    /// How its rows come about.
    pub about: &'static str,
}

/// All parts, in the order of the report.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "faults",
        title: "Faults",
        row: "fault",
        about: "Each fault at each operation that reaches KMS, through the built library \
                (`tests/fault_matrix`). Asserted for each pair: the CK_RV, the time (deadline, a tenth, 50 ms, and by \
                how much a thread that sleeps was late meanwhile), that the \
                next call succeeds (where several requests in a row failed, when the endpoint is tried again), and \
                that KMS has the keys that the token knows and no others.",
    },
    Section {
        id: "regions",
        title: "Loss of regions",
        row: "run",
        about: "Emulators stand for the regions of a multi-Region key: three are killed, hung and started again in \
                turn while threads sign (`tests/failover.rs`), and one of two is lost while the other is short of \
                requests (`tests/evacuation.rs`). Every signature is verified.",
    },
    Section {
        id: "forks",
        title: "Forks",
        row: "host",
        about: "Programs in C that fork while their threads sign and find; the children, and theirs, start the \
                library anew and sign.",
    },
    Section {
        id: "guest",
        title: "In the host's process",
        row: "case",
        about: "What a host may do around the library, and what must not change in its process.",
    },
    Section {
        id: "memory",
        title: "Memory",
        row: "run",
        about: "The memory of a process before and after, when the first tenth has warmed it up.",
    },
    Section {
        id: "fuzzing",
        title: "Fuzzing",
        row: "target",
        about: "`make fuzz`: libFuzzer on each target, counted by libFuzzer itself.",
    },
    Section {
        id: "sanitizers",
        title: "Sanitizers",
        row: "run",
        about: "`make sanitize`: every suite of hosts in C, and a stress of 64 threads. Findings are those of the \
                tool, in the library, in what it is made of and in the hosts. What a tool cannot run is left out by \
                name (`scripts/sanitize/left_out.toml`).",
    },
];

/// Records what a run has shown, in place of what an earlier one has. `columns` are name and value.
pub fn record(section: &str, row: &str, columns: &[(&str, String)]) {
    let folder = folder().join(section);
    let object = object(columns);
    // By renaming: runs at the same time may record the same row.
    let written = fs::create_dir_all(&folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(&folder))
        .and_then(|mut file| io::Write::write_all(&mut file, object.as_bytes()).map(|()| file))
        .and_then(|file| {
            file.persist(folder.join(format!("{}.json", file_name(row))))
                .map_err(io::Error::from)
        });
    if let Err(error) = written {
        panic!("{section}/{row} cannot be recorded: {error}");
    }
}

/// Where rows are.
pub fn folder() -> PathBuf {
    env::var_os("KMS_PKCS11_TEST_ROWS")
        .map_or_else(|| root().join("target/reliability"), PathBuf::from)
}

/// The report in Markdown, from the rows in `folder`; or what is missing.
pub fn render(folder: &Path) -> Result<String, String> {
    let mut report = String::from(INTRODUCTION);
    for section in SECTIONS {
        let rows = rows(&folder.join(section.id))
            .map_err(|error| format!("{} ({}): {error}", section.id, section.title))?;
        if rows.is_empty() {
            return Err(format!("no run has recorded anything in {}", section.id));
        }
        write!(report, "\n## {}\n\n{}\n\n", section.title, section.about).unwrap_or_default();
        report.push_str(&table(section.row, &rows));
    }
    Ok(report)
}

const INTRODUCTION: &str = "# Reliability\n\n\
    What the library does when something goes wrong, as runs have shown it. `make reliability` makes this page from \
    what the runs recorded; nothing in it is written by hand. Times are of the machine that ran them.\n";

/// A row: its name, and its columns.
type Row = (String, Vec<(String, String)>);

fn rows(folder: &Path) -> Result<Vec<Row>, String> {
    let text = |error: io::Error| error.to_string();
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(text)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(text)?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    files
        .iter()
        .map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let columns: Columns = fs::read(file)
                .map_err(text)
                .and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()))
                .map_err(|error| format!("{}: {error}", file.display()))?;
            Ok((name.into_owned(), columns.0))
        })
        .collect()
}

/// A table with every column that any row has, in the order in which they first appear.
fn table(row_heading: &str, rows: &[Row]) -> String {
    let mut headings: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|(_, columns)| columns) {
        if !headings.contains(&name.as_str()) {
            headings.push(name);
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut table = line(&mut std::iter::once(row_heading).chain(headings.iter().copied()));
    table.push_str(&line(&mut std::iter::repeat_n("---", headings.len() + 1)));
    for (name, columns) in rows {
        let cell = |heading: &&str| {
            let column = columns.iter().find(|(name, _)| name == *heading);
            column.map_or("", |(_, value)| value.as_str())
        };
        let mut cells = headings.iter().map(cell);
        table.push_str(&line(&mut std::iter::once(name.as_str()).chain(&mut cells)));
    }
    table
}

fn object(columns: &[(&str, String)]) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = columns
        .iter()
        .map(|(name, value)| format!("{}:{}", text(name), text(value)))
        .collect();
    format!("{{{}}}\n", members.join(","))
}

fn file_name(row: &str) -> String {
    row.replace('/', "-")
}

/// The members of a JSON object, in their order.
struct Columns(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Columns;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Columns(columns))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_of_all_rows_in_their_order() {
        let row = |name: &str, columns: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            (name.to_owned(), columns.iter().map(owned).collect())
        };
        let rows = [
            row("reset", &[("CK_RV", "CKR_DEVICE_ERROR"), ("ms", "12")]),
            row("hang", &[("CK_RV", "a|b"), ("note", "kept")]),
        ];
        let expected = "| fault | CK_RV | ms | note |\n\
                        | --- | --- | --- | --- |\n\
                        | reset | CKR_DEVICE_ERROR | 12 |  |\n\
                        | hang | a\\|b |  | kept |\n";
        assert_eq!(table("fault", &rows), expected);
    }

    #[test]
    fn what_is_recorded_is_read_in_its_order() {
        let written = object(&[("zeta", "1".to_owned()), ("alpha", "\"2\"".to_owned())]);
        let read: Columns = serde_json::from_str(&written).unwrap();
        let expected = [("zeta", "1"), ("alpha", "\"2\"")];
        assert!(
            read.0
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .eq(expected)
        );
    }

    #[test]
    fn a_section_without_rows_makes_no_report() {
        let folder = tempfile::tempdir().unwrap();
        for section in SECTIONS {
            let place = folder.path().join(section.id);
            fs::create_dir(&place).unwrap();
            fs::write(place.join("row.json"), r#"{"outcome":"as it should be"}"#).unwrap();
        }
        let report = render(folder.path()).unwrap();
        assert_eq!(
            report.matches("| row | as it should be |").count(),
            SECTIONS.len()
        );
        fs::remove_file(folder.path().join("forks/row.json")).unwrap();
        assert_eq!(
            render(folder.path()).unwrap_err(),
            "no run has recorded anything in forks"
        );
    }
}
