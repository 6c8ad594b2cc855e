//! Reading a request: types first, then constraints, with the wordings of KMS's front end.
//!
//! A member of the wrong JSON type fails at once (`SerializationException`). Broken constraints are
//! collected, and [`Input::validated`] reports all of them in one `ValidationException`, as KMS does.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::error::{ApiError, ApiResult};
use crate::timestamp::Timestamp;

/// The members of a request that have not been read yet.
#[derive(Debug)]
pub(crate) struct Input {
    members: Map<String, Value>,
    violations: Vec<String>,
}

/// Whether KMS repeats a value in its error message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    /// Plaintexts and messages are kept out of errors.
    No,
}

impl Input {
    pub(crate) fn parse(body: &[u8]) -> ApiResult<Self> {
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(value),
            Err(_) => Err(ApiError::serialization(
                "The request body is not valid JSON",
            )),
        }
    }

    /// A structure within a request.
    pub(crate) fn of(value: Value) -> ApiResult<Self> {
        match value {
            Value::Object(members) => Ok(Self {
                members,
                violations: Vec::new(),
            }),
            other => Err(not_a(&other, "Structure")),
        }
    }

    /// A string of so many characters.
    pub(crate) fn text(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> ApiResult<Option<String>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let text = into_text(value)?;
        let shown = format!("Value '{text}'");
        self.check_length(&shown, &member(name), text.chars().count(), &length);
        Ok(Some(text))
    }

    /// A string that must be there.
    pub(crate) fn required_text(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> ApiResult<String> {
        let text = self.text(name, length)?;
        Ok(self.required(name, text))
    }

    /// Base64 of so many bytes that must be there.
    pub(crate) fn required_blob(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
        shown: Shown,
    ) -> ApiResult<Vec<u8>> {
        let Some(value) = self.take(name) else {
            return Ok(self.required(name, None));
        };
        let blob = BASE64_STANDARD
            .decode(into_text(value)?)
            .map_err(|_| ApiError::serialization(format!("{name} is not valid base64")))?;
        let len = blob.len();
        let shown = match shown {
            Shown::Yes => format!("Value 'java.nio.HeapByteBuffer[pos=0 lim={len} cap={len}]'"),
            Shown::No => "Value".to_owned(),
        };
        self.check_length(&shown, &member(name), len, &length);
        Ok(blob)
    }

    /// One of the names that the service knows.
    pub(crate) fn one_of(&mut self, name: &str, names: &[&str]) -> ApiResult<Option<String>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let text = into_text(value)?;
        if !names.contains(&text.as_str()) {
            let constraint = format!("Member must satisfy enum value set: [{}]", names.join(", "));
            self.violation(&format!("Value '{text}'"), &member(name), &constraint);
        }
        Ok(Some(text))
    }

    /// One of the names that the service knows, which must be there.
    pub(crate) fn required_one_of(&mut self, name: &str, names: &[&str]) -> ApiResult<String> {
        let text = self.one_of(name, names)?;
        Ok(self.required(name, text))
    }

    pub(crate) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<u32>,
    ) -> ApiResult<Option<u32>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let Some(number) = value.as_i64() else {
            return Err(not_a(&value, "Integer"));
        };
        if number < i64::from(*range.start()) {
            let constraint = at_least("value", range.start());
            self.violation(&format!("Value '{number}'"), &member(name), &constraint);
        } else if number > i64::from(*range.end()) {
            let constraint = at_most("value", range.end());
            self.violation(&format!("Value '{number}'"), &member(name), &constraint);
        }
        // A number that is out of u32 is out of range, and was reported.
        Ok(Some(u32::try_from(number).unwrap_or_default()))
    }

    /// Seconds since the epoch, with a fraction.
    pub(crate) fn timestamp(&mut self, name: &str) -> ApiResult<Option<Timestamp>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let seconds = value.as_f64().ok_or_else(|| not_a(&value, "Timestamp"))?;
        Ok(Some(Timestamp::of_seconds(seconds)))
    }

    pub(crate) fn flag(&mut self, name: &str) -> ApiResult<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(not_a(&other, "Boolean")),
        }
    }

    /// A map from strings to strings; empty when absent.
    pub(crate) fn string_map(&mut self, name: &str) -> ApiResult<BTreeMap<String, String>> {
        match self.take(name) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(entries)) => entries
                .into_iter()
                .map(|(key, value)| Ok((key, into_text(value)?)))
                .collect(),
            Some(other) => Err(not_a(&other, "Map")),
        }
    }

    /// A list of strings, each of so many characters, that must be there.
    pub(crate) fn required_texts(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> ApiResult<Vec<String>> {
        match self.some_texts(name, length)? {
            Some(texts) => Ok(texts),
            None => Ok(self.required(name, None)),
        }
    }

    /// A list of strings, each of so many characters; empty when absent.
    pub(crate) fn texts(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> ApiResult<Vec<String>> {
        Ok(self.some_texts(name, length)?.unwrap_or_default())
    }

    fn some_texts(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> ApiResult<Option<Vec<String>>> {
        let Some(items) = self.list(name)? else {
            return Ok(None);
        };
        let texts = items
            .into_iter()
            .map(into_text)
            .collect::<ApiResult<Vec<_>>>()?;
        if !texts
            .iter()
            .all(|text| length.contains(&text.chars().count()))
        {
            let constraint = format!(
                "Member must satisfy constraint: [{}, {}]",
                at_most("length", length.end()),
                at_least("length", length.start()),
            );
            self.violation(
                &format!("Value '[{}]'", texts.join(", ")),
                &member(name),
                &constraint,
            );
        }
        Ok(Some(texts))
    }

    /// The list `Tags` of `TagKey` and `TagValue`; nothing when absent.
    pub(crate) fn tags(&mut self) -> ApiResult<Option<Vec<(String, String)>>> {
        let Some(items) = self.list("Tags")? else {
            return Ok(None);
        };
        let mut tags = Vec::with_capacity(items.len());
        for (position, item) in (1..).zip(items) {
            let Value::Object(mut item) = item else {
                return Err(not_a(&item, "Structure"));
            };
            let mut part = |name: &str, length: RangeInclusive<usize>| {
                let path = format!("tags.{position}.member.{}", member(name));
                match item.remove(name).filter(|value| !value.is_null()) {
                    Some(value) => {
                        let text = into_text(value)?;
                        let len = text.chars().count();
                        self.check_length(&format!("Value '{text}'"), &path, len, &length);
                        Ok(text)
                    }
                    None => Ok(self.missing(&path)),
                }
            };
            tags.push((part("TagKey", 1..=128)?, part("TagValue", 0..=256)?));
        }
        Ok(Some(tags))
    }

    /// The default of an absent member, which is reported.
    pub(crate) fn required<T: Default>(&mut self, name: &str, value: Option<T>) -> T {
        match value {
            Some(value) => value,
            None => self.missing(&member(name)),
        }
    }

    /// Ends the reading: reports every broken constraint.
    pub(crate) fn validated(self) -> ApiResult<()> {
        let errors = match self.violations.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            count => format!("{count} validation errors"),
        };
        Err(ApiError::validation(format!(
            "{errors} detected: {}",
            self.violations.join("; ")
        )))
    }

    pub(crate) fn violation(&mut self, shown: &str, path: &str, constraint: &str) {
        self.violations.push(format!(
            "{shown} at '{path}' failed to satisfy constraint: {constraint}"
        ));
    }

    fn missing<T: Default>(&mut self, path: &str) -> T {
        self.violation("Value null", path, "Member must not be null");
        T::default()
    }

    fn check_length(
        &mut self,
        shown: &str,
        path: &str,
        len: usize,
        allowed: &RangeInclusive<usize>,
    ) {
        if len < *allowed.start() {
            self.violation(shown, path, &at_least("length", allowed.start()));
        } else if len > *allowed.end() {
            self.violation(shown, path, &at_most("length", allowed.end()));
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> ApiResult<Option<Vec<Value>>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(not_a(&other, "List")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }
}

/// The member's name in error messages: `KeyId` is `keyId` there.
fn member(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

fn into_text(value: Value) -> ApiResult<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(not_a(&other, "String")),
    }
}

fn not_a(value: &Value, expected: &str) -> ApiError {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_OF_LIST",
        Value::Object(_) => "START_OF_STRUCTURE",
    };
    ApiError::serialization(format!("{found} can not be converted to a {expected}"))
}

fn at_least(what: &str, bound: impl Display) -> String {
    format!("Member must have {what} greater than or equal to {bound}")
}

fn at_most(what: &str, bound: impl Display) -> String {
    format!("Member must have {what} less than or equal to {bound}")
}
