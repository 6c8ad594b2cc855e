//! The operations of the API, one row each.

mod agreement;
mod aliases;
mod data_keys;
mod encapsulation;
mod encryption;
mod import;
mod keys;
mod lifecycle;
mod mac;
mod page;
mod random;
mod replication;
mod rotation;
mod signing;
mod tagging;
mod tags;

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::service::Service;

/// An operation: how it is run and what else it needs.
#[derive(Debug)]
pub(crate) struct Operation {
    /// What stands before the name in the header that names the operation: the service's.
    target: &'static str,
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Service, Input) -> ApiResult<Value>,
    /// It may compute for seconds: not on a thread that answers other requests.
    pub(crate) slow: bool,
    /// It changes what a state file holds.
    pub(crate) changes: bool,
}

impl Operation {
    /// The operation that a request's header `X-Amz-Target` names: `TrentService.Sign`.
    pub(crate) fn by_target(target: &str) -> Option<&'static Self> {
        let (service, name) = target.split_once('.')?;
        let mut operations = OPERATIONS.iter();
        operations.find(|operation| operation.name == name && operation.target == service)
    }
}

const KMS: &str = "TrentService";
const TAGGING: &str = "ResourceGroupsTaggingAPI_20170126";
/// The services that share this port.
pub(crate) const SERVICES: [&str; 2] = [KMS, TAGGING];

/// The most called first: the table is searched from the top.
static OPERATIONS: [Operation; 42] = [
    read("Sign", signing::sign),
    read("Decrypt", encryption::decrypt),
    read("Verify", signing::verify),
    read("Encrypt", encryption::encrypt),
    read("GenerateMac", mac::generate_mac),
    read("VerifyMac", mac::verify_mac),
    read("DeriveSharedSecret", agreement::derive_shared_secret),
    read("Decapsulate", encapsulation::decapsulate),
    read("Encapsulate", encapsulation::encapsulate),
    read("GenerateDataKey", data_keys::generate_data_key),
    read(
        "GenerateDataKeyWithoutPlaintext",
        data_keys::generate_data_key_without_plaintext,
    ),
    Operation {
        slow: true,
        ..read("GenerateDataKeyPair", data_keys::generate_data_key_pair)
    },
    Operation {
        slow: true,
        ..read(
            "GenerateDataKeyPairWithoutPlaintext",
            data_keys::generate_data_key_pair_without_plaintext,
        )
    },
    read("ReEncrypt", encryption::re_encrypt),
    read("GetPublicKey", keys::get_public_key),
    read("DescribeKey", keys::describe_key),
    read("ListResourceTags", tags::list_resource_tags),
    read("ListKeys", keys::list_keys),
    read("ListAliases", aliases::list_aliases),
    Operation {
        target: TAGGING,
        ..read("GetResources", tagging::get_resources)
    },
    read("GenerateRandom", random::generate_random),
    read("GetKeyRotationStatus", rotation::get_key_rotation_status),
    read("ListKeyRotations", rotation::list_key_rotations),
    Operation {
        slow: true,
        ..change("CreateKey", keys::create_key)
    },
    Operation {
        slow: true,
        ..read("GetParametersForImport", import::get_parameters_for_import)
    },
    change("ImportKeyMaterial", import::import_key_material),
    change(
        "DeleteImportedKeyMaterial",
        import::delete_imported_key_material,
    ),
    change("UpdateKeyDescription", keys::update_key_description),
    change("TagResource", tags::tag_resource),
    change("UntagResource", tags::untag_resource),
    change("CreateAlias", aliases::create_alias),
    change("UpdateAlias", aliases::update_alias),
    change("DeleteAlias", aliases::delete_alias),
    change("EnableKey", lifecycle::enable_key),
    change("DisableKey", lifecycle::disable_key),
    change("ScheduleKeyDeletion", lifecycle::schedule_key_deletion),
    change("CancelKeyDeletion", lifecycle::cancel_key_deletion),
    elsewhere("EnableKeyRotation", rotation::enable_key_rotation),
    elsewhere("DisableKeyRotation", rotation::disable_key_rotation),
    elsewhere("RotateKeyOnDemand", rotation::rotate_key_on_demand),
    elsewhere("ReplicateKey", replication::replicate_key),
    elsewhere("UpdatePrimaryRegion", replication::update_primary_region),
];

/// Characters of a key id, ARN or alias in a request.
const KEY_ID_LEN: RangeInclusive<usize> = 1..=2048;

/// Bytes of a plaintext, or of a message to sign.
const MESSAGE_LEN: RangeInclusive<usize> = 1..=4096;

/// Bytes of a ciphertext, a signature or a MAC.
const CIPHERTEXT_LEN: RangeInclusive<usize> = 1..=6144;

/// The answer of a dry run that met no other error.
fn stop_at_dry_run(dry_run: bool) -> ApiResult<()> {
    if dry_run {
        return Err(ApiError::dry_run(
            "The request would have succeeded, but the DryRun option is set.",
        ));
    }
    Ok(())
}

const fn read(name: &'static str, run: fn(&Service, Input) -> ApiResult<Value>) -> Operation {
    Operation {
        target: KMS,
        name,
        run,
        slow: false,
        changes: false,
    }
}

const fn change(name: &'static str, run: fn(&Service, Input) -> ApiResult<Value>) -> Operation {
    Operation {
        changes: true,
        ..read(name, run)
    }
}

/// A change that other regions are told, too, which may take a while.
const fn elsewhere(name: &'static str, run: fn(&Service, Input) -> ApiResult<Value>) -> Operation {
    Operation {
        slow: true,
        ..change(name, run)
    }
}
