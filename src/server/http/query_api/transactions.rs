//! The transactions that clients hold open over HTTP, by names that nobody can guess.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};

use super::super::problem::Problem;
use crate::engine::OpenTransaction;

/// A transaction that nobody asks for so long is rolled back.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// Each keeps a snapshot and its changes in memory.
const OPEN_MAX: usize = 256;

#[derive(Default)]
pub struct Transactions(Mutex<HashMap<String, Held>>);

/// A transaction between two requests.
pub struct Held {
    pub transaction: OpenTransaction,
    /// The name in the URLs that it is asked by.
    pub database: String,
    pub may_write: bool,
    expires: Instant,
}

impl Held {
    pub fn new(transaction: OpenTransaction, database: String, may_write: bool) -> Held {
        Held { transaction, database, may_write, expires: Instant::now() }
    }
}

impl Transactions {
    /// Checks that another may be opened.
    ///
    /// # Errors
    /// 429 if too many are.
    pub fn check_room(&self) -> Result<(), Problem> {
        match self.lock().len() < OPEN_MAX {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Neo.TransientError.Transaction.MaximumTransactionLimitReached",
                format!("more than {OPEN_MAX} transactions are open"),
            )
            .header(header::RETRY_AFTER, "1")),
        }
    }

    /// Keeps a transaction for the next request.
    pub fn keep(&self, id: String, held: Held) {
        self.lock().insert(id, Held { expires: Instant::now() + IDLE_MAX, ..held });
    }

    /// Takes a transaction out, for one request or for good.
    ///
    /// # Errors
    /// 404 if there is none of this name, or another request has it.
    pub fn take(&self, id: &str, database: &str) -> Result<Held, Problem> {
        let mut open = self.lock();
        let is_own = open.get(id).is_some_and(|held| held.database == database);
        match is_own.then(|| open.remove(id)).flatten() {
            Some(held) => Ok(held),
            None => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "Neo.ClientError.Transaction.TransactionNotFound",
                format!("there is no transaction '{id}' here, or another request is at it"),
            )),
        }
    }

    /// Rolls back what has been idle for too long.
    pub fn sweep(&self) {
        let now = Instant::now();
        let expired: Vec<Held> =
            self.lock().extract_if(|_, held| held.expires <= now).map(|(_, held)| held).collect();
        // Dropped without the lock: a large transaction takes its time.
        drop(expired);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
