//! Credentials that one region of a token lends the others: whoever the token acts as is the same everywhere, and a
//! region is not to be waited for, nor its token service, while those that are at hand are good.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::renewal::Renewing;

/// The credentials of a token's own region.
#[derive(Clone, Debug, Default)]
pub(super) struct Lent(Arc<ArcSwapOption<Renewing>>);

/// What a region does with them.
#[derive(Clone, Debug)]
pub(super) enum Lending {
    /// The token's own.
    Lends(Lent),
    /// One of its replicas.
    Borrows(Lent),
}

impl Lending {
    pub(super) fn is_replica(&self) -> bool {
        matches!(self, Self::Borrows(_))
    }

    /// Gives up what was lent: it is of no use, or of somebody who is not there any more.
    pub(super) fn forget(&self) {
        let (Self::Lends(lent) | Self::Borrows(lent)) = self;
        lent.0.store(None);
    }

    /// The credentials of a region, which has this source of its own.
    pub(super) fn provider(&self, own: Renewing) -> SharedCredentialsProvider {
        match self {
            Self::Lends(lent) => {
                lent.0.store(Some(Arc::new(own.clone())));
                SharedCredentialsProvider::new(own)
            }
            Self::Borrows(lent) => SharedCredentialsProvider::new(Borrowing {
                lent: lent.clone(),
                own,
            }),
        }
    }
}

/// Hands out what is lent while it is usable, and else its own.
#[derive(Debug)]
struct Borrowing {
    lent: Lent,
    own: Renewing,
}

impl ProvideCredentials for Borrowing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let lent = self.lent.0.load();
        match lent.as_ref().and_then(|lent| lent.ready()) {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.own.provide_credentials(),
        }
    }
}
