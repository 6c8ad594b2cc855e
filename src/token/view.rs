//! The token's current snapshot: when it is listed anew, and how it is swapped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::certificates::store::Store;
use super::discovery::{self, Discovery, Findings, Way};
use super::flight::Flight;
use super::foreign::{Choice, Foreign};
use super::inventory::{Inventory, Snapshot};
use super::login::logged_out;
use crate::config::{OnDestroy, PinMode, TokenConfig};
use crate::error::Result;
use crate::kms::{GRACE, KeyEntry, Kms, KmsError, Known, Phase, Runtime, Search, Stage};

/// The keys of a token: a snapshot that readers share, and what it is made from.
pub(super) struct View {
    config: TokenConfig,
    kms: Arc<dyn Kms>,
    runtime: Arc<Runtime>,
    store: Arc<Store>,
    current: ArcSwapOption<Snapshot>,
    state: Mutex<State>,
    listing: Flight,
}

struct State {
    inventory: Inventory,
    foreign: Foreign,
    /// How often everything was forgotten: what was listed before is of no use after.
    epoch: u32,
    /// Not the view's: a listing that began before everything was forgotten must not decide for those after.
    way: Arc<Way>,
    /// When the last complete listing was begun.
    listed: Option<Instant>,
    /// That listing was one of another region, which lacks the keys that have no replica there.
    is_partial: bool,
    /// When a listing was last begun because a find missed.
    missed: Option<Instant>,
}

impl State {
    fn new(config: &TokenConfig, epoch: u32) -> Self {
        Self {
            inventory: Inventory::new(config.on_destroy != OnDestroy::Refuse),
            foreign: Foreign::default(),
            epoch,
            way: Arc::new(Way::new(config)),
            listed: None,
            is_partial: false,
            missed: None,
        }
    }
}

impl View {
    pub(super) fn new(
        config: TokenConfig,
        kms: Arc<dyn Kms>,
        runtime: Arc<Runtime>,
        store: Arc<Store>,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(&config, 0)),
            config,
            kms,
            runtime,
            store,
            current: ArcSwapOption::const_empty(),
            listing: Flight::default(),
        }
    }

    /// The current snapshot. The first one is waited for; a stale one is renewed in the background.
    pub(super) fn snapshot(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        loop {
            if let Some(snapshot) = self.current.load_full() {
                self.renew_when_stale();
                return Ok(snapshot);
            }
            let epoch = self.epoch_of_call()?;
            let is_due = || self.current.load().is_none();
            let outcome = self
                .listing
                .join_if(epoch, self.patience(), is_due, || self.list());
            // What somebody may see who has logged out meanwhile, or may not, is no answer.
            if self.epoch() == epoch {
                return outcome.map(|()| self.latest());
            }
        }
    }

    /// The snapshot as far as there is one, without any request.
    pub(super) fn latest(&self) -> Arc<Snapshot> {
        self.current.load_full().unwrap_or_default()
    }

    /// Looks for keys that appeared since the last listing, unless that was done moments ago. A
    /// listing that is under way is waited for: what it will show is not missing. After one that
    /// failed moments ago nobody knows what is missing, so its failure is the answer.
    pub(super) fn look_again(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        let due = || {
            let mut state = self.state.lock();
            // What a listing of elsewhere lacks is not known to be missing.
            let listed = state.listed.filter(|_| !state.is_partial);
            let last = state.missed.max(listed);
            let due = last.is_none_or(|last| last.elapsed() >= self.config.miss_refresh_interval);
            if due {
                state.missed = Some(Instant::now());
            }
            due
        };
        let epoch = self.epoch_of_call()?;
        let outcome = self
            .listing
            .join_if(epoch, self.patience(), due, || self.list_again());
        if self.epoch() == epoch {
            return outcome.map(|()| self.latest());
        }
        self.snapshot()
    }

    /// Forgets all keys, and with them their handles: who asks next may see others.
    pub(super) fn forget(&self) {
        let mut state = self.state.lock();
        *state = State::new(&self.config, state.epoch.wrapping_add(1));
        self.current.store(None);
    }

    /// Changes what the token knows of its keys, and swaps in the snapshot that follows from it. False: it was
    /// forgotten since the call began, and nothing is changed of what is known after that.
    pub(super) fn change(&self, change: impl FnOnce(&mut Inventory)) -> bool {
        let mut state = self.state.lock();
        if self.is_of_another_login() {
            return false;
        }
        change(&mut state.inventory);
        if self.current.load().is_some() {
            self.publish(&mut state);
        }
        true
    }

    /// Asks what the token knows of its keys beyond the snapshot.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut Inventory) -> T) -> T {
        ask(&mut self.state.lock().inventory)
    }

    /// How a new key with this mark is found: as other keys are. A listed key is another one when it
    /// is known to have another mark, or none.
    pub(super) fn search(self: &Arc<Self>, mark: String) -> Search {
        let view = Arc::clone(self);
        let known: Known = Arc::new(move |key| {
            let state = view.state.lock();
            state.inventory.is_listed_without(key, &mark) || state.foreign.is_settled(key)
        });
        if self.state.lock().way.is_tagging_api() {
            Search::Tagging(known)
        } else {
            Search::Listing(known)
        }
    }

    fn renew_when_stale(self: &Arc<Self>) {
        let due = {
            // Whoever holds it is at work on the list, or looks at its age just as well: no find
            // waits for them.
            let Some(mut state) = self.state.try_lock() else {
                return;
            };
            let interval = if state.is_partial {
                self.config.miss_refresh_interval
            } else {
                self.config.refresh_interval
            };
            let due = state.listed.is_none_or(|at| at.elapsed() >= interval);
            if due {
                // Whoever sees this next finds a renewal under way.
                state.listed = Some(Instant::now());
            }
            due
        };
        if due {
            let view = Arc::clone(self);
            self.runtime.background(move || {
                view.kms.logins().begin_call();
                let renewed = view
                    .epoch_of_call()
                    .and_then(|epoch| view.listing.join(epoch, view.patience(), || view.list()));
                if let Err(error) = renewed {
                    let label = &view.config.label;
                    let what = "the listing could not be renewed, the last one stays";
                    // Nobody misses it when the user it was for has logged out.
                    let is_missed = !view.state.lock().is_partial && !view.is_of_another_login();
                    if error.is_routine() || !is_missed {
                        tracing::debug!("token {label}: {what}: {error}");
                    } else {
                        tracing::warn!("token {label}: {what}: {error}");
                    }
                }
            });
        }
    }

    /// How long a call waits for the listing of another thread.
    fn patience(&self) -> Duration {
        Stage::Listing.left(self.config.listing_deadline) + GRACE
    }

    fn epoch(&self) -> u32 {
        self.state.lock().epoch
    }

    /// The epoch that a call may list keys for: none, when its own is over.
    fn epoch_of_call(&self) -> Result<u32> {
        let epoch = self.epoch();
        // After that was read: what is forgotten belongs to a login that has ended before.
        self.check_call()?;
        Ok(epoch)
    }

    /// Refuses to answer a call with what it did not begin with.
    pub(super) fn check_call(&self) -> Result<()> {
        if self.is_of_another_login() {
            return Err(logged_out());
        }
        Ok(())
    }

    /// Whether this thread's call began under another login than that whose keys are known now.
    fn is_of_another_login(&self) -> bool {
        self.config.pin == PinMode::Credentials && self.kms.logins().ended_during_call()
    }

    fn list(&self) -> Result<()> {
        let begun = Instant::now();
        let (epoch, way, known): (_, _, HashMap<_, _>) = {
            let state = self.state.lock();
            let way = Arc::clone(&state.way);
            (state.epoch, way, state.inventory.all_listed())
        };
        let is_first = self.current.load().is_none();
        let placed = if is_first {
            self.list_places(&way)
        } else {
            Ok(None)
        };
        let listed = placed.and_then(|placed| match placed {
            Some(found) => Ok(found),
            None => self
                .discovery(&*self.kms, &way)
                .complete(&known, |entries| self.state.lock().foreign.choose(entries))
                .map(|findings| (findings, false)),
        });
        let (findings, is_partial) = listed.map_err(|error| error.into_error(Phase::Find))?;
        let Findings {
            shown,
            foreign,
            still_foreign,
            outage,
        } = findings;
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return Ok(());
        }
        tracing::info!(
            "token {}: {} keys shown, {} of others, listed in {:?}",
            self.config.label,
            shown.len(),
            foreign.len() + still_foreign.len(),
            begun.elapsed()
        );
        if is_first || state.is_partial {
            state.foreign.begin(&foreign);
        } else {
            state.foreign.replace(&foreign, &still_foreign);
        }
        state.listed = match outage {
            // That is not an empty token. What was read is not read again by the next listing.
            Some(error) if shown.is_empty() => return Err(error.into_error(Phase::Find)),
            // The rest is looked for soon.
            Some(_) => begun.checked_sub(self.early()),
            None => Some(begun),
        };
        state.is_partial = is_partial;
        state.inventory.replace_listing(shown);
        state.inventory.replace_files(self.store.list());
        self.publish(&mut state);
        Ok(())
    }

    /// The first listing of a token that may leave its region: there if that answers, else in a region that has
    /// replicas, which is told by `true`. `None`: only the token's own is left to be asked.
    fn list_places(&self, way: &Way) -> std::result::Result<Option<(Findings, bool)>, KmsError> {
        let mut places = self.kms.places().into_iter();
        let Some(home) = places.next() else {
            return Ok(None);
        };
        let tried = way.copy();
        let why = match self
            .discovery(&*home, &tried)
            .complete(&HashMap::new(), all)
        {
            Err(error) if error.is_down() => error,
            done => {
                way.adopt(&tried);
                return done.map(|findings| Some((findings, false)));
            }
        };
        let label = &self.config.label;
        for place in places {
            match self
                .discovery(&*place, &way.copy())
                .complete(&HashMap::new(), all)
            {
                Ok(Findings { shown, .. }) if !shown.is_empty() => {
                    tracing::warn!(
                        "token {label}: {} keys are listed in a replica region until the token's own answers; \
                         those without a replica are missing: {why}",
                        shown.len()
                    );
                    // What is not shown there may be the token's at home.
                    let findings = Findings {
                        shown,
                        ..Findings::default()
                    };
                    return Ok(Some((findings, true)));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!("token {label}: {error}"),
            }
        }
        Ok(None)
    }

    /// Looks for new keys, or for all of them where the last listing was not one of the token's own region.
    fn list_again(&self) -> Result<()> {
        let is_partial = self.state.lock().is_partial;
        if is_partial {
            self.list()
        } else {
            self.list_news()
        }
    }

    /// By how much a listing that is not whole is renewed earlier than others.
    fn early(&self) -> Duration {
        let regular = self.config.refresh_interval;
        regular.saturating_sub(self.config.miss_refresh_interval)
    }

    fn list_news(&self) -> Result<()> {
        let (epoch, way) = {
            let state = self.state.lock();
            (state.epoch, Arc::clone(&state.way))
        };
        let findings = self
            .discovery(&*self.kms, &way)
            .news(|entries| {
                let state = self.state.lock();
                discovery::unknown(entries, &state.inventory, &state.foreign)
            })
            .map_err(|error| error.into_error(Phase::Find))?;
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return Ok(());
        }
        state.foreign.extend(&findings.foreign);
        if let Some(error) = findings.outage.filter(|_| findings.shown.is_empty()) {
            return Err(error.into_error(Phase::Find));
        }
        let new_files = state.inventory.replace_files(self.store.list());
        if new_files || !findings.shown.is_empty() {
            state.inventory.extend_listing(findings.shown);
            self.publish(&mut state);
        }
        Ok(())
    }

    fn discovery<'a>(&'a self, kms: &'a dyn Kms, way: &'a Way) -> Discovery<'a> {
        Discovery {
            kms,
            config: &self.config,
            way,
        }
    }

    fn publish(&self, state: &mut State) {
        self.current
            .store(Some(Arc::new(state.inventory.snapshot())));
    }
}

/// Of a first listing, the tags of all keys are read.
fn all(entries: Vec<KeyEntry>) -> Choice {
    Choice {
        read: entries,
        spared: Vec::new(),
    }
}
