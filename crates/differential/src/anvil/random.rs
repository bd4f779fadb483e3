//! Random sequences, determined by a seed.

use crate::anvil::{Step, script::Action};
use serde_json::{Value, json};

/// A small portable pseudorandom generator (xorshift64*).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 11) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

/// An endless random sequence over a fresh node.
#[derive(Debug, Clone)]
pub struct Walk {
    dice: Dice,
    line: usize,
    /// Names of the snapshots that can be restored, oldest first.
    snapshots: Vec<String>,
    /// Number of snapshots taken so far.
    taken: u64,
    transactions: u64,
    /// The latest transaction that does not depend on an earlier pending one.
    ready: u64,
    automine: bool,
    time: u64,
    /// `true` if blocks have a base fee; otherwise each transaction has a gas price.
    has_base_fee: bool,
    queue: Vec<Step>,
}

impl Walk {
    /// Timestamp of the genesis that the walk expects.
    pub const GENESIS: u64 = 1_700_000_000;

    /// Creates the walk with this seed.
    pub fn new(seed: u64) -> Self {
        Self::begin(seed, "$Probe", true)
    }

    /// Forks before the merge under which walks run, and whether they have a base fee.
    pub const EARLY: [(&str, bool); 2] = [("london", true), ("berlin", false)];

    /// Creates the walk with this seed for a fork before the merge.
    pub fn early(seed: u64, has_base_fee: bool) -> Self {
        Self::begin(seed, "$ProbeIstanbul", has_base_fee)
    }

    fn begin(seed: u64, probe: &str, has_base_fee: bool) -> Self {
        let mut walk = Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            line: 0,
            snapshots: Vec::new(),
            taken: 0,
            transactions: 0,
            ready: 1,
            automine: true,
            time: Self::GENESIS,
            has_base_fee,
            queue: Vec::new(),
        };
        // The timestamps of the chain must not depend on the clock of the machine.
        walk.call("anvil_setBlockTimestampInterval", json!([1]));
        let price = if has_base_fee { Value::Null } else { json!("0x77359400") };
        let probe = json!([{ "from": "$a0", "data": probe, "gasPrice": price }]);
        walk.bind("probe", "eth_sendTransaction", probe);
        walk.bind("made", "eth_getTransactionReceipt", json!(["$probe"]));
        walk.queue.reverse();
        walk
    }

    /// Returns the arguments with which both nodes are started.
    pub fn arguments() -> Vec<String> {
        vec!["--timestamp".to_owned(), Self::GENESIS.to_string()]
    }

    fn push(&mut self, bind: Option<String>, action: Action) {
        self.line += 1;
        self.queue.push(Step { line: self.line, bind, action });
    }

    fn call(&mut self, method: &str, params: Value) {
        self.push(None, Action::Call { method: method.to_owned(), params });
    }

    fn bind(&mut self, name: &str, method: &str, params: Value) {
        let action = Action::Call { method: method.to_owned(), params };
        self.push(Some(name.to_owned()), action);
    }

    fn account(&mut self) -> String {
        format!("$a{}", self.dice.below(10))
    }

    fn compute(&mut self, word: &str, argument: Value) -> &'static str {
        let action = Action::Compute { word: word.to_owned(), argument };
        self.push(Some("data".to_owned()), action);
        "$data"
    }

    /// Makes a change and reads its effects.
    fn change(&mut self) {
        match self.dice.below(100) {
            0..30 => self.transfer(),
            30..48 => self.probe(),
            48..60 => self.mine(),
            60..67 => self.snapshot(),
            67..71 => self.revert(),
            71..78 => self.travel(),
            78..84 => self.impersonate(),
            84..92 => self.cheat(),
            92..94 => {
                self.automine = !self.automine;
                let on = self.automine;
                self.call("evm_setAutomine", json!([on]));
                if on {
                    self.call("evm_mine", json!([]));
                    // anvil may or may not mine an empty block when a transaction unlocks another.
                    self.call("anvil_dropAllTransactions", json!([]));
                }
            }
            _ => self.pool(),
        }
        for _ in 0..=self.dice.below(2) {
            self.look();
        }
    }

    fn send(&mut self, mut transaction: Value) {
        if !self.automine {
            // Pending transactions of one sender have the same fees: anvil would try one with a
            // higher fee before its predecessor by nonce, and drop it. A script shows this.
            let from = transaction["from"].as_str().unwrap_or_default();
            let place = u64::from(from.bytes().last().unwrap_or_default() % 7);
            let price = json!(format!("{:#x}", 2_000_000_000 + place * 77_000_000));
            if place % 2 == 0 {
                transaction["gasPrice"] = price;
            } else {
                transaction["maxFeePerGas"] = price;
                transaction["maxPriorityFeePerGas"] = json!(format!("{:#x}", place * 100_000_000));
            }
        }
        if let Some(fields) = transaction.as_object_mut().filter(|_| !self.has_base_fee) {
            fields.remove("maxPriorityFeePerGas");
            let fee = fields.remove("maxFeePerGas").unwrap_or_else(|| json!("0x77359400"));
            fields.entry("gasPrice").or_insert(fee);
        }
        self.transactions += 1;
        if transaction.get("nonce").is_none() {
            self.ready = self.transactions;
        }
        let name = format!("t{}", self.transactions);
        self.bind(&name, "eth_sendTransaction", json!([transaction]));
    }

    fn transfer(&mut self) {
        let (from, to) = (self.account(), self.account());
        let value = format!("{:#x}", self.dice.below(1 << 40));
        let mut transaction = json!({ "from": from, "to": to, "value": value });
        match self.dice.below(6) {
            0 if self.automine => {
                transaction["gasPrice"] =
                    json!(format!("{:#x}", 2_000_000_000 + self.dice.below(1 << 30)));
            }
            1 if self.automine => {
                transaction["maxFeePerGas"] = json!("0x77359400");
                transaction["maxPriorityFeePerGas"] =
                    json!(format!("{:#x}", self.dice.below(1_000_000_000)));
            }
            2 => transaction["gas"] = json!(format!("{:#x}", 20_990 + self.dice.below(20) * 1000)),
            3 if !self.automine => {
                transaction["nonce"] = json!(format!("{:#x}", self.dice.below(12)));
            }
            _ => {}
        }
        self.send(transaction);
    }

    fn probe(&mut self) {
        const REFUSED: u64 = 7;
        let which = self.dice.below(9);
        let argument = match which {
            0..3 => json!(["set(uint256)", self.dice.below(1000)]),
            3 => json!(["many(uint256)", self.dice.below(5)]),
            4 => json!(["burn(uint256)", self.dice.below(20)]),
            5 => json!(["nest(uint256)", self.dice.below(6)]),
            6 => json!(["spawn()"]),
            REFUSED => json!(["refuseCustom(uint256)", self.dice.below(9)]),
            _ => json!(["destroyChild()"]),
        };
        let data = self.compute("call", argument);
        let from = self.account();
        let mut transaction = json!({ "from": from, "to": "$made/contractAddress", "data": data });
        // A failing call has no estimate and is sent with the maximum gas, which differs between
        // the nodes. A script shows this.
        let may_fail = which >= REFUSED;
        if may_fail || self.dice.below(3) > 0 {
            transaction["gas"] = json!("0x100000");
        }
        self.send(transaction);
    }

    fn mine(&mut self) {
        match self.dice.below(3) {
            0 => self.call("evm_mine", json!([])),
            1 => {
                let count = format!("{:#x}", 1 + self.dice.below(4));
                self.call("anvil_mine", json!([count]));
            }
            _ => {
                let (count, gap) = (1 + self.dice.below(3), 1 + self.dice.below(100));
                self.call("anvil_mine", json!([format!("{count:#x}"), format!("{gap:#x}")]));
            }
        }
    }

    fn snapshot(&mut self) {
        self.taken += 1;
        let name = format!("s{}", self.taken);
        self.bind(&name, "evm_snapshot", json!([]));
        self.snapshots.push(name);
    }

    fn revert(&mut self) {
        // Mostly the latest snapshot. One on an abandoned chain would break anvil; a script shows
        // this.
        let which = match self.dice.below(4) {
            0 => self.dice.below(self.snapshots.len().max(1) as u64),
            _ => self.snapshots.len().saturating_sub(1) as u64,
        };
        let reverted = self
            .snapshots
            .split_off(usize::try_from(which).unwrap_or_default().min(self.snapshots.len()));
        let Some(name) = reverted.first() else {
            self.call("evm_revert", json!(["0x1000"]));
            return;
        };
        self.call("evm_revert", json!([format!("${name}")]));
        if self.dice.below(4) == 0 {
            self.call("evm_revert", json!([format!("${name}")]));
        }
        // anvil would use the base fee of the abandoned chain for the next block; a script shows
        // this.
        self.call("anvil_setNextBlockBaseFeePerGas", json!(["0x3b9aca00"]));
        // anvil's pool also uses the nonces of the abandoned chain.
        self.call("anvil_dropAllTransactions", json!([]));
    }

    fn travel(&mut self) {
        self.time += 1000 + self.dice.below(100_000);
        let time = self.time;
        match self.dice.below(6) {
            0..3 => self.call("evm_setNextBlockTimestamp", json!([time])),
            // Blocks have a fixed interval, so the clock does not affect their timestamps.
            3 => {
                let seconds = 1 + self.dice.below(1000);
                self.call("evm_increaseTime", json!([seconds]));
            }
            4 => self.call("evm_setTime", json!([time])),
            _ => {
                self.call("evm_setNextBlockTimestamp", json!([Self::GENESIS]));
                self.call("evm_setNextBlockTimestamp", json!([time]));
            }
        }
    }

    fn impersonate(&mut self) {
        let stranger = format!("0x{:040x}", 0xabc0 + self.dice.below(4));
        match self.dice.below(4) {
            0 => self.call("anvil_impersonateAccount", json!([stranger])),
            1 => self.call("anvil_stopImpersonatingAccount", json!([stranger])),
            2 => self.call("anvil_setBalance", json!([stranger, "0xde0b6b3a7640000"])),
            _ => {
                let to = self.account();
                self.send(json!({ "from": stranger, "to": to, "value": "0x64" }));
            }
        }
    }

    fn cheat(&mut self) {
        let account = self.account();
        match self.dice.below(6) {
            0 => {
                let balance = format!("{:#x}", (1 << 60) + self.dice.below(1 << 50));
                self.call("anvil_setBalance", json!([account, balance]));
            }
            1 => {
                let value = format!("0x{:064x}", self.dice.below(1000));
                self.call("anvil_setStorageAt", json!(["$made/contractAddress", "0x0", value]));
            }
            2 => {
                let target = format!("0x{:040x}", 0x1_0000 + self.dice.below(8));
                self.call("anvil_setCode", json!([target, "0x5f355f5260205ff3"]));
            }
            3 => {
                let fee = format!("{:#x}", 1_000_000_000 + self.dice.below(1 << 28));
                self.call("anvil_setNextBlockBaseFeePerGas", json!([fee]));
            }
            4 => {
                let miner = format!("0x{:040x}", 0x2_0000 + self.dice.below(8));
                self.call("anvil_setCoinbase", json!([miner]));
            }
            _ => {
                let stranger = format!("0x{:040x}", 0xabc0 + self.dice.below(4));
                let nonce = format!("{:#x}", self.dice.below(50));
                self.call("anvil_setNonce", json!([stranger, nonce]));
            }
        }
    }

    fn pool(&mut self) {
        match self.dice.below(3) {
            0 => self.call("anvil_dropAllTransactions", json!([])),
            1 => {
                let ready = self.ready;
                self.call("anvil_dropTransaction", json!([format!("$t{ready}")]));
            }
            _ => {
                let account = self.account();
                self.call("anvil_removePoolTransactions", json!([account]));
            }
        }
    }

    fn look(&mut self) {
        let account = self.account();
        let transaction = format!("$t{}", 1 + self.dice.below(self.transactions.max(1)));
        let last = format!("$t{}", self.transactions.max(1));
        let tag =
            self.dice.pick(&["latest", "pending", "earliest", "safe", "finalized", "0x3", "0xa"]);
        match self.dice.below(18) {
            0 => self.call("eth_blockNumber", json!([])),
            1 => self.call("eth_getBalance", json!([account, tag])),
            2 => self.call("eth_getTransactionCount", json!([account, tag])),
            3 => self.call("eth_getBlockByNumber", json!(["latest", false])),
            4 => self.call("eth_getBlockByNumber", json!([tag, true])),
            5 => self.call("eth_getTransactionReceipt", json!([transaction])),
            6 => self.call("eth_getTransactionReceipt", json!([last])),
            7 => self.call("eth_getTransactionByHash", json!([transaction])),
            8 => self.call("txpool_status", json!([])),
            9 => self.call("txpool_inspect", json!([])),
            10 => {
                self.call("eth_getLogs", json!([{ "fromBlock": "earliest", "toBlock": "latest" }]));
            }
            11 => self.call("eth_getStorageAt", json!(["$made/contractAddress", "0x0", tag])),
            12 => {
                let data = self.compute("call", json!(["where()"]));
                self.call(
                    "eth_call",
                    json!([{ "to": "$made/contractAddress", "data": data }, tag]),
                );
            }
            13 => {
                let data = self.compute("call", json!(["set(uint256)", 77]));
                self.call(
                    "eth_estimateGas",
                    json!([{ "from": account, "to": "$made/contractAddress", "data": data }]),
                );
            }
            14 => self.call("eth_feeHistory", json!(["0x4", "latest", [25.0, 75.0]])),
            15 => self.call("eth_getBlockReceipts", json!([tag])),
            16 => self.call("eth_gasPrice", json!([])),
            _ => self.call("eth_getCode", json!([format!("0x{:040x}", 0x1_0000), tag])),
        }
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.queue.is_empty() {
            self.change();
            self.queue.reverse();
        }
        self.queue.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_is_determined_by_its_seed() {
        let walk = |seed| Walk::new(seed).take(300).collect::<Vec<_>>();
        assert_eq!(walk(1), walk(1));
        assert_ne!(walk(1), walk(2));
        assert!(walk(1).windows(2).all(|pair| pair[0].line < pair[1].line));
    }
}
