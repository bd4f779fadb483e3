//! Injection of faults.

use super::{
    Soak,
    plan::{AffectedNodes, DEEPEST, Fault, LinkFault},
};
use alloy_primitives::{B256, Bytes};
use eyre::{Result, WrapErr as _, ensure};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::Duration,
};
use testkit::localnet::requests::{block_hash, block_time, number, status};
use testkit::{Interception, NodeProcess, Proxy, Random};

/// A block that a node has shown.
type ReportedBlock = (u64, B256);

/// Saves L1's state to a file if the fault kills L1, which is restarted from it.
pub(super) fn save_l1(soak: &Soak, fault: Fault) -> Result<()> {
    if matches!(fault, Fault::KillL1(_)) {
        let state: Bytes = soak.rollup.l1.client().request("anvil_dumpState", ())?;
        fs::write(soak.l1_file(), &state)?;
    }
    Ok(())
}

impl Soak {
    /// Injects a fault and ends it.
    pub(super) fn suffer(&mut self, fault: Fault, seed: u64) -> Result<()> {
        self.faults += u64::from(fault != Fault::Nothing);
        match fault {
            Fault::Nothing => {}
            Fault::Kill { who, times, after } => self.kill(who, times, after)?,
            Fault::KillL1(milliseconds) => self.kill_l1(Duration::from_millis(milliseconds))?,
            Fault::Pause { who, milliseconds } => {
                let nodes =
                    [(who.has_sequencer(), &self.sequencer), (who.has_follower(), &self.follower)];
                let nodes: Vec<_> = nodes.into_iter().filter(|(is, _)| *is).collect();
                for (_, node) in &nodes {
                    node.pause()?;
                }
                sleep(Duration::from_millis(milliseconds));
                for (_, node) in &nodes {
                    node.resume()?;
                }
            }
            Fault::PauseL1(milliseconds) => {
                self.rollup.l1.pause()?;
                sleep(Duration::from_millis(milliseconds));
                self.rollup.l1.resume()?;
            }
            Fault::L1 { fault, milliseconds } => {
                break_link(self.rollup.proxy()?, fault, seed);
                sleep(Duration::from_millis(milliseconds));
                self.rollup.proxy()?.honest();
            }
            Fault::Reorganise(depth) => {
                let l1 = self.rollup.l1.client();
                // The L1 node has no states from before its last start.
                let depth = depth.min(number(l1)?.saturating_sub(self.l1_since));
                if depth > 0 {
                    l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
                    self.reorganisations += 1;
                }
            }
            Fault::DiskFull { who, room, milliseconds } => {
                self.fill_disk(who, room, Duration::from_millis(milliseconds))?;
            }
            Fault::ChangeRoles(milliseconds) => {
                self.rollup.change_role(true)?;
                sleep(Duration::from_millis(milliseconds));
                self.rollup.change_role(false)?;
                self.role_changes += 2;
            }
            Fault::Jump(seconds) => {
                let l1 = self.rollup.l1.client();
                l1.request::<_, Value>("evm_increaseTime", (seconds,))?;
                self.bury()?;
            }
            Fault::Fork { before, milliseconds } => {
                let now = block_time(self.rollup.l1.client())?;
                let next = self.rollup.forks.iter().find(|(_, time)| *time > now);
                if let Some(&(_, time)) = next {
                    self.jump_to(now.max(time.saturating_sub(before)))?;
                    sleep(Duration::from_millis(milliseconds));
                    self.jump_to(time)?;
                }
            }
        }
        Ok(())
    }

    /// Advances L1's time to this timestamp, unless its head is later.
    fn jump_to(&self, time: u64) -> Result<()> {
        let l1 = self.rollup.l1.client();
        if block_time(l1)? < time {
            l1.request::<_, Value>("evm_setNextBlockTimestamp", (time,))?;
        }
        self.bury()
    }

    /// Mines more L1 blocks than any reorg replaces, so that the time does not go back.
    fn bury(&self) -> Result<()> {
        self.rollup.l1.client().request::<_, Value>("anvil_mine", (DEEPEST + 1,))?;
        Ok(())
    }

    /// Kills L2 nodes, and checks that they still have the blocks that they have shown.
    fn kill(&mut self, who: AffectedNodes, times: u64, after: u64) -> Result<()> {
        for time in 1..=times {
            let shown = self.shown(who);
            let is_last = time == times;
            if who.has_sequencer() {
                self.sequencer.kill();
                self.kills += 1;
            }
            if who.has_follower() {
                self.follower.kill();
                self.kills += 1;
            }
            if who.has_sequencer() {
                self.sequencer = self.rollup.spawn_sequencer()?;
            }
            if who.has_follower() {
                self.follower = self.rollup.spawn_kept_follower()?;
            }
            if is_last {
                self.until_ready(who)?;
                self.still_there(&shown)?;
            } else {
                sleep(Duration::from_millis(after));
            }
        }
        Ok(())
    }

    fn until_ready(&mut self, who: AffectedNodes) -> Result<()> {
        if who.has_sequencer() {
            let ready = self.sequencer.until_ready();
            ready.wrap_err_with(|| self.rollup.last_words("sequencer.log"))?;
        }
        if who.has_follower() {
            let ready = self.follower.until_ready();
            ready.wrap_err_with(|| self.rollup.last_words("follower.log"))?;
        }
        Ok(())
    }

    /// Returns the newest blocks of these nodes if they respond: the unsafe head of the sequencer,
    /// and the safe head of the follower.
    fn shown(&self, who: AffectedNodes) -> Vec<(AffectedNodes, ReportedBlock)> {
        let head = |who, node: &NodeProcess| {
            let status = status(node.client()).ok()?;
            let heads = (status.unsafe_head.number, status.safe_head.number);
            let number = if who == AffectedNodes::Sequencer { heads.0 } else { heads.1 };
            Some((who, (number, block_hash(node.client(), number).ok()?)))
        };
        let mut shown = Vec::new();
        if who.has_sequencer() {
            shown.extend(head(AffectedNodes::Sequencer, &self.sequencer));
        }
        if who.has_follower() {
            shown.extend(head(AffectedNodes::Follower, &self.follower));
        }
        shown
    }

    fn still_there(&self, shown: &[(AffectedNodes, ReportedBlock)]) -> Result<()> {
        for (who, (number, hash)) in shown {
            let node =
                if *who == AffectedNodes::Sequencer { &self.sequencer } else { &self.follower };
            let now = block_hash(node.client(), *number)?;
            ensure!(now == *hash, "{who:?} has shown block {number} as {hash}, and now has {now}");
        }
        Ok(())
    }

    fn kill_l1(&mut self, down: Duration) -> Result<()> {
        let before = number(self.rollup.l1.client())?;
        let file = self.l1_file();
        self.kills += 1;
        // L1 loses blocks, and others replace them.
        self.reorganisations += 1;
        self.rollup.revive_l1(&file, down)?;
        let l1 = self.rollup.l1.client();
        self.l1_since = number(l1)?;
        // Mines past the old head, because a node that sees only an older head cannot detect the
        // reorg.
        let missing = before.saturating_sub(self.l1_since) + 1;
        l1.request::<_, Value>("anvil_mine", (missing,))?;
        Ok(())
    }

    /// Limits the disk space of L2 nodes for a while, and then restarts them without a limit.
    fn fill_disk(&mut self, who: AffectedNodes, room: u64, lasts: Duration) -> Result<()> {
        let shown = self.shown(who);
        let place = self.rollup.place();
        for (is, node, folder) in [
            (who.has_sequencer(), &self.sequencer, place.join("data")),
            (who.has_follower(), &self.follower, place.join("follower")),
        ] {
            if is {
                node.limit_files(newest_log(&folder.join("blocks"))? + room)?;
            }
        }
        sleep(lasts);
        let meanwhile = self.shown(who);
        self.kill(who, 1, 0)?;
        self.still_there(&shown)?;
        self.still_there(&meanwhile)
    }
}

/// Returns the length of the newest file of a block log, in bytes.
fn newest_log(folder: &Path) -> Result<u64> {
    let mut files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let last = files.last().map(fs::DirEntry::metadata).transpose()?;
    Ok(last.map_or(0, |last| last.len()))
}

fn break_link(proxy: &Proxy, fault: LinkFault, seed: u64) {
    match fault {
        LinkFault::Gone => proxy.intercept(|_| Some(Interception::Break)),
        LinkFault::Silent => proxy.intercept(|_| Some(Interception::Silence)),
        LinkFault::Limited => {
            let random = Mutex::new(Random::new(seed));
            proxy.intercept(move |_| {
                let mut random = lock(&random);
                (random.below(3) > 0).then_some(Interception::Refused(429))
            });
        }
        LinkFault::Lying => {
            let random = Mutex::new(Random::new(seed));
            proxy.set(move |_, answer| {
                let mut random = lock(&random);
                Some(if random.below(3) == 0 { lie(answer, &mut random) } else { answer })
            });
        }
        LinkFault::Old => {
            let known = Mutex::new(None);
            proxy.set(move |request, answer| {
                let asks = request.contains("eth_getBlockByNumber") && request.contains("latest");
                if !asks || request.starts_with('[') {
                    return Some(answer);
                }
                let mut known = lock(&known);
                let old = known.get_or_insert_with(|| result_of(&answer));
                Some(with_result(&answer, old))
            });
        }
    }
}

/// Locks a mutex. The guarded values stay consistent if another thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn result_of(answer: &str) -> Value {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer["result"].clone()
}

fn with_result(answer: &str, result: &Value) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer["result"] = result.clone();
    answer.to_string()
}

/// Changes one hex digit in the result of a response, if there is one.
fn lie(answer: String, random: &mut Random) -> String {
    let mut bytes = answer.clone().into_bytes();
    let begin = answer.find("\"result\"").map_or(bytes.len(), |at| at + 8);
    let mut digits = Vec::new();
    let mut within = false;
    for at in begin..bytes.len() {
        within = match bytes[at] {
            b'x' => at > begin && bytes[at - 1] == b'0',
            byte => within && byte.is_ascii_hexdigit(),
        };
        if within && bytes[at] != b'x' {
            digits.push(at);
        }
    }
    if digits.is_empty() {
        return answer;
    }
    let at = digits[random.below(digits.len() as u64) as usize];
    bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
    String::from_utf8(bytes).unwrap_or(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lie_changes_one_digit_and_stays_json() {
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"hash":"0xabcd","n":"0x7"}}"#.to_owned();
        let mut random = Random::new(1);
        for _ in 0..50 {
            let lied = lie(answer.clone(), &mut random);
            let differ = lied.bytes().zip(answer.bytes()).filter(|(one, two)| one != two).count();
            assert_eq!((differ, lied.len()), (1, answer.len()), "{lied}");
            let value: Value = serde_json::from_str(&lied).unwrap();
            assert_eq!((&value["id"], &value["jsonrpc"]), (&1.into(), &"2.0".into()));
            assert!(value["result"]["hash"].as_str().unwrap().starts_with("0x"));
        }
    }

    #[test]
    fn lie_without_digits_changes_nothing() {
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":null}"#.to_owned();
        assert_eq!(lie(answer.clone(), &mut Random::new(1)), answer);
    }
}
