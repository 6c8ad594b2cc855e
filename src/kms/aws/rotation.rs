//! What KMS tells of the rotation of a symmetric key.

use aws_sdk_kms::primitives::{DateTime, DateTimeFormat};
use aws_sdk_kms::types::RotationType;
use tokio::time::Instant;

use super::listing::{Pages, bad_answer, check_key, no_list};
use super::request::Requests;
use crate::kms::{KeyEntry, KmsError, RotationCounts, RotationStatus};

/// The largest page KMS gives.
const ROTATIONS_A_PAGE: i32 = 1000;

impl Requests {
    pub(super) async fn rotation_status(
        &self,
        key: &KeyEntry,
        deadline: Instant,
    ) -> Result<RotationStatus, KmsError> {
        const OPERATION: &str = "GetKeyRotationStatus";
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client.get_key_rotation_status().key_id(&key.arn).send()
            })
            .await?;
        // Answers of before 2024, which some servers still give, do not name the key.
        if let Some(answered) = answer.key_id() {
            check_key(OPERATION, key, Some(answered))?;
        }
        let enabled = answer.key_rotation_enabled();
        let day = |time: Option<&DateTime>| time.map(|time| day(OPERATION, key, time)).transpose();
        Ok(RotationStatus {
            enabled,
            period_days: answer
                .rotation_period_in_days()
                .filter(|_| enabled)
                .and_then(|days| u32::try_from(days).ok()),
            next: day(answer.next_rotation_date())?,
            on_demand: day(answer.on_demand_rotation_start_date())?,
        })
    }

    pub(super) async fn rotation_counts(
        &self,
        key: &KeyEntry,
        deadline: Instant,
    ) -> Result<RotationCounts, KmsError> {
        const OPERATION: &str = "ListKeyRotations";
        let mut counts = RotationCounts::default();
        let mut pages = Pages::of(OPERATION, Some(&key.arn));
        loop {
            let page = self
                .ask_about(OPERATION, &key.arn, deadline, |client| {
                    let page = client.list_key_rotations().key_id(&key.arn);
                    page.limit(ROTATIONS_A_PAGE).set_marker(pages.next()).send()
                })
                .await?;
            let rotations = page.rotations.as_ref();
            for rotation in rotations.ok_or_else(|| no_list(OPERATION, Some(&key.arn)))? {
                match rotation.rotation_type() {
                    Some(RotationType::Automatic) => counts.automatic += 1,
                    Some(RotationType::OnDemand) => counts.on_demand += 1,
                    _ => {}
                }
            }
            if !pages.turn(page.truncated(), page.next_marker())? {
                return Ok(counts);
            }
        }
    }
}

/// The day in UTC, as CK_DATE has it.
fn day(operation: &'static str, key: &KeyEntry, time: &DateTime) -> Result<String, KmsError> {
    // `2027-01-31T…`
    let text = time.fmt(DateTimeFormat::DateTime).ok();
    text.as_deref()
        .and_then(|text| text.split('T').next())
        .map(|day| day.replace('-', ""))
        .filter(|day| day.len() == 8)
        .ok_or_else(|| bad_answer(operation, Some(&key.arn), "a day that CK_DATE cannot hold"))
}
