//! `Syncs`: how much of the log is durable, and one sync at a time for all who wait for more.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::StoreError;
use super::index::LogPosition;

pub struct Syncs {
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    durable: LogPosition,
    is_running: bool,
}

impl Syncs {
    pub fn new(durable: LogPosition) -> Syncs {
        Syncs { state: Mutex::new(State { durable, is_running: false }), ended: Condvar::new() }
    }

    /// Returns how much of the log is durable; never waits for a sync.
    pub fn durable(&self) -> LogPosition {
        self.hold().durable
    }

    /// Notes that the log is durable up to `position`.
    pub fn reached(&self, position: LogPosition) {
        let mut state = self.hold();
        state.durable = state.durable.max(position);
        self.ended.notify_all();
    }

    /// Returns once the log is durable up to `target`.
    ///
    /// One of those who wait runs `sync`, which makes durable all that was appended when it began and
    /// calls [`Syncs::reached`]. Who comes while it runs is not in it, and waits for the next, which
    /// serves all who came.
    ///
    /// # Errors
    /// Those of `sync`, to the one who ran it; the next in line tries again.
    pub fn wait(
        &self,
        target: LogPosition,
        sync: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut state = self.hold();
        while state.durable < target && state.is_running {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.durable >= target {
            return Ok(());
        }
        state.is_running = true;
        drop(state);
        let _running = Running(self);
        sync()
    }

    fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next in line go on, however the sync ends.
struct Running<'a>(&'a Syncs);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.hold().is_running = false;
        self.0.ended.notify_all();
    }
}
