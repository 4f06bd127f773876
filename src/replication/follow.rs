//! `Follow`: syncs a replica again and again, on a thread of its own.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::Replica;

/// Longest wait for the peers' answers in one round.
const PATIENCE: Duration = Duration::from_secs(10);

/// Follows the peers until dropped; dropping waits for the round that is under way.
pub struct Follow {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follow {
    /// Syncs every so often, the first time after the first pause.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(replica: Replica, every: Duration) -> std::io::Result<Follow> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("reefloom-follow".to_owned()).spawn(move || {
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                match replica.sync(PATIENCE) {
                    Ok(report) => report.moved.iter().for_each(|moved| {
                        tracing::info!(branch = %moved.branch, to = %moved.to, "branch follows a peer");
                    }),
                    Err(error) => tracing::debug!(%error, "nobody to follow now"),
                }
            }
        })?;
        Ok(Follow { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to add to it here.
            let _ = thread.join();
        }
    }
}
