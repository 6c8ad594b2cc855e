//! `EnableKey`, `DisableKey`, `ScheduleKeyDeletion`, `CancelKeyDeletion`.

use serde_json::{Value, json};

use super::KEY_ID_LEN;
use crate::error::ApiResult;
use crate::input::Input;
use crate::key::{KeyState, Requires};
use crate::service::{Names, Service};
use crate::timestamp::Timestamp;

pub(super) fn enable_key(service: &Service, input: Input) -> ApiResult<Value> {
    switch(service, input, KeyState::Enabled)
}

pub(super) fn disable_key(service: &Service, input: Input) -> ApiResult<Value> {
    switch(service, input, KeyState::Disabled)
}

pub(super) fn schedule_key_deletion(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let window_days = input.number("PendingWindowInDays", 7..=30)?.unwrap_or(30);
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::NotPendingDeletion, |key| {
        let mut answer = json!({ "KeyId": key.core.arn, "PendingWindowInDays": window_days });
        let regions = key.regions.as_ref();
        let waits = regions.is_some_and(|regions| {
            regions.primary == service.site.region && !regions.replicas.is_empty()
        });
        key.state = if waits {
            // When it ends is not known before the last replica has.
            KeyState::PendingReplicaDeletion { window_days }
        } else {
            let date = Timestamp::now().plus_days(window_days);
            answer["DeletionDate"] = date.seconds().into();
            KeyState::PendingDeletion { date, window_days }
        };
        answer["KeyState"] = key.state.name().into();
        Ok(answer)
    })
}

/// The key is disabled afterwards, whatever it was before.
pub(super) fn cancel_key_deletion(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::PendingDeletion, |key| {
        key.state = if key.core.material.is_some() {
            KeyState::Disabled
        } else {
            KeyState::PendingImport
        };
        Ok(json!({ "KeyId": key.core.arn }))
    })
}

fn switch(service: &Service, mut input: Input, state: KeyState) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::EnabledOrDisabled, |key| {
        key.state = state;
        Ok(Value::Null)
    })
}
