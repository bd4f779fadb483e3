//! Tests of the batcher with a mock L1.

mod blobs;
mod order;

use super::{blob_terms::BlobTerms, handle::BatcherCommands, measured::MeasuredBlock, *};
use crate::{
    BacklogConfig, Duties, L1Client, Prices, Signer, SubmitterConfig,
    l1::{Events, L1Clock, L1Cost, L1Header, L1View, PostedBlock},
};
use alloy_consensus::{Transaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Bytes, U256};
use chain::{BlockAttributes, Chain, ChainConfig, shortest_input};
use contracts::{
    advance_plan::{AdvancePlan, L1Limits, STATE_ROOTS},
    bindings::INativeRollup::Evidence,
};
use execute::WorkGas;
use executor::ChainSpec;
use node::InputCost;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{net::SocketAddr, slice};
use testkit::{CHAIN_ID, ETHER, Interception, Key, Proxy, Timeout, bare_deployment, rich_genesis};
use variants::{BLOB_EXECUTE_ADDRESS, GasSchedule, market::Rate};

const FORK: ProtocolFork = ProtocolFork::Osaka;
/// L1's time in most tests: later than the timestamp of each L2 block.
const NOW: u64 = 1_000;

pub(crate) const RULES: RollupRules = RollupRules {
    max_lag: 3_600,
    open_after: 3_600,
    relay_deadline: 3_600,
    forced_delay: 3_600,
    forced_grace: 3_600,
    forced_expiry: 3_600,
};

/// Response of L1; an `Err` is a JSON-RPC error.
pub(crate) type Answer = Result<Value, &'static str>;

/// An L1 that accepts every transaction, includes none, and stores no code.
pub(crate) struct FakeL1 {
    proxy: Proxy,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl FakeL1 {
    fn start() -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let l1 = Self { proxy: Proxy::start(nowhere).unwrap(), requests: Arc::default() };
        l1.answers(|_, _| None);
        l1
    }

    /// Sets the responses to `respond(method, params)`, or the default response for `None`.
    pub(crate) fn answers(
        &self,
        respond: impl Fn(&str, &Value) -> Option<Answer> + Send + 'static,
    ) {
        let requests = Arc::clone(&self.requests);
        self.proxy.intercept(move |request| {
            let request: Value = serde_json::from_str(request).unwrap();
            requests.lock().push(request.clone());
            let (method, params) = (request["method"].as_str().unwrap(), &request["params"]);
            let result = respond(method, params).unwrap_or_else(|| Self::usual(method, params));
            let mut response = json!({ "jsonrpc": "2.0", "id": request["id"] });
            match result {
                Ok(result) => response["result"] = result,
                Err(message) => response["error"] = json!({ "code": -32_000, "message": message }),
            }
            Some(Interception::Answer(response.to_string()))
        });
    }

    fn usual(method: &str, params: &Value) -> Answer {
        Ok(match method {
            "eth_getTransactionCount" => json!("0x0"),
            "eth_blockNumber" => json!("0x1"),
            "eth_getBalance" => json!(U256::from(1_000 * ETHER)),
            // EXECUTE for blobs reverts on empty calldata.
            "eth_call" if params[0]["to"] == json!(BLOB_EXECUTE_ADDRESS) => return Err("reverted"),
            "eth_call" | "eth_getCode" => json!("0x"),
            "eth_blobBaseFee" => json!("0x5"),
            "eth_estimateGas" => json!("0x186a0"),
            "eth_sendRawTransaction" => json!(B256::repeat_byte(7)),
            _ => Value::Null,
        })
    }

    pub(crate) fn client(&self) -> L1Client {
        L1Client::new(&[self.proxy.url()], Duration::from_secs(60)).unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.lock().len()
    }

    /// Returns the transactions that were sent, including repetitions.
    pub(crate) fn sent(&self) -> Vec<TxEnvelope> {
        let requests = self.requests.lock();
        let sent = requests.iter().filter(|request| request["method"] == "eth_sendRawTransaction");
        sent.map(|request| {
            let raw: Bytes = serde_json::from_value(request["params"][0].clone()).unwrap();
            TxEnvelope::decode_2718(&mut &raw[..]).unwrap()
        })
        .collect()
    }
}

/// Chain, view of L1 and configuration of a batcher.
pub(crate) struct BatcherSetup {
    pub(crate) l1: FakeL1,
    pub(crate) chain: Chain,
    pub(crate) view: L1View,
    pub(crate) config: SequencerConfig,
    reads_blobs: bool,
    /// L1's time.
    now: u64,
    duties: Duties,
}

impl BatcherSetup {
    pub(crate) fn new() -> Self {
        Self::of(ChainSpec::scheduled(CHAIN_ID, FORK, &[]), 0)
    }

    /// Creates a fixture with this fork schedule and genesis block number.
    fn of(spec: ChainSpec, number: u64) -> Self {
        let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
        genesis.number = Some(number);
        let chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
        let mut deployment = bare_deployment(Address::repeat_byte(1), Address::repeat_byte(2));
        deployment.genesis_hash = chain.head().hash;
        let key = |name| Signer::new("key", Key::named(name).secret()).unwrap();
        let config = SequencerConfig {
            advance_key: key("advancer"),
            operator_key: key("operator"),
            block_time: Duration::from_secs(1),
            idle_block_time: Duration::from_secs(1),
            submit_interval: Duration::ZERO,
            confirmations: 0,
            l1_drift: Duration::from_secs(300),
            submitter: SubmitterConfig::default(),
            backlog: BacklogConfig::default(),
            prices: Prices::default(),
            preconfirm: None,
        };
        let mut view = L1View::new(deployment);
        view.apply(header(1), Events::default());
        Self {
            l1: FakeL1::start(),
            chain,
            view,
            config,
            reads_blobs: false,
            now: NOW,
            duties: Duties::default(),
        }
    }

    pub(crate) fn batcher(&self) -> Batcher {
        let client = self.l1.client();
        let profile = L1Profile {
            forks: Arc::new(self.chain.config().spec.clone()),
            execute: GasSchedule::DEFAULT,
            limits: L1Limits::default(),
        };
        let (client, deployment) = (Arc::new(client), self.view.deployment());
        Batcher::new(client, deployment, RULES, &self.config, profile, self.reads_blobs, None)
            .unwrap()
    }

    /// Adds blocks with one transfer each.
    pub(crate) fn blocks(&mut self, count: usize) -> Vec<Arc<Block>> {
        let transfer = (Address::repeat_byte(0xb0), Bytes::new());
        let block = |_| self.block(transfer.clone(), B256::ZERO);
        (0..count).map(block).collect()
    }

    /// Adds a block with this anchor and one call.
    fn block(&mut self, (to, input): (Address, Bytes), anchor: B256) -> Arc<Block> {
        let alice = Key::named("alice");
        let timestamp = self.chain.head().header.timestamp + 1;
        let attributes = BlockAttributes {
            timestamp,
            parent_beacon_block_root: anchor,
            ..BlockAttributes::default()
        };
        let call = alice.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.chain.nonce(alice.address()).unwrap(),
            gas_limit: if input.is_empty() { 21_000 } else { 100_000 },
            max_fee_per_gas: 100_000_000_000,
            to: to.into(),
            value: U256::from(1),
            input,
            ..TxEip1559::default()
        });
        let (new, rejected) = self.chain.build(&attributes, vec![call]).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        self.chain.append(new).unwrap()
    }

    /// Returns the work that the sequencer would offer now.
    fn work(&self) -> Work {
        let mut clock = L1Clock::new();
        clock.set_at(Instant::now(), self.now, self.now);
        Work {
            chain: (*self.chain).clone(),
            view: Arc::new(self.view.clone()),
            duties: self.duties,
            clock,
        }
    }
}

pub(crate) fn header(number: u64) -> L1Header {
    let (hash, parent) = (B256::repeat_byte(number as u8), B256::repeat_byte(number as u8 - 1));
    L1Header { number, hash, parent, timestamp: NOW, base_fee: 1_000_000_000 }
}

/// Returns the events of an L1 block that includes these L2 blocks.
pub(crate) fn included(blocks: &[Arc<Block>], l1_block: u64) -> Events {
    let (first, last) = (&blocks[0], &blocks[blocks.len() - 1]);
    let advanced = blocks.iter().map(|block| PostedBlock {
        number: block.header.number,
        hash: block.hash,
        input: None,
        l1_block,
        transaction: B256::ZERO,
        first: first.header.number,
        last: last.num_hash(),
        cost: L1Cost::default(),
    });
    Events { advanced: advanced.collect(), ..Events::default() }
}

/// Returns the block numbers of each transaction in flight.
fn in_flight(batcher: &Batcher) -> Vec<Vec<u64>> {
    let of =
        |blocks: &[alloy_eips::BlockNumHash]| blocks.iter().map(|block| block.number).collect();
    batcher.submitter.in_flight().map(|sent| of(&sent.candidate.blocks)).collect()
}

/// Runs turns of the batcher until L1's pool has responded to a transaction, or no request is
/// pending.
fn submit(batcher: &mut Batcher, work: &Work) -> Result<Outcome, BatcherError> {
    loop {
        let outcome = batcher.submit(work)?;
        if batcher.submitter.is_sending() {
            let acknowledged = batcher.submitter.acknowledge();
            acknowledged.or_else(|error| batcher.on_failure(work, error))?;
            return Ok(match batcher.submitter.take_accepted() {
                true => Outcome::Progressed,
                false => outcome,
            });
        }
        if !batcher.submitter.is_requesting() {
            return Ok(outcome);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let timeout = Timeout::begin();
    while !holds() {
        assert!(timeout.lasts(), "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn new_blocks_follow_those_in_flight_exactly_once() {
    let mut fixture = BatcherSetup::new();
    let mut batcher = fixture.batcher();
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(fixture.l1.sent().len(), 0);
    fixture.blocks(2);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1, 2]]);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1, 2], vec![3]]);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    let nonces: Vec<_> = fixture.l1.sent().iter().map(|sent| sent.nonce()).collect();
    assert_eq!(nonces, [0, 1]);
    // With the maximum number of transactions in flight, the next one waits.
    fixture.config.submitter.max_in_flight = 1;
    let mut batcher = fixture.batcher();
    submit(&mut batcher, &fixture.work()).unwrap();
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    assert_eq!(in_flight(&batcher), [vec![1, 2, 3]]);
}

#[test]
fn blocks_wait_for_interval_unless_they_fill_transaction() {
    let mut fixture = BatcherSetup::new();
    fixture.config.submit_interval = Duration::from_secs(3_600);
    let mut batcher = fixture.batcher();
    fixture.blocks(MAX_BLOCKS - 1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    assert_eq!(fixture.l1.sent().len(), 0);
    let last = fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [(1..=MAX_BLOCKS as u64).collect::<Vec<_>>()]);

    let footprint = Arc::new(fixture.chain.footprint_of(&last[0]).unwrap());
    let planner = &mut batcher.planner;
    let capacity = planner.measured.rate.capacity(planner.limits());
    let mut fills = |bytes, gas| {
        let cost = InputCost { bytes, gas, work: WorkGas::default() };
        let footprint = Arc::clone(&footprint);
        planner.measured.extend([(last[0].hash, MeasuredBlock { cost, footprint })]);
        planner.measured.fills_a_transaction(&last)
    };
    assert!(!fills(capacity.bytes - 1, capacity.gas - 1));
    assert!(fills(capacity.bytes, 0));
    assert!(fills(0, capacity.gas));
}

#[test]
fn nothing_is_sent_once_blocks_are_replaced() {
    let mut fixture = BatcherSetup::new();
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    for stops in [false, true] {
        let commands =
            BatcherCommands { forget: !stops, stop: stops, ..BatcherCommands::default() };
        *batcher.channel.commands.lock() = commands;
        assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
        assert_eq!(fixture.l1.sent().len(), 0);
    }
    *batcher.channel.commands.lock() = BatcherCommands::default();
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(fixture.l1.sent().len(), 1);
}

#[test]
fn rejection_halves_next_batch_down_to_one_block() {
    let mut fixture = BatcherSetup::new();
    let mut batcher = fixture.batcher();
    fixture.l1.answers(|method, _| (method == "eth_call").then_some(Err("not so")));
    fixture.blocks(5);
    for expected in [2, 1, 1] {
        submit(&mut batcher, &fixture.work()).unwrap_err();
        assert_eq!(batcher.planner.max_blocks, expected);
    }
    fixture.l1.answers(|_, _| None);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1]]);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1], vec![2, 3, 4, 5]]);
}

#[test]
fn prices_are_checked_once_per_retry_interval() {
    let mut fixture = BatcherSetup::new();
    let mut batcher = fixture.batcher();
    let mut asks = |fixture: &BatcherSetup| {
        let before = fixture.l1.requests();
        batcher.planner.check_prices(&fixture.work()).unwrap();
        fixture.l1.requests() > before
    };
    assert!(asks(&fixture));
    assert!(!asks(&fixture));
    fixture.view.apply(header(32), Events::default());
    assert!(!asks(&fixture));
    fixture.view.apply(header(33), Events::default());
    assert!(asks(&fixture));
    assert!(!asks(&fixture));
}

#[test]
fn blocks_are_measured_once_and_planned_exactly() {
    let mut fixture = BatcherSetup::new();
    let blocks = fixture.blocks(3);
    let (mut batcher, work) = (fixture.batcher(), fixture.work());
    let measured = &mut batcher.planner.measured;
    for (count, executions) in [(1, 2), (1, 2), (3, 6)] {
        measured.measure(&work.chain, &blocks[..count]).unwrap();
        assert_eq!(measured.executions(), executions);
    }
    let execute = measured.execute();
    for range in [0..1, 0..2, 1..3, 0..3] {
        let input = measured.input_of(&work.chain, &blocks[range], shortest_input).unwrap();
        let executed = execute.run(&input.bytes, u64::MAX).unwrap();
        assert_eq!((input.charge, input.reserve), (executed.gas, executed.reserve));
    }
    // A single block has the requested form.
    let one = slice::from_ref(&blocks[0]);
    let input = measured.input_of(&work.chain, one, Block::input).unwrap();
    let shortest = measured.input_of(&work.chain, one, shortest_input).unwrap();
    assert!(shortest.bytes.len() < input.bytes.len());
    assert_eq!(shortest.bytes.len(), measured.get(&blocks[0].hash).unwrap().cost.bytes);
}

#[test]
fn blob_plan_needs_l1_support_and_affordable_price() {
    let mut fixture = BatcherSetup::new();
    fixture.reads_blobs = true;
    let blocks = fixture.blocks(1);
    let (mut batcher, work) = (fixture.batcher(), fixture.work());
    batcher.planner.measured.measure(&work.chain, &blocks).unwrap();
    let calldata = batcher.planner.measured.input_of(&work.chain, &blocks, shortest_input).unwrap();
    let plan = |batcher: &mut Batcher| batcher.planner.by_blobs(&work, &blocks, &calldata, &[]);
    let blobs = plan(&mut batcher).unwrap().unwrap().data.blobs.unwrap();
    let input = batcher.planner.measured.input_of(&work.chain, &blocks, Block::input).unwrap();
    let cost = AdvancePlan::in_blobs(&[input]).unwrap().cost(FORK, 0, 1);
    assert_eq!((blobs.gas_limit, blobs.price), (cost.limit, 5));
    // At the maximum price, and above it.
    batcher.planner.config.max_blob_fee = 5;
    assert!(plan(&mut batcher).unwrap().is_some());
    assert!(batcher.planner.may_use_blobs(&work));
    batcher.planner.config.max_blob_fee = 4;
    assert!(plan(&mut batcher).unwrap().is_none());
    assert!(!batcher.planner.may_use_blobs(&work));
    batcher.planner.config.max_blob_fee = 5;
    assert!(plan(&mut batcher).unwrap().is_some());
    // A call of an address without code succeeds. The terms are cached, so they are reset here.
    batcher.planner.blob_terms = BlobTerms::default();
    fixture.l1.answers(|method, _| (method == "eth_call").then(|| Ok(json!("0x"))));
    assert!(plan(&mut batcher).unwrap().is_none());
    assert!(!batcher.planner.may_use_blobs(&work));
    batcher.planner.blob_terms = BlobTerms::default();
    fixture.l1.proxy.intercept(|_| Some(Interception::Refused(400)));
    assert!(plan(&mut batcher).is_err());
}

#[test]
fn future_blocks_and_blocks_of_other_fork_wait() {
    let mut fixture = BatcherSetup::new();
    let blocks = fixture.blocks(3);
    fixture.now = blocks[1].header.timestamp;
    let work = fixture.work();
    assert_eq!(work.count_on(&blocks, FORK), 2);
    assert_eq!(work.count_on(&blocks, ProtocolFork::Prague), 0);
    let mut batcher = fixture.batcher();
    submit(&mut batcher, &work).unwrap();
    assert_eq!(in_flight(&batcher), [vec![1, 2]]);
    // The third block waits for its timestamp, and not for the blocks before it.
    assert_eq!(submit(&mut batcher, &work).unwrap(), Outcome::NotDue);
    fixture.now = blocks[2].header.timestamp;
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1, 2], vec![3]]);
}

#[test]
fn calldata_gas_counts_new_slots_from_genesis_on() {
    let first = 9_001;
    let mut fixture = BatcherSetup::of(ChainSpec::scheduled(CHAIN_ID, FORK, &[]), first - 1);
    let blocks = fixture.blocks(2);
    // Only the first block's slot is new.
    let genesis = first + 1 - STATE_ROOTS;
    let mut deployment = bare_deployment(Address::repeat_byte(1), Address::repeat_byte(2));
    deployment.genesis.number = Some(genesis);
    fixture.view = L1View::new(deployment);
    let (mut batcher, work) = (fixture.batcher(), fixture.work());
    batcher.planner.measured.measure(&work.chain, &blocks).unwrap();
    let input = batcher.planner.measured.input_of(&work.chain, &blocks, shortest_input).unwrap();
    let (inputs, limit, for_fork) =
        batcher.planner.in_calldata(&work, &blocks, &input, &[], &Evidence::default(), true);
    let limits = [first, first + 1].map(|number| {
        AdvancePlan::in_calldata(slice::from_ref(&input)).cost(FORK, genesis, number).limit
    });
    assert!(limits[0] > limits[1]);
    assert_eq!((inputs, limit, for_fork), (vec![input.bytes], Some(limits[0]), 0));
}

/// The batcher also reports its status before its first turn.
#[test]
fn batcher_executes_only_blocks_not_measured_at_sealing() {
    let mut fixture = BatcherSetup::new();
    let batcher = fixture.batcher();
    let channel = Arc::clone(&batcher.channel);
    // The thread's first turn waits for this lock.
    let commands = channel.commands.lock();
    let batcher_handle = batcher.start(Arc::default()).unwrap();
    let report = batcher_handle.report();
    drop(commands);
    assert_eq!(report.status.address, fixture.config.advance_key.address());

    let block = fixture.blocks(1).remove(0);
    let footprint = fixture.chain.footprint_of(&block).unwrap();
    let mut other = fixture.batcher();
    let measured = &mut other.planner.measured;
    measured.measure(fixture.chain.reader(), slice::from_ref(&block)).unwrap();
    let cost = measured.get(&block.hash).unwrap().cost;
    batcher_handle.on_sealed(&block, Some(cost), footprint);
    batcher_handle.offer(fixture.work());
    until("the block in flight", || batcher_handle.report().status.in_flight.is_some());
    assert_eq!(batcher_handle.report().status.planning_executions, 0);
    // The next block was sealed by another process.
    fixture.blocks(1);
    batcher_handle.offer(fixture.work());
    until("the next one", || batcher_handle.report().status.transactions_in_flight == 2);
    assert_eq!(batcher_handle.report().status.planning_executions, 2);

    batcher_handle.end();
    assert_eq!(Arc::strong_count(&channel), 1, "its thread has not ended");
}

#[test]
fn batcher_ends_after_pending_request() {
    let mut fixture = BatcherSetup::new();
    let batcher = fixture.batcher();
    let channel = Arc::clone(&batcher.channel);
    let batcher_handle = batcher.start(Arc::default()).unwrap();
    fixture.blocks(1);
    fixture.l1.proxy.delay(Duration::from_millis(200));
    batcher_handle.offer(fixture.work());
    until("a request", || fixture.l1.requests() > 0);
    batcher_handle.end();
    assert_eq!(Arc::strong_count(&channel), 1, "its thread has not ended");
}

#[test]
fn error_is_reported_until_blocks_are_in_flight() {
    let mut fixture = BatcherSetup::new();
    let batcher_handle = fixture.batcher().start(Arc::default()).unwrap();
    fixture.l1.answers(|method, _| (method == "eth_call").then_some(Err("not so")));
    fixture.blocks(1);
    batcher_handle.offer(fixture.work());
    until("a reason", || batcher_handle.report().not_submitted.is_some());
    let requests = fixture.l1.requests();
    until("another try", || fixture.l1.requests() > requests);
    let report = batcher_handle.report();
    assert!(report.not_submitted.is_some_and(|reason| reason.contains("not so")));
    assert_eq!(report.status.in_flight, None);
    fixture.l1.answers(|_, _| None);
    until("the block in flight", || {
        let report = batcher_handle.report();
        report.status.in_flight.is_some() && report.not_submitted.is_none()
    });
    batcher_handle.end();
}

#[test]
fn throughput_drops_while_blocks_wait() {
    let mut fixture = BatcherSetup::new();
    let batcher = fixture.batcher();
    let batcher_handle = batcher.start(Arc::default()).unwrap();
    fixture.blocks(1);
    batcher_handle.offer(fixture.work());
    until("the block in flight", || batcher_handle.report().status.in_flight.is_some());
    let minute = Duration::from_secs(60);
    assert_eq!(batcher_handle.report().throughput.within(minute), 5 * PARTS);
    for passed in [12, 24, 36, 48] {
        fixture.now += 12;
        batcher_handle.offer(fixture.work());
        until("the time", || {
            batcher_handle.report().throughput.within(minute) == 60 * PARTS / (12 + passed)
        });
    }
    // If L1's clock is set back, no waiting time is removed, and none is counted twice.
    fixture.now -= 40;
    batcher_handle.offer(fixture.work());
    fixture.now += 52;
    batcher_handle.offer(fixture.work());
    until("more time", || {
        batcher_handle.report().throughput.within(minute + Duration::from_secs(12)) == PARTS
    });
    batcher_handle.end();
}

#[test]
fn execute_market_raises_gas_limit_of_transaction() {
    let gas_limit = |rate: Option<Rate>| {
        let mut fixture = BatcherSetup::new();
        let shared = Arc::<NodeHandle>::default();
        shared.rate.set(rate);
        let batcher_handle = fixture.batcher().start(shared).unwrap();
        fixture.blocks(1);
        batcher_handle.offer(fixture.work());
        until("a transaction", || !fixture.l1.sent().is_empty());
        batcher_handle.end();
        fixture.l1.sent()[0].gas_limit()
    };
    let base_fee = 1_000_000_000;
    let [none, par] = [None, Some(Rate { price: base_fee, base_fee })].map(gas_limit);
    assert!(none < par, "{none} {par}");
}
