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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::error::CredentialsError;

    use super::*;

    /// Answers these, or nothing.
    #[derive(Debug)]
    struct Source(Option<&'static str>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let found = self
                .0
                .map(|id| Credentials::new(id, "secret", None, None, "test"));
            let none = || CredentialsError::provider_error("the token service is down");
            future::ProvideCredentials::ready(found.ok_or_else(none))
        }
    }

    fn renewing(id: Option<&'static str>) -> Renewing {
        let source = SharedCredentialsProvider::new(Source(id));
        Renewing::new(source, Duration::from_secs(5))
    }

    #[test]
    fn a_replica_has_the_credentials_of_the_tokens_region_while_they_are_there_and_else_its_own() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let lent = Lent::default();
        let (home, away) = (Lending::Lends(lent.clone()), Lending::Borrows(lent));
        assert!(away.is_replica() && !home.is_replica());
        runtime.unwrap().block_on(async {
            let id = async |provider: &SharedCredentialsProvider| {
                let answer = provider.provide_credentials().await;
                answer.map(|found| found.access_key_id().to_owned()).ok()
            };
            let alone = away.provider(renewing(Some("away")));
            assert_eq!(id(&alone).await.as_deref(), Some("away"), "none are lent");
            let own = home.provider(renewing(Some("home")));
            let without = away.provider(renewing(None));
            assert_eq!(
                id(&without).await,
                None,
                "nobody has asked for those of home"
            );
            id(&own).await;
            assert_eq!(id(&without).await.as_deref(), Some("home"));
            assert_eq!(id(&alone).await.as_deref(), Some("home"));
            away.forget();
            assert_eq!(id(&without).await, None);
        });
    }
}
