//! Pages: `Limit` and `Marker` in, `Truncated` and `NextMarker` out.

use std::ops::Bound;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};
use crate::input::Input;

/// A part of a map by name.
pub(super) type Range = (Bound<String>, Bound<String>);

/// What a request asks of a list.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    /// The name of the last item of the page before.
    after: Option<String>,
}

/// How long pages are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) default: u32,
    pub(super) max: u32,
}

impl Page {
    pub(super) fn read(input: &mut Input, limits: Limits) -> ApiResult<Self> {
        let limit = input
            .number("Limit", 1..=limits.max)?
            .unwrap_or(limits.default);
        let after = match input.text("Marker", 1..=1024)? {
            None => None,
            Some(marker) => Some(decode(&marker)?),
        };
        Ok(Self {
            limit: limit as usize,
            after,
        })
    }

    /// Where the page begins, in a map by name.
    pub(super) fn rest(&self) -> Range {
        after(self.after.clone())
    }

    /// The answer: as many of the items as the page holds, under the list's member name; and the part
    /// of the map that it covers, items that are not shown included.
    ///
    /// The items come with their names, in the order of their names, from [`Page::rest`].
    pub(super) fn answer(
        self,
        member: &str,
        mut items: impl Iterator<Item = (String, Value)>,
    ) -> (Value, Range) {
        let (begin, mut end) = self.rest();
        let (mut names, values): (Vec<_>, Vec<_>) = items.by_ref().take(self.limit).unzip();
        let truncated = items.next().is_some();
        let mut answer = json!({ member: values, "Truncated": truncated });
        if let (true, Some(last)) = (truncated, names.pop()) {
            answer["NextMarker"] = encode(&last).into();
            end = Bound::Included(last);
        }
        (answer, (begin, end))
    }
}

/// The part of a map that follows this name, or the whole.
pub(super) fn after(name: Option<String>) -> Range {
    let begin = name.map_or(Bound::Unbounded, Bound::Excluded);
    (begin, Bound::Unbounded)
}

/// Opaque to clients, as KMS's markers are.
pub(super) fn encode(name: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(name)
}

pub(super) fn decode(marker: &str) -> ApiResult<String> {
    let invalid = || ApiError::invalid_marker(format!("Could not deserialize marker '{marker}'"));
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(marker)
        .map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}
