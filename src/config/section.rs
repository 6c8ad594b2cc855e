//! Reading TOML so that each mistake is reported where it is, together with what is allowed.
//!
//! serde would lose the position of a value once it is read, and a check that spans two of them has
//! nothing to point at. So sections are read key by key, and the keys that are asked for are the
//! ones that are allowed: no list of them can go stale.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// The text of a configuration file, and its name for error messages.
pub(super) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    pub(super) fn new(path: PathBuf, contents: Vec<u8>) -> Result<Self, ConfigError> {
        match String::from_utf8(contents) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let message = "a byte that is not UTF-8";
                Err(Self { path, text }.error(offset..offset, message))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The table around all others.
    pub(super) fn parse(&self) -> Result<Section<'_>, ConfigError> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            let end = self.text.len();
            let span = error.span().unwrap_or(end..end);
            self.error(span, error.message().trim_end().replace('\n', ", "))
        })?;
        Ok(Section {
            place: Place {
                source: self,
                name: "the file",
                span: table.span(),
            },
            table: table.into_inner(),
            allowed: Vec::new(),
        })
    }

    /// A mistake at the start of `span`, in bytes.
    pub(super) fn error(&self, span: Range<usize>, message: impl Display) -> ConfigError {
        let before = &self.text[..self.text.floor_char_boundary(span.start)];
        let line = before.rsplit('\n').next().unwrap_or_default();
        ConfigError::Invalid {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            message: message.to_string(),
        }
    }
}

/// A table whose keys are known.
pub(super) struct Section<'s> {
    place: Place<'s>,
    table: DeTable<'s>,
    allowed: Vec<&'static str>,
}

impl<'s> Section<'s> {
    /// Reads the value of `key` into `setting`, if it is there.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        setting: &mut T,
        read: impl FnOnce(Entry<'s>) -> Result<T, ConfigError>,
    ) -> Result<(), ConfigError> {
        if let Some(value) = self.get(key, read)? {
            *setting = value;
        }
        Ok(())
    }

    /// Takes the value of `key` out of the section, if it is there, and reads it.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Entry<'s>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.allowed.push(key);
        self.table
            .remove(key)
            .map(|value| read(Entry::new(self.place.source, key, value)))
            .transpose()
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some(unknown) = self.table.keys().min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let message = format!(
            "unknown key {:?} in {}; allowed: {}",
            unknown.get_ref(),
            self.place.name,
            self.allowed.join(", ")
        );
        Err(self.place.source.error(unknown.span(), message))
    }

    /// Whether `key` is there and was not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A mistake in the value of `key`, or in leaving it out.
    pub(super) fn wrong(&self, key: &str, message: impl Display) -> ConfigError {
        let value = self.table.get(key);
        let span = value.map_or_else(|| self.place.span.clone(), Spanned::span);
        self.place.source.error(span, message)
    }
}

struct Place<'s> {
    source: &'s Source,
    name: &'static str,
    /// In bytes.
    span: Range<usize>,
}

/// Reads a string that is one of these names.
pub(super) fn one_of<T: Copy>(
    values: &[(&str, T)],
) -> impl FnOnce(Entry<'_>) -> Result<T, ConfigError> {
    |entry| {
        let text = entry.value.as_str();
        let found = values.iter().find(|(name, _)| Some(*name) == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<String> = values.iter().map(|(name, _)| format!("{name:?}")).collect();
            entry.wrong(names.join(", "))
        })
    }
}

/// Reads an integer in `range`.
pub(super) fn integer<T>(
    range: RangeInclusive<T>,
) -> impl FnOnce(Entry<'_>) -> Result<T, ConfigError>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |entry| {
        integer_of(&entry.value)
            .and_then(|value| T::try_from(value).ok())
            .filter(|value| range.contains(value))
            .ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                entry.wrong(format_args!("an integer from {least} to {most}"))
            })
    }
}

/// A value, and where it is.
pub(super) struct Entry<'s> {
    place: Place<'s>,
    value: DeValue<'s>,
}

impl<'s> Entry<'s> {
    fn new(source: &'s Source, name: &'static str, value: Spanned<DeValue<'s>>) -> Self {
        let span = value.span();
        Self {
            place: Place { source, name, span },
            value: value.into_inner(),
        }
    }

    /// A string that `T` can be parsed from; the error of parsing says what is allowed.
    pub(super) fn parse<T: FromStr<Err = &'static str>>(self) -> Result<T, ConfigError> {
        match &self.value {
            DeValue::String(text) => text.parse().map_err(|allowed| self.wrong(allowed)),
            _ => Err(self.wrong("a string")),
        }
    }

    /// [`parse`](Self::parse) for what must not be repeated in an error.
    pub(super) fn parse_secret<T: FromStr<Err = &'static str>>(self) -> Result<T, ConfigError> {
        let Place { source, name, span } = &self.place;
        let parsed = self.value.as_str().map(str::parse);
        match parsed.unwrap_or(Err("a string")) {
            Ok(value) => Ok(value),
            Err(allowed) => {
                let message = format_args!("{name} has another form; allowed: {allowed}");
                Err(source.error(span.clone(), message))
            }
        }
    }

    /// [`parse`](Self::parse) for a setting that may be left out.
    pub(super) fn parse_some<T: FromStr<Err = &'static str>>(
        self,
    ) -> Result<Option<T>, ConfigError> {
        self.parse().map(Some)
    }

    pub(super) fn boolean(self) -> Result<bool, ConfigError> {
        match self.value {
            DeValue::Boolean(value) => Ok(value),
            _ => Err(self.wrong("true, false")),
        }
    }

    /// A duration, written as a number of seconds.
    pub(super) fn seconds(self) -> Result<Duration, ConfigError> {
        const LONGEST: Duration = Duration::from_hours(24);
        let seconds = match &self.value {
            DeValue::Float(number) => number.as_str().parse().ok(),
            // Beyond 32 bits, as beyond a day, it is too long.
            number => integer_of(number)
                .and_then(|seconds| i32::try_from(seconds).ok())
                .map(f64::from),
        };
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
            .ok_or_else(|| self.wrong("a number of seconds above 0, at most 86400 (a day)"))
    }

    /// True or false.
    pub(super) fn flag(self) -> Result<bool, ConfigError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong("true, false"))
    }

    /// A table with known keys.
    pub(super) fn section(self) -> Result<Section<'s>, ConfigError> {
        match self.value {
            DeValue::Table(table) => Ok(Section {
                place: self.place,
                table,
                allowed: Vec::new(),
            }),
            _ => Err(self.wrong("a table")),
        }
    }

    /// The keys and values of a table that has as many of them as `range`.
    pub(super) fn pairs(
        self,
        range: RangeInclusive<usize>,
        allowed: &str,
    ) -> Result<Vec<(Self, Self)>, ConfigError> {
        let Place { source, name, .. } = self.place;
        match self.value {
            DeValue::Table(table) if range.contains(&table.len()) => {
                let pairs = table.into_iter().map(|(key, value)| {
                    let key = Spanned::new(key.span(), DeValue::String(key.into_inner()));
                    (Self::new(source, name, key), Self::new(source, name, value))
                });
                Ok(pairs.collect())
            }
            _ => Err(self.wrong(allowed)),
        }
    }

    /// The elements of an array that has at least one.
    pub(super) fn elements(self, allowed: &str) -> Result<Vec<Self>, ConfigError> {
        let Place { source, name, .. } = self.place;
        match self.value {
            DeValue::Array(array) if !array.is_empty() => {
                let elements = array.into_iter();
                Ok(elements
                    .map(|value| Self::new(source, name, value))
                    .collect())
            }
            _ => Err(self.wrong(allowed)),
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The mistake of a value that is not `allowed`.
    pub(super) fn wrong(&self, allowed: impl Display) -> ConfigError {
        let Place { source, name, span } = &self.place;
        let value = describe(&self.value);
        source.error(
            span.clone(),
            format_args!("{name} is {value}; allowed: {allowed}"),
        )
    }
}

fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(array) if array.is_empty() => "an empty array".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(table) if table.is_empty() => "an empty table".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
