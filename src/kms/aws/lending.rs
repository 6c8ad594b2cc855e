//! Credentials that one region of a token lends the others: whoever the token acts as is the same everywhere, and a
//! region is not to be waited for, nor its token service, while those that are at hand are good.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::renewal::Renewing;
use crate::kms::Logins;

/// What the regions of a token have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Lent(Arc<Common>);

#[derive(Debug, Default)]
struct Common {
    logins: Logins,
    /// Another one after each logout: what is lent late is lent to nobody.
    slot: ArcSwap<Slot>,
}

/// The credentials of the token's own region.
type Slot = ArcSwapOption<Renewing>;

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

    /// Those of the token.
    pub(super) fn logins(&self) -> &Logins {
        let (Self::Lends(lent) | Self::Borrows(lent)) = self;
        &lent.0.logins
    }

    /// Gives up what was lent, since its user is not there any more: the token's own region does, for all of them.
    pub(super) fn end_login(&self) {
        if let Self::Lends(lent) = self {
            lent.0.slot.store(Arc::default());
        }
    }

    /// What goes on until the user logs out.
    pub(super) fn of_login(&self) -> Loan {
        match self {
            Self::Lends(lent) => Loan::Given(lent.0.slot.load_full()),
            Self::Borrows(lent) => Loan::Taken(Arc::new(Taken {
                slot: lent.0.slot.load_full(),
                refused: ArcSwapOption::const_empty(),
            })),
        }
    }
}

/// The lending of one login.
#[derive(Clone, Debug)]
pub(super) enum Loan {
    Given(Arc<Slot>),
    Taken(Arc<Taken>),
}

/// What a region borrows.
#[derive(Debug)]
pub(super) struct Taken {
    slot: Arc<Slot>,
    /// The access key id of those that AWS refused there. They may be good elsewhere: a session of the global token
    /// service is not valid in every region.
    refused: ArcSwapOption<String>,
}

impl Loan {
    /// Gives up credentials that were refused: those of the token's own region are of no use to anybody, those that
    /// another one has borrowed are not to that one.
    pub(super) fn give_up(&self) {
        match self {
            Self::Given(slot) => slot.store(None),
            Self::Taken(taken) => {
                let refused = taken.lent().map(|lent| lent.access_key_id().to_owned());
                taken.refused.store(refused.map(Arc::new));
            }
        }
    }

    /// The credentials of a region, which has this source of its own.
    pub(super) fn provider(&self, own: Renewing) -> SharedCredentialsProvider {
        match self {
            Self::Given(slot) => {
                slot.store(Some(Arc::new(own.clone())));
                SharedCredentialsProvider::new(own)
            }
            Self::Taken(taken) => SharedCredentialsProvider::new(Borrowing {
                taken: Arc::clone(taken),
                own,
            }),
        }
    }
}

impl Taken {
    /// Those that are lent and at hand.
    fn lent(&self) -> Option<Credentials> {
        let lent = self.slot.load();
        lent.as_ref().and_then(|lent| lent.ready())
    }

    fn usable(&self) -> Option<Credentials> {
        let refused = self.refused.load();
        let refused = refused.as_ref().map(|id| id.as_str());
        self.lent()
            .filter(|lent| Some(lent.access_key_id()) != refused)
    }
}

/// Hands out what is lent while it is usable, and else its own.
#[derive(Debug)]
struct Borrowing {
    taken: Arc<Taken>,
    own: Renewing,
}

impl ProvideCredentials for Borrowing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.taken.usable() {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.own.provide_credentials(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    async fn id(provider: &SharedCredentialsProvider) -> Option<String> {
        let answer = provider.provide_credentials().await;
        answer.map(|found| found.access_key_id().to_owned()).ok()
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(work)
    }

    fn regions() -> (Lending, Lending) {
        let lent = Lent::default();
        (Lending::Lends(lent.clone()), Lending::Borrows(lent))
    }

    #[test]
    fn a_replica_has_the_credentials_of_the_tokens_region_while_they_are_there_and_else_its_own() {
        let (home, away) = regions();
        assert!(away.is_replica() && !home.is_replica());
        let (home, away) = (home.of_login(), away.of_login());
        block_on(async {
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
            home.give_up();
            assert_eq!(id(&without).await, None);
        });
    }

    #[test]
    fn a_region_that_refuses_what_is_lent_uses_its_own_and_the_others_go_on_borrowing() {
        let (home, away) = regions();
        let (first, second) = (away.of_login(), away.of_login());
        let home = home.of_login();
        block_on(async {
            id(&home.provider(renewing(Some("home")))).await;
            first.give_up();
            // Also that which takes the place of its provider.
            let own = first.provider(renewing(Some("away")));
            assert_eq!(id(&own).await.as_deref(), Some("away"));
            let other = second.provider(renewing(Some("other")));
            assert_eq!(id(&other).await.as_deref(), Some("home"));
            // Others may be accepted there.
            id(&home.provider(renewing(Some("newer")))).await;
            assert_eq!(id(&own).await.as_deref(), Some("newer"));
        });
    }

    #[test]
    fn what_one_login_lends_no_other_borrows() {
        let (home, away) = regions();
        let (before, borrowed) = (home.of_login(), away.of_login());
        home.end_login();
        let (after, borrows) = (home.of_login(), away.of_login());
        block_on(async {
            // It was being made while its user logged out.
            id(&before.provider(renewing(Some("before")))).await;
            let next = borrows.provider(renewing(Some("own")));
            assert_eq!(id(&next).await.as_deref(), Some("own"));
            id(&after.provider(renewing(Some("after")))).await;
            assert_eq!(id(&next).await.as_deref(), Some("after"));
            // Nor does what is under way take over from the next.
            let under_way = borrowed.provider(renewing(None));
            assert_eq!(id(&under_way).await.as_deref(), Some("before"));
        });
    }
}
