//! `Turns`: one piece of work at a time, and whoever is at work does that of the others as well.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever leads makes so many of the others' jobs before another leads: its own answer waits for them.
const OTHERS_MAX: usize = 63;
/// At most so much is told to somebody who waits: to lead, to help, and what came of the job.
const TOLD_MAX: usize = 3;

/// What is done with each job: they are made one by one, and finished several at once, in the order in which they
/// were made.
pub trait Work {
    type Job;
    type Made;
    type Done;

    fn make(&self, job: Self::Job) -> Self::Made;

    /// Returns whether nothing may be made while these are finished. All before them are.
    fn is_alone(&self, made: &[&Self::Made]) -> bool;

    /// Returns what came of each, in order.
    fn finish(&self, made: Vec<Self::Made>) -> Vec<Self::Done>;

    /// Is called with all of a round, the last one first, before anybody has theirs.
    fn settle(&self, done: &Self::Done);
}

/// A line that one leads at a time, in order of arrival.
///
/// Who comes while another leads hands over a job and sleeps until it is done. So many small jobs, each
/// of which must wait for the disk in the end, wait for it together, and cost each thread one sleep:
/// passing a lock from thread to thread costs more than the jobs themselves. While the leader makes the jobs of
/// those who wait, one of them finishes what is made. The next leads only when all is settled and told, since by
/// then most of those who were served stand in line again.
pub struct Turns<J, M, R> {
    line: Mutex<Line<J, M, R>>,
    /// Held by whoever finishes. It is taken before the line is held.
    finishing: Mutex<()>,
}

struct Line<J, M, R> {
    /// Whether somebody leads, or was told to. Where jobs wait, somebody does.
    is_led: bool,
    waiting: VecDeque<(J, Reply<R>)>,
    /// Whether somebody finishes for the leader, or was told to, or nobody may this round.
    is_helped: bool,
    made: VecDeque<(Outcome<M>, Reply<R>)>,
    done: Vec<(Outcome<R>, Reply<R>)>,
}

/// Where somebody listens.
type Reply<R> = SyncSender<Told<R>>;

enum Told<R> {
    Lead,
    Help,
    Done(Outcome<R>),
}

/// What a job came to, or what it panicked with.
type Outcome<R> = Result<R, Box<dyn Any + Send>>;

impl<J, M, R> Default for Turns<J, M, R> {
    fn default() -> Turns<J, M, R> {
        let (waiting, made) = (VecDeque::new(), VecDeque::new());
        let line = Line { is_led: false, waiting, is_helped: false, made, done: Vec::new() };
        Turns { line: Mutex::new(line), finishing: Mutex::default() }
    }
}

impl<J, M, R> Turns<J, M, R> {
    /// Returns what `work` makes of the job, on this thread or another.
    ///
    /// # Panics
    /// With what making the job panics with; the others' jobs go on. If finishing panics, all that were finished
    /// together do.
    pub fn take<W: Work<Job = J, Made = M, Done = R>>(&self, work: &W, job: J) -> R {
        let (reply, told) = sync_channel(TOLD_MAX);
        let is_led = {
            let mut line = self.hold();
            line.waiting.push_back((job, reply));
            std::mem::replace(&mut line.is_led, true)
        };
        if !is_led {
            self.lead(work);
        }
        loop {
            match told.recv().expect("what was finished with it did not panic") {
                Told::Lead => self.lead(work),
                Told::Help => while self.finish(work, false) {},
                Told::Done(outcome) => return outcome.unwrap_or_else(|panic| resume_unwind(panic)),
            }
        }
    }

    /// Sees to the jobs of all who wait, one's own first; tells them, and another to lead, if there is one.
    fn lead<W: Work<Job = J, Made = M, Done = R>>(&self, work: &W) {
        for others in 0..=OTHERS_MAX {
            let Some((job, reply)) = self.hold().waiting.pop_front() else { break };
            let outcome = catch_unwind(AssertUnwindSafe(|| work.make(job)));
            let mut line = self.hold();
            if others > 0 && !std::mem::replace(&mut line.is_helped, true) {
                tell(&reply, Told::Help);
            }
            line.made.push_back((outcome, reply));
        }
        self.finish(work, true);
        let done = std::mem::take(&mut self.hold().done);
        let settle = |done| catch_unwind(AssertUnwindSafe(|| work.settle(done)));
        done.iter().rev().flat_map(|(done, _)| done).for_each(|done| _ = settle(done));
        for (outcome, reply) in done {
            tell(&reply, Told::Done(outcome));
        }
        let mut line = self.hold();
        match line.waiting.front() {
            Some((_, next)) => tell(next, Told::Lead),
            None => line.is_led = false,
        }
    }

    /// Finishes what is made; returns whether there was something. The leader makes nothing meanwhile; whoever helps
    /// leaves to the leader what must be finished alone, and all that follows.
    fn finish<W: Work<Job = J, Made = M, Done = R>>(&self, work: &W, leads: bool) -> bool {
        let _finishing = self.finishing.lock().unwrap_or_else(PoisonError::into_inner);
        let all = {
            let mut line = self.hold();
            let made: Vec<&M> = line.made.iter().flat_map(|(made, _)| made).collect();
            if !leads && work.is_alone(&made) {
                return false;
            }
            if leads || line.made.is_empty() {
                line.is_helped = false;
            }
            std::mem::take(&mut line.made)
        };
        if all.is_empty() {
            return false;
        }
        let mut made = Vec::with_capacity(all.len());
        let replies = all.into_iter().map(|(job, reply)| (job.map(|job| made.push(job)), reply));
        let replies: Vec<(Outcome<()>, Reply<R>)> = replies.collect();
        // If it panics the replies are dropped, which tells.
        let Ok(done) = catch_unwind(AssertUnwindSafe(|| work.finish(made))) else { return true };
        let mut done = done.into_iter();
        let done = replies
            .into_iter()
            .map(|(made, reply)| (made.map(|()| done.next().expect("something comes of each job")), reply));
        self.hold().done.extend(done);
        true
    }

    fn hold(&self) -> MutexGuard<'_, Line<J, M, R>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever is told something listens, and never has to be waited for.
fn tell<R>(reply: &Reply<R>, told: Told<R>) {
    let _ = reply.try_send(told);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;

    /// Adds numbers up, each step alone.
    #[derive(Default)]
    struct Adding {
        is_made: AtomicBool,
        is_finished: AtomicBool,
        made: AtomicU64,
        settled: AtomicU64,
        finished: Mutex<Vec<u64>>,
    }

    /// Notes that nobody else is at a step.
    fn alone<T>(busy: &AtomicBool, step: impl FnOnce() -> T) -> T {
        assert!(!busy.swap(true, Ordering::SeqCst), "one at a time");
        thread::yield_now();
        let result = step();
        busy.store(false, Ordering::SeqCst);
        result
    }

    impl Work for Adding {
        type Job = u64;
        type Made = (u64, u64);
        type Done = u64;

        fn make(&self, job: u64) -> (u64, u64) {
            assert!(job == 0 || !job.is_multiple_of(700), "seven hundreds");
            alone(&self.is_made, || (self.made.fetch_add(1, Ordering::SeqCst), job))
        }

        fn is_alone(&self, made: &[&(u64, u64)]) -> bool {
            made.iter().any(|(_, job)| job.is_multiple_of(10))
        }

        fn finish(&self, round: Vec<(u64, u64)>) -> Vec<u64> {
            let is_alone = self.is_alone(&round.iter().collect::<Vec<_>>());
            let made = |round: &[(u64, u64)]| round.last().map(|(place, _)| place + 1);
            alone(&self.is_finished, || {
                self.finished.lock().unwrap().extend(round.iter().map(|(place, _)| *place));
                if is_alone {
                    thread::yield_now();
                    assert_eq!(
                        made(&round),
                        Some(self.made.load(Ordering::SeqCst)),
                        "nothing is made meanwhile"
                    );
                }
                round.into_iter().map(|(_, job)| job).collect()
            })
        }

        fn settle(&self, _: &u64) {
            self.settled.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn each_job_is_done_once_in_the_order_it_was_made_and_settled_before_its_answer() {
        let (turns, adding) = (Turns::default(), Adding::default());
        thread::scope(|scope| {
            for writer in 0..8 {
                let (turns, adding) = (&turns, &adding);
                scope.spawn(move || {
                    for n in 0..500 {
                        let before = adding.settled.load(Ordering::SeqCst);
                        let job = 1 + (writer * 500 + n) % 699;
                        assert_eq!(turns.take(adding, job), job);
                        assert!(adding.settled.load(Ordering::SeqCst) > before);
                    }
                });
            }
        });
        assert_eq!(adding.settled.into_inner(), 4000);
        assert_eq!(adding.finished.into_inner().unwrap(), (0..4000).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_reaches_only_whose_job_it_was() {
        let (turns, adding) = (Turns::default(), Adding::default());
        thread::scope(|scope| {
            for writer in 0..6 {
                let (turns, adding) = (&turns, &adding);
                scope.spawn(move || {
                    for n in 1..=100 {
                        let job = (writer * 100 + n) * 100;
                        let outcome = catch_unwind(AssertUnwindSafe(|| turns.take(adding, job)));
                        assert_eq!(outcome.ok(), (!job.is_multiple_of(700)).then_some(job));
                    }
                });
            }
        });
    }
}
