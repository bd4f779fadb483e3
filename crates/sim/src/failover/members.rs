//! Faults of etcd's members, of their disks, and of the links to and between them.

use eyre::{Result, ensure};
use std::{collections::BTreeSet, time::Duration};
use testkit::{Cable, Etcd, Random};

const WHAT: &str = "failover of preconfirmations";
const MEMBERS: usize = 3;
/// Prefix of a record's key, `enshrine/record`, in base64: only requests about records contain it.
const RECORD: &[u8] = b"ZW5zaHJpbmUvcmVjb3Jk";
/// Maximum duration of an `fsync` on a slow disk, in milliseconds. Above 500 ms, etcd confirms no
/// record before the node's timeout.
const SLOWEST: u64 = 600;
/// Maximum time until a prefix that was signed before a fault is observed, in milliseconds.
const SEEN_WITHIN: u64 = 2_000;
/// Links between members that are cut while two members still reach each other: those of one
/// member, or a single link, whose ends are then connected only through the third member.
const PARTITIONS: [&[(usize, usize)]; 6] =
    [&[(0, 1), (0, 2)], &[(1, 0), (1, 2)], &[(2, 0), (2, 1)], &[(0, 1)], &[(1, 2)], &[(2, 0)]];

/// All faults, in the order in which a run repeats them.
pub(super) const FAULTS: [Fault; 10] = [
    Fault::MemberKilled,
    Fault::LeaderKilled,
    Fault::MajorityKilled,
    Fault::LeaderSuspended,
    Fault::MajoritySuspended,
    Fault::MembersParted,
    Fault::MembersIsolated,
    Fault::NodeCutOff,
    Fault::SlowDisks,
    Fault::ResponsesLost,
];

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A member is killed (SIGKILL), and is later restarted with its data.
    MemberKilled,
    /// etcd's leader is killed and later restarted.
    LeaderKilled,
    /// Two of three members are killed and later restarted.
    MajorityKilled,
    /// etcd's leader is suspended (SIGSTOP).
    LeaderSuspended,
    /// Two of three members are suspended.
    MajoritySuspended,
    /// Some links between members are cut.
    MembersParted,
    /// All links between members are cut.
    MembersIsolated,
    /// The links of the leading node to some or all members are cut, or delay all bytes.
    NodeCutOff,
    /// Each `fsync` of one to three members takes longer.
    SlowDisks,
    /// The leading node receives no responses, beginning with that to a record, which etcd stores.
    /// The node may then be cut off, so that the other node takes over.
    ResponsesLost,
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MemberKilled => "a member killed",
            Self::LeaderKilled => "etcd's leader killed",
            Self::MajorityKilled => "two members killed",
            Self::LeaderSuspended => "etcd's leader suspended",
            Self::MajoritySuspended => "two members suspended",
            Self::MembersParted => "some members parted",
            Self::MembersIsolated => "all members parted",
            Self::NodeCutOff => "the leading node cut off",
            Self::SlowDisks => "slow disks",
            Self::ResponsesLost => "responses lost",
        }
    }

    /// Returns `true` if etcd can commit nothing.
    pub(super) const fn is_without_majority(self) -> bool {
        matches!(self, Self::MajorityKilled | Self::MajoritySuspended | Self::MembersIsolated)
    }

    /// Decides whether the leading node is killed at the same time.
    pub(super) const fn is_with_kill(self, random: &mut Random) -> bool {
        !matches!(self, Self::NodeCutOff | Self::ResponsesLost) && random.one_in(3)
    }

    /// Returns the time until signing must have stopped, or until the fault gets worse.
    pub(super) const fn first_part(self, random: &mut Random) -> Duration {
        Duration::from_millis(match self {
            Self::ResponsesLost => 1 + random.below(SEEN_WITHIN),
            _ => SEEN_WITHIN,
        })
    }
}

/// Members of etcd, with a link from each node to each of them.
#[derive(Debug)]
pub(super) struct Cluster {
    etcd: Etcd,
    links: [Vec<Cable>; 2],
    /// Members that have to be started again.
    changed: BTreeSet<usize>,
}

impl Cluster {
    /// Returns `None` if etcd or strace is not installed.
    pub(super) fn start() -> Result<Option<Self>> {
        let Some(mut etcd) = Etcd::start(MEMBERS, WHAT)? else { return Ok(None) };
        if !etcd.slow_disk(0, Duration::ZERO, WHAT) {
            return Ok(None);
        }
        let links = || etcd.ports().into_iter().map(Cable::to).collect::<Result<Vec<_>, _>>();
        let links = [links()?, links()?];
        Ok(Some(Self { etcd, links, changed: BTreeSet::new() }))
    }

    /// Returns the URLs of all members as a node reaches them.
    pub(super) fn endpoints(&self, node: usize) -> String {
        let urls = self.links[node].iter().map(|link| format!("http://127.0.0.1:{}", link.port()));
        urls.collect::<Vec<_>>().join(",")
    }

    /// Begins a fault while a node leads.
    pub(super) fn begin(&mut self, fault: Fault, node: usize, random: &mut Random) -> Result<()> {
        let any = random.index(MEMBERS);
        let leader = self.etcd.leader().unwrap_or(any);
        let others = [(any + 1) % MEMBERS, (any + 2) % MEMBERS];
        match fault {
            Fault::MemberKilled => self.kill(any),
            Fault::LeaderKilled => self.kill(leader),
            Fault::MajorityKilled => others.into_iter().for_each(|member| self.kill(member)),
            Fault::LeaderSuspended => self.etcd.pause(leader)?,
            Fault::MajoritySuspended => {
                for member in others {
                    self.etcd.pause(member)?;
                }
            }
            Fault::MembersParted => self.etcd.cut(PARTITIONS[random.index(PARTITIONS.len())]),
            Fault::MembersIsolated => self.etcd.cut(&[(0, 1), (1, 2), (2, 0)]),
            Fault::NodeCutOff => {
                let break_link = *random.pick(&[Cable::cut, Cable::silence]);
                let count = 1 + random.index(MEMBERS);
                self.links[node].iter().cycle().skip(any).take(count).for_each(break_link);
            }
            Fault::SlowDisks => {
                let delay = Duration::from_millis(1 + random.below(SLOWEST));
                let count = 1 + random.index(MEMBERS);
                for member in (any..any + count).map(|index| index % MEMBERS) {
                    ensure!(self.etcd.slow_disk(member, delay, WHAT), "strace is not installed");
                    self.kill(member);
                    self.etcd.restart(member)?;
                }
            }
            Fault::ResponsesLost => {
                self.links[node].iter().for_each(|link| link.withhold_responses_from(RECORD));
            }
        }
        Ok(())
    }

    /// Worsens a fault: a node without responses is cut off, or receives them late.
    pub(super) fn worsen(&self, fault: Fault, node: usize, random: &mut Random) {
        if fault == Fault::ResponsesLost {
            let next = *random.pick(&[Cable::cut, Cable::mend]);
            self.links[node].iter().for_each(next);
        }
    }

    /// Ends all faults, and waits until etcd is healthy.
    pub(super) fn repair(&mut self) -> Result<()> {
        self.links.iter().flatten().for_each(Cable::mend);
        self.etcd.cut(&[]);
        for member in 0..MEMBERS {
            self.etcd.resume(member)?;
        }
        for member in std::mem::take(&mut self.changed) {
            self.etcd.slow_disk(member, Duration::ZERO, WHAT);
            self.etcd.kill(member);
            self.etcd.restart(member)?;
        }
        Ok(self.etcd.until_healthy()?)
    }

    fn kill(&mut self, member: usize) {
        self.etcd.kill(member);
        self.changed.insert(member);
    }
}
