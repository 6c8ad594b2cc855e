//! What a program does that calls KMS without the module: one client of aws-sdk-kms, as aws-config makes it,
//! and threads that each block on its calls.

use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use tokio::runtime::{Builder, Runtime};

use crate::Result;
use crate::key::{DIGEST, Key};
use crate::load::Sign;

/// As many as the module has.
const WORKERS: usize = 1;

/// A client, and the runtime that drives its connections.
pub(crate) struct Direct {
    runtime: Arc<Runtime>,
    client: Client,
}

impl Direct {
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()?;
        let config = runtime.block_on(aws_config::defaults(BehaviorVersion::latest()).load());
        Ok(Self {
            client: Client::new(&config),
            runtime: Arc::new(runtime),
        })
    }

    pub(crate) fn signer(&self, key: &Key, arn: &str) -> DirectSigner {
        DirectSigner {
            runtime: Arc::clone(&self.runtime),
            client: self.client.clone(),
            arn: arn.to_owned(),
            algorithm: key.algorithm.clone(),
        }
    }
}

pub(crate) struct DirectSigner {
    runtime: Arc<Runtime>,
    client: Client,
    arn: String,
    algorithm: SigningAlgorithmSpec,
}

impl Sign for DirectSigner {
    fn sign(&self) -> Result<()> {
        let request = self
            .client
            .sign()
            .key_id(&self.arn)
            .message_type(MessageType::Digest)
            .signing_algorithm(self.algorithm.clone())
            .message(Blob::new(DIGEST))
            .send();
        let answer = self.runtime.block_on(request)?;
        answer.signature.ok_or("no signature")?;
        Ok(())
    }
}
