//! `Turns`: one piece of work at a time, and whoever is at work does that of the others as well.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever leads does so much of the others' work before another leads: its own answer waits for it.
const OTHERS_MAX: usize = 63;

/// A line before a door that one passes at a time, in order of arrival.
///
/// Who comes while another leads hands over a job and sleeps until it is done. So many small jobs, each
/// of which must wait for the disk in the end, wait for it together, and cost each thread one sleep:
/// passing a lock from thread to thread costs more than the jobs themselves. The next leads only when
/// all is settled and told, since by then most of those who were served stand in line again.
pub struct Turns<J, R> {
    line: Mutex<Line<J, R>>,
}

struct Line<J, R> {
    is_led: bool,
    waiting: VecDeque<Waiting<J, R>>,
}

struct Waiting<J, R> {
    job: J,
    reply: SyncSender<Told<J, R>>,
}

/// What somebody who waits is told.
enum Told<J, R> {
    /// Lead, with the job that was handed over.
    Lead(J),
    Done(Outcome<R>),
}

/// What a job came to, or what it panicked with.
type Outcome<R> = Result<R, Box<dyn Any + Send>>;

impl<J, R> Default for Turns<J, R> {
    fn default() -> Turns<J, R> {
        Turns { line: Mutex::new(Line { is_led: false, waiting: VecDeque::new() }) }
    }
}

impl<J, R> Turns<J, R> {
    /// Returns what `work` makes of the job, on this thread or another. `settle` is called with each
    /// result of a round, last one first, before anybody has theirs.
    ///
    /// # Panics
    /// With what `work` panics with; the others' jobs go on.
    pub fn take(&self, job: J, work: impl Fn(J) -> R, settle: impl Fn(&R)) -> R {
        let job = match self.enter(job) {
            Ok(job) => job,
            Err(told) => match told.recv().expect("whoever leads replies to all whose jobs they took") {
                Told::Lead(job) => job,
                Told::Done(outcome) => return outcome.unwrap_or_else(|panic| resume_unwind(panic)),
            },
        };
        let leading = Leading(self);
        let work = |job| catch_unwind(AssertUnwindSafe(|| work(job)));
        let own = work(job);
        let mut others = Vec::new();
        while others.len() < OTHERS_MAX
            && let Some(next) = self.hold().waiting.pop_front()
        {
            others.push((next.reply, work(next.job)));
        }
        let outcomes = others.iter().rev().map(|(_, outcome)| outcome).chain([&own]);
        outcomes.flatten().for_each(settle);
        for (reply, outcome) in others {
            // A receiver waits for it without fail.
            let _ = reply.send(Told::Done(outcome));
        }
        drop(leading);
        own.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Returns the job to whoever may lead; who has to wait gets where to listen.
    fn enter(&self, job: J) -> Result<J, Receiver<Told<J, R>>> {
        let mut line = self.hold();
        if !line.is_led {
            line.is_led = true;
            return Ok(job);
        }
        let (reply, told) = sync_channel(1);
        line.waiting.push_back(Waiting { job, reply });
        Err(told)
    }

    fn hold(&self) -> MutexGuard<'_, Line<J, R>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next in line lead, however this turn ends.
struct Leading<'a, J, R>(&'a Turns<J, R>);

impl<J, R> Drop for Leading<'_, J, R> {
    fn drop(&mut self) {
        let mut line = self.0.hold();
        match line.waiting.pop_front() {
            Some(next) => drop(next.reply.send(Told::Lead(next.job))),
            None => line.is_led = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    #[test]
    fn each_job_is_done_once_alone_and_settled_before_its_answer() {
        let turns = Turns::default();
        let (is_busy, settled, sum) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let work = |job: u64| {
            assert!(!is_busy.swap(true, Ordering::SeqCst), "one at a time");
            sum.fetch_add(job, Ordering::SeqCst);
            thread::yield_now();
            is_busy.store(false, Ordering::SeqCst);
            job
        };
        thread::scope(|scope| {
            for writer in 0..8 {
                let (turns, settled) = (&turns, &settled);
                scope.spawn(move || {
                    for n in 0..500 {
                        let before = settled.load(Ordering::SeqCst);
                        let settle = |_: &u64| _ = settled.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(turns.take(writer * 500 + n, work, settle), writer * 500 + n);
                        assert!(settled.load(Ordering::SeqCst) > before);
                    }
                });
            }
        });
        assert_eq!((sum.into_inner(), settled.into_inner()), ((0..4000).sum(), 4000));
    }

    #[test]
    fn a_panic_reaches_only_whose_job_it_was() {
        let turns = Turns::default();
        let work = |job: u64| {
            thread::yield_now();
            assert!(!job.is_multiple_of(7), "seven");
            job
        };
        thread::scope(|scope| {
            for writer in 0..6 {
                let turns = &turns;
                scope.spawn(move || {
                    for n in 0..100 {
                        let job = writer * 100 + n;
                        let outcome = catch_unwind(AssertUnwindSafe(|| turns.take(job, work, |_| ())));
                        assert_eq!(outcome.ok(), (!job.is_multiple_of(7)).then_some(job));
                    }
                });
            }
        });
    }
}
