//! Changes to an answer between KMS and its client.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// One change to the JSON of an answer.
///
/// `member` is the path to a member, with dots: `KeyMetadata.Arn`; a number is an index: `Keys.0.KeyId`. A change
/// to a member that is not there changes nothing, but for [`Change::Set`], which makes the last one of the path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// The member is missing.
    Remove { member: String },
    /// The member has this value, of whatever type.
    Set { member: String, value: Value },
    /// The last bit of the bytes that are the member, in Base64, is another.
    FlipBit { member: String },
}

impl Change {
    pub(crate) fn apply(&self, answer: &mut Value) {
        match self {
            Self::Remove { member } => {
                if let Some((Value::Object(holder), name)) = holder(answer, member) {
                    holder.remove(name);
                }
            }
            Self::Set { member, value } => match holder(answer, member) {
                Some((Value::Object(holder), name)) => {
                    holder.insert(name.to_owned(), value.clone());
                }
                Some((holder, name)) => {
                    if let Some(old) = inner(holder, name) {
                        *old = value.clone();
                    }
                }
                None => {}
            },
            Self::FlipBit { member } => {
                let Some((holder, name)) = holder(answer, member) else {
                    return;
                };
                if let Some(text) = inner(holder, name)
                    && let Some(flipped) = text.as_str().and_then(flip)
                {
                    *text = flipped.into();
                }
            }
        }
    }
}

/// What the last name of a path is a member of, and that name.
fn holder<'a, 'm>(answer: &'a mut Value, member: &'m str) -> Option<(&'a mut Value, &'m str)> {
    let Some((path, name)) = member.rsplit_once('.') else {
        return Some((answer, member));
    };
    let holder = path.split('.').try_fold(answer, inner)?;
    Some((holder, name))
}

fn inner<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(members) => members.get_mut(name),
        Value::Array(elements) => elements.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn flip(text: &str) -> Option<String> {
    let mut bytes = BASE64_STANDARD.decode(text).ok()?;
    *bytes.last_mut()? ^= 1;
    Some(BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn assert_changes(change: &Value, after: &Value) {
        let change: Change = serde_json::from_value(change.clone()).unwrap_or_else(|error| {
            panic!("{change}: {error}");
        });
        let mut answer = json!({ "Blob": "AAA=", "Keys": [{ "KeyId": "one" }] });
        change.apply(&mut answer);
        assert_eq!(answer, *after, "{change:?}");
    }

    #[test]
    fn a_member_is_removed_set_or_off_by_one_bit() {
        let keys = json!([{ "KeyId": "one" }]);
        assert_changes(
            &json!({ "remove": { "member": "Blob" } }),
            &json!({ "Keys": keys }),
        );
        assert_changes(
            &json!({ "remove": { "member": "Keys.0.KeyId" } }),
            &json!({ "Blob": "AAA=", "Keys": [{}] }),
        );
        assert_changes(
            &json!({ "set": { "member": "Keys.0", "value": 7 } }),
            &json!({ "Blob": "AAA=", "Keys": [7] }),
        );
        assert_changes(
            &json!({ "set": { "member": "More", "value": null } }),
            &json!({ "Blob": "AAA=", "Keys": keys, "More": null }),
        );
        assert_changes(
            &json!({ "flip_bit": { "member": "Blob" } }),
            &json!({ "Blob": "AAE=", "Keys": keys }),
        );
    }

    #[test]
    fn what_is_not_there_is_not_changed() {
        let same = json!({ "Blob": "AAA=", "Keys": [{ "KeyId": "one" }] });
        for member in ["None", "Keys.1.KeyId", "Blob.KeyId"] {
            assert_changes(&json!({ "remove": { "member": member } }), &same);
            assert_changes(&json!({ "flip_bit": { "member": member } }), &same);
        }
    }
}
