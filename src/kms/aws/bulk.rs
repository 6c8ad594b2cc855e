//! Many requests with a bound on those in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kms::login;
use crate::log;
use parking_lot::Mutex;
use tokio::task::JoinSet;

/// Calls `ask` with each item, `concurrency` of them at a time, spread over the runtime's threads,
/// and answers in the order of the items.
///
/// `None` stands for an item whose task ended without an answer, by a panic.
pub(super) async fn each<I, T, A, F>(items: Vec<I>, concurrency: usize, ask: A) -> Vec<Option<T>>
where
    I: Clone + Send + Sync + 'static,
    T: Send + 'static,
    A: Fn(I) -> F + Clone + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let answers: Vec<Option<T>> = items.iter().map(|_| None).collect();
    let workers = concurrency.clamp(1, items.len().max(1));
    let shared = Arc::new(Shared {
        items,
        next: AtomicUsize::new(0),
        answers: Mutex::new(answers),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let (shared, ask) = (Arc::clone(&shared), ask.clone());
        let work = async move {
            while let Some((index, item)) = shared.take() {
                let answer = Box::pin(ask(item)).await;
                shared.answers.lock()[index] = Some(answer);
            }
        };
        tasks.spawn(log::carried(login::carried(work)));
    }
    while tasks.join_next().await.is_some() {}
    std::mem::take(&mut *shared.answers.lock())
}

struct Shared<I, T> {
    items: Vec<I>,
    next: AtomicUsize,
    answers: Mutex<Vec<Option<T>>>,
}

impl<I: Clone, T> Shared<I, T> {
    fn take(&self) -> Option<(usize, I)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.items.get(index).map(|item| (index, item.clone()))
    }
}
