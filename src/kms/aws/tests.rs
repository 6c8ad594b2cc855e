//! The AWS implementation, through the [`Kms`] trait.

mod caller;
mod canned;
mod consistency;
mod creation;
mod cryptography;
mod deadlines;
mod emulated;
mod failover;
mod issuing;
mod logging;
mod reading;
mod surroundings;
mod symmetric;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use surroundings::Surroundings;

use super::{AwsKms, AwsSettings, SharedHttp};
use crate::kms::{
    KeyAnswer, KeyEntry, KeySpec, KeyUsage, Kms, KmsError, NewKey, Runtime, Search, Tags,
};

/// The signal mask hook of tests, whose threads may take any signal.
fn unmasked(start: &mut dyn FnMut()) {
    start();
}

fn runtime() -> Arc<Runtime> {
    Runtime::new(unmasked)
}

/// Short waits, so that tests of failures end soon.
fn settings(endpoint: &str) -> AwsSettings {
    AwsSettings {
        region: Some("eu-west-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        deadline: Duration::from_secs(3),
        attempt_timeout: Duration::from_secs(2),
        listing_deadline: Duration::from_secs(5),
        key_ready_timeout: Duration::from_secs(5),
        ..AwsSettings::default()
    }
}

fn kms(settings: AwsSettings) -> AwsKms {
    AwsKms::new(settings, runtime(), &SharedHttp::new(), None)
}

impl AwsKms {
    /// Makes a key and waits until it can be used, as tokens do.
    fn make_key(
        &self,
        request: &NewKey,
        search: &Search,
    ) -> Result<(KeyEntry, KeyAnswer), KmsError> {
        let made = self.create_key(request, search)?;
        let answer = self.await_key(&made, request.spec, request.usage)?;
        Ok((made, answer))
    }
}

fn key(number: u32) -> KeyEntry {
    let key_id = format!("00000000-0000-4000-8000-{number:012}");
    KeyEntry {
        arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
        key_id,
    }
}

fn new_key() -> NewKey {
    NewKey {
        spec: KeySpec::EccNistP256,
        usage: KeyUsage::SignVerify,
        description: String::new(),
        tags: Tags::from([("team".to_owned(), "signing".to_owned())]),
        policy: None,
        multi_region: false,
    }
}

/// For a creation before which no key was listed.
fn none_known() -> Search {
    Search::Listing(Arc::new(|_| false))
}
