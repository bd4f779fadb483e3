//! Simulation of candidates and an etcd that may delete the election key at any time, with a
//! network that delays and loses messages, different clock rates and restarts.

use super::tenure::Tenure;
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};
use testkit::Random;

/// Duration of a run in true time, in milliseconds.
const END: u64 = 120_000;
/// Timeout of a request, in milliseconds.
const TIMEOUT: u64 = 1_000;
/// Interval between two checks of who holds the lease, in milliseconds.
const TICK: u64 = 20;

/// Identity of a candidate: its index, and its number of restarts.
type Id = (usize, u64);

/// Transactions, as in `messages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Read,
    Win,
    Renew { token: i64 },
    Resign { token: i64, is_clean: bool },
    Depose { token: i64, renewal: i64 },
}

/// Events in true time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A candidate begins a round.
    Round {
        candidate: usize,
    },
    /// A request arrives at etcd.
    Arrival {
        from: Id,
        request: Request,
        sent: u64,
    },
    /// A response arrives.
    Response {
        to: Id,
        request: Request,
        sent: u64,
        response: Response,
    },
    /// etcd deletes the election key: its lease has expired, or was revoked by a former leader.
    Expiry,
    /// A candidate resigns, e.g. because it is demoted.
    Resignation {
        candidate: usize,
    },
    /// A candidate restarts without its state.
    Restart {
        candidate: usize,
    },
    /// A former leader of etcd wrongly reports that a candidate's lease has ended.
    Loss {
        candidate: usize,
    },
    /// The candidate with the election key dies.
    Death,
    Tick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Response {
    succeeded: bool,
    revision: i64,
    leader: Option<(Id, i64)>,
    renewal: Option<i64>,
}

#[derive(Default)]
struct Candidate {
    tenure: Tenure,
    /// Rate of its clock, in thousandths of true time.
    rate: u64,
    restarts: u64,
    has_ended: bool,
}

impl Candidate {
    const fn clock(&self, now: u64) -> Duration {
        Duration::from_micros(now * self.rate)
    }

    fn holds(&self, now: u64) -> bool {
        let now = self.clock(now);
        self.tenure.period().is_some_and(|(from, until, _)| from <= now && now < until)
    }
}

#[derive(Debug, Default)]
struct Outcome {
    /// Maximum number of simultaneous holders.
    most_holders: usize,
    /// Number of changes of the holder.
    changes: usize,
    /// Longest time without a holder after the first one, in milliseconds.
    longest_gap: u64,
}

struct ElectionModel {
    random: Random,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    candidates: Vec<Candidate>,
    /// `false` without the wait before a takeover.
    waits: bool,
    /// `false` if all messages arrive soon.
    loses: bool,
    revision: i64,
    leader: Option<(Id, i64)>,
    renewal: Option<i64>,
}

impl ElectionModel {
    /// Creates a model in which clocks run at most `skew` thousandths faster or slower than true
    /// time.
    fn new(seed: u64, skew: u64, waits: bool) -> Self {
        let mut random = Random::new(seed);
        let count = 2 + random.index(3);
        let candidates = (0..count).map(|_| {
            let rate = 1_000 - skew + random.below(2 * skew + 1);
            Candidate { rate, ..Candidate::default() }
        });
        let candidates: Vec<_> = candidates.collect();
        let (events, revision, leader, renewal) = (BinaryHeap::new(), 1, None, None);
        let loses = true;
        let mut election =
            Self { random, events, candidates, waits, loses, revision, leader, renewal };
        for candidate in 0..election.candidates.len() {
            let at = election.random.below(1_000);
            election.at(at, Event::Round { candidate });
        }
        for _ in 0..election.random.below(16) {
            let at = election.random.below(END);
            election.at(at, Event::Expiry);
        }
        let kinds: [fn(usize) -> Event; 3] = [
            |candidate| Event::Resignation { candidate },
            |candidate| Event::Restart { candidate },
            |candidate| Event::Loss { candidate },
        ];
        for event in kinds {
            for _ in 0..election.random.below(6) {
                let (at, candidate) = (election.random.below(END), election.random.index(count));
                election.at(at, event(candidate));
            }
        }
        election.at(0, Event::Tick);
        election
    }

    fn at(&mut self, time: u64, event: Event) {
        self.events.push(Reverse((time, event)));
    }

    /// Sends a message, which may arrive after the sender's timeout, or be lost.
    fn send(&mut self, now: u64, event: Event) {
        if self.loses && self.random.one_in(10) {
            return;
        }
        let longest = if self.loses && self.random.one_in(5) { 4_000 } else { 50 };
        let delay = self.random.below(longest);
        self.at(now + delay, event);
    }

    fn request(&mut self, now: u64, candidate: usize, request: Request) {
        let from = (candidate, self.candidates[candidate].restarts);
        self.send(now, Event::Arrival { from, request, sent: now });
        // A request that is also sent to another member, because the first has not responded.
        if self.loses && self.random.one_in(20) {
            self.send(now, Event::Arrival { from, request, sent: now });
        }
    }

    fn run(mut self) -> Outcome {
        let (mut outcome, mut last, mut last_held) = (Outcome::default(), None, None);
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now > END {
                break;
            }
            self.happen(now, event);
            let all = 0..self.candidates.len();
            let holders: Vec<_> = all.filter(|at| self.candidates[*at].holds(now)).collect();
            outcome.most_holders = outcome.most_holders.max(holders.len());
            last_held = if holders.is_empty() { last_held } else { Some(now) };
            let gap = last_held.map_or(0, |last_held| now - last_held);
            outcome.longest_gap = outcome.longest_gap.max(gap);
            if let [holder] = holders[..]
                && last != Some(holder)
            {
                outcome.changes += 1;
                last = Some(holder);
            }
        }
        outcome
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Round { candidate } if self.candidates[candidate].has_ended => {}
            Event::Round { candidate } => {
                let token = self.candidates[candidate].tenure.token();
                let request = token.map_or(Request::Read, |token| Request::Renew { token });
                self.request(now, candidate, request);
                let pause = 500 + self.random.below(1_000);
                self.at(now + pause, Event::Round { candidate });
            }
            Event::Arrival { from, request, sent } => {
                let response = self.execute(from, request);
                self.send(now, Event::Response { to: from, request, sent, response });
            }
            Event::Response { to, request, sent, response } => {
                let candidate = &self.candidates[to.0];
                let is_same = candidate.restarts == to.1 && !candidate.has_ended;
                if is_same && now - sent <= TIMEOUT {
                    self.receive(now, to, request, sent, response);
                }
            }
            Event::Expiry => self.leader = None,
            Event::Resignation { candidate } => {
                let clock = self.candidates[candidate].clock(now);
                if let Some((token, is_clean)) = self.candidates[candidate].tenure.resign(clock) {
                    self.request(now, candidate, Request::Resign { token, is_clean });
                }
            }
            Event::Restart { candidate } => {
                let restarted = &mut self.candidates[candidate];
                (restarted.tenure, restarted.restarts) =
                    (Tenure::default(), restarted.restarts + 1);
            }
            Event::Loss { candidate } => {
                let tenure = &mut self.candidates[candidate].tenure;
                if let Some(token) = tenure.token() {
                    tenure.end(token);
                }
            }
            Event::Death => {
                if let Some(((candidate, _), _)) = self.leader {
                    self.candidates[candidate] =
                        Candidate { has_ended: true, ..Candidate::default() };
                }
            }
            Event::Tick => self.at(now + TICK, Event::Tick),
        }
    }

    /// Executes a transaction, as etcd does.
    fn execute(&mut self, from: Id, request: Request) -> Response {
        let has_token = |token| self.leader.is_some_and(|(_, created)| created == token);
        let mut response = Response {
            succeeded: match request {
                Request::Read => true,
                Request::Win => self.leader.is_none(),
                Request::Renew { token } | Request::Resign { token, .. } => has_token(token),
                Request::Depose { token, renewal } => {
                    has_token(token) && self.renewal == Some(renewal)
                }
            },
            revision: self.revision,
            leader: self.leader,
            renewal: self.renewal,
        };
        if response.succeeded && request != Request::Read {
            self.revision += 1;
            response.revision = self.revision;
            match request {
                Request::Read => {}
                Request::Win => {
                    self.leader = Some((from, self.revision));
                    self.renewal = Some(self.revision);
                }
                Request::Renew { .. } => {
                    self.renewal = Some(self.revision);
                    response.renewal = self.renewal;
                }
                Request::Depose { .. } => self.leader = None,
                Request::Resign { is_clean, .. } => {
                    self.leader = None;
                    self.renewal = self.renewal.filter(|_| !is_clean);
                }
            }
        }
        response
    }

    /// Processes a response, as the agent does.
    fn receive(&mut self, now: u64, own: Id, request: Request, sent: u64, response: Response) {
        let Response { succeeded, revision, leader, .. } = response;
        let renewal = response.renewal.filter(|_| self.waits);
        let candidate = &mut self.candidates[own.0];
        let (sent, clock) = (candidate.clock(sent), candidate.clock(now));
        let tenure = &mut candidate.tenure;
        match request {
            Request::Win if succeeded => tenure.win(sent, clock, revision, renewal),
            Request::Renew { token } if succeeded => {
                tenure.renew(sent, token);
                tenure.observe(clock, renewal);
            }
            Request::Renew { token } => {
                tenure.end(token);
                tenure.observe(clock, renewal);
            }
            Request::Read if tenure.token().is_none() => {
                tenure.observe(clock, renewal);
                match leader {
                    None => self.request(now, own.0, Request::Win),
                    Some((leader, token)) if leader == own && !tenure.adopt(clock, token) => {
                        self.request(now, own.0, Request::Resign { token, is_clean: false });
                    }
                    Some((leader, _)) if leader == own => {}
                    Some((_, token)) => {
                        if let Some(renewal) = tenure.overdue(clock) {
                            self.request(now, own.0, Request::Depose { token, renewal });
                        }
                    }
                }
            }
            Request::Win => tenure.observe(clock, renewal),
            Request::Read | Request::Resign { .. } | Request::Depose { .. } => {}
        }
    }
}

const RUNS: u64 = 2_000;

fn runs(skew: u64, waits: bool) -> impl Iterator<Item = Outcome> {
    (0..RUNS).map(move |seed| ElectionModel::new(seed, skew, waits).run())
}

/// Clocks deviate by at most 5%, so that their rates differ by less than the margin of 10%.
#[test]
fn two_candidates_never_hold_lease_at_once() {
    let mut changes = 0;
    for (seed, outcome) in runs(50, true).enumerate() {
        assert!(outcome.most_holders <= 1, "{seed}");
        changes += outcome.changes;
    }
    assert!(changes > 4_000, "{changes}");
}

/// The holder dies, but etcd does not delete its key.
#[test]
fn takeover_takes_at_most_ten_seconds() {
    for seed in 0..RUNS {
        let mut election = ElectionModel::new(seed, 50, true);
        election.loses = false;
        election
            .events
            .retain(|Reverse((_, event))| matches!(event, Event::Round { .. } | Event::Tick));
        let death = 20_000 + election.random.below(1_000);
        election.at(death, Event::Death);
        let Outcome { changes, longest_gap, .. } = election.run();
        assert!(changes == 2 && longest_gap <= 10_000, "{seed}: {changes}, {longest_gap} ms");
    }
}

/// The wait is necessary, because etcd may delete the key of a living holder.
#[test]
fn without_wait_two_candidates_hold_lease() {
    assert!(runs(0, false).any(|outcome| outcome.most_holders > 1));
}

/// The margin is necessary.
#[test]
fn clocks_a_third_apart_make_two_holders() {
    assert!(runs(200, true).any(|outcome| outcome.most_holders > 1));
}
