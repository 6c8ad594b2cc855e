//! Which login of a token something belongs to, so that nothing of one is taken for something of the next.
//!
//! A call may wait, for its turn or for an answer, while its user logs out and another one logs in. So each call knows
//! which login it began under; what it would still send, and what its answers change, is of no use to any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task_local;

use super::stage;

/// Counts the logins of a token. Clones are of the same token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins(Arc<AtomicU64>);

/// One login, or the time between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Login(u64);

task_local! {
    static OF_WORK: Login;
}

impl Logins {
    /// Ends what there is, before anything of it is forgotten and before anything takes its place: who sees something
    /// new sees that the old is over.
    pub(crate) fn change(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Has the PKCS#11 call of this thread begin now.
    pub(crate) fn begin_call(&self) {
        stage::set_login(self.present());
    }

    /// The login that the call of this thread began under, which is this moment when nobody has said so.
    pub(crate) fn of_call(&self) -> Login {
        stage::login().unwrap_or_else(|| {
            self.begin_call();
            self.present()
        })
    }

    /// Whether the call of this thread began under a login that has ended since.
    pub(crate) fn ended_during_call(&self) -> bool {
        self.is_over(self.of_call())
    }

    /// That of the work under way on the runtime: the call's that it is done for.
    pub(crate) fn of_work(&self) -> Login {
        OF_WORK
            .try_with(|login| *login)
            .unwrap_or_else(|_| self.present())
    }

    pub(crate) fn is_over(&self, login: Login) -> bool {
        self.present() != login
    }

    fn present(&self) -> Login {
        Login(self.0.load(Ordering::SeqCst))
    }
}

impl Login {
    /// Does `work` for a call that began under this login. Tasks that it spawns have to be told anew.
    pub(crate) fn of<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        OF_WORK.scope(self, work)
    }
}

/// The same work, under the login of the work that is under way, in whatever task it will be done.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let login = OF_WORK.try_with(|login| *login).ok();
    async move {
        match login {
            Some(login) => login.of(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_belongs_to_the_login_that_it_began_under_until_its_end() {
        let logins = Logins::default();
        stage::call(|| {
            logins.begin_call();
            let login = logins.of_call();
            assert!(!logins.ended_during_call());
            logins.change();
            assert!(logins.ended_during_call() && logins.is_over(login));
            assert_eq!(logins.of_call(), login);
            // The next call, be it one within this one.
            stage::call(|| assert!(!logins.ended_during_call()));
            assert!(logins.ended_during_call());
        });
        assert!(!logins.ended_during_call(), "outside of a call");
    }

    #[test]
    fn work_for_a_call_belongs_to_its_login() {
        let logins = Logins::default();
        let login = logins.of_work();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        logins.change();
        runtime.unwrap().block_on(async {
            assert!(!logins.is_over(logins.of_work()));
            let is_over = || async { logins.is_over(logins.of_work()) };
            assert!(login.of(is_over()).await);
            let elsewhere = OF_WORK.sync_scope(login, || carried(is_over()));
            assert!(elsewhere.await);
        });
    }
}
