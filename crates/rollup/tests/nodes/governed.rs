//! Blocks after the owner of the rollup has changed its rules.

use crate::{
    hidden_inputs::{advance_by, next_input, until_safe},
    preconfirmations::pass_until,
    support::{DevnetRollup, Setup, provider_of, until},
};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_provider::{Provider, ext::AnvilApi as _};
use alloy_rpc_types_eth::Header;
use alloy_sol_types::SolCall;
use chain::next_gas_limit;
use contracts::{
    Deployment,
    bindings::INativeRollup::{self, Change},
};
use enshrine_rollup::RollupNode;
use eyre::{OptionExt as _, Result};
use std::time::Duration;
use testkit::{ETHER, Key, rich};

/// First account of the devnet, which sends [`DevnetRollup::l1_call`].
const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const RECIPIENT: Address = Address::repeat_byte(0xfe);
const POLICY: Address = Address::repeat_byte(0xf4);

/// A rollup with an owner, and a sequencer that posts nothing itself.
struct Governed {
    rollup: DevnetRollup,
    contract: Address,
    sequencer: RollupNode,
}

impl Governed {
    async fn new() -> Result<Self> {
        let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
        let setup = Setup::new().accounts(accounts);
        let owned = setup.change(|rollup| rollup.with(|config| config.owner = OWNER));
        let rollup = owned.deploy().await?;
        let contract = Deployment::read(&rollup.deployment())?.rollup;
        let mut config = rollup.sequencer_config()?;
        config.submit_interval = Duration::from_secs(3_600);
        let sequencer = rollup.start(config).await?;
        Ok(Self { rollup, contract, sequencer })
    }

    async fn call(&self, call: impl SolCall) -> Result<()> {
        self.rollup.l1_call(self.contract, U256::ZERO, call.abi_encode()).await?;
        Ok(())
    }

    /// Announces a change, lets its delay pass, and makes it after the sequencer has sealed a block
    /// by the earlier rules.
    async fn change(&self, change: Change, value: U256) -> Result<()> {
        let contract = INativeRollup::new(self.contract, &self.rollup.provider);
        self.call(INativeRollup::announceCall { change, value }).await?;
        let until = contract.announcements().call().await?[0].clearUntil;
        pass_until(&self.rollup, &self.sequencer, until + 1).await?;
        self.call(INativeRollup::clearCall { change, value }).await?;
        let ready = contract.announcements().call().await?[0].readyAt;
        pass_until(&self.rollup, &self.sequencer, ready).await?;
        next_input(&self.sequencer).await?;
        self.call(INativeRollup::makeCall { change, value }).await
    }

    async fn header(&self, number: u64) -> Result<Header> {
        let block = provider_of(&self.sequencer)?.get_block_by_number(number.into()).await?;
        Ok(block.ok_or_eyre("no such block")?.header)
    }

    /// Waits until the first block has these properties.
    async fn until_first(&self, is_expected: impl Fn(&Header) -> bool) -> Result<()> {
        let is_expected = &is_expected;
        until("another first block", &self.sequencer, || async move {
            let block = provider_of(&self.sequencer)?.get_block_by_number(1.into()).await?;
            Ok(block.is_some_and(|block| is_expected(&block.header)))
        })
        .await
    }

    /// Posts the unsafe blocks, each in a transaction of its own.
    async fn post_all(self) -> Result<()> {
        let l2 = provider_of(&self.sequencer)?;
        let inputs: Vec<Bytes> = l2.raw_request("rollup_inputsAfter".into(), ("0x0",)).await?;
        let count = inputs.len() as u64;
        for input in inputs {
            self.rollup.l1_call(self.contract, U256::ZERO, advance_by(input)).await?;
        }
        until_safe(&self.sequencer, count).await?;
        self.sequencer.stop().await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_follow_changed_gas_limit() -> Result<()> {
    let governed = Governed::new().await?;
    let genesis = governed.header(0).await?.gas_limit;
    let target = genesis / 2;
    governed.change(Change::GasLimit, U256::from(target)).await?;
    // The block with the earlier limit is replaced.
    let first = next_gas_limit(genesis, Some(target));
    governed.until_first(|header| header.gas_limit == first).await?;
    next_input(&governed.sequencer).await?;
    assert_eq!(governed.header(2).await?.gas_limit, next_gas_limit(first, Some(target)));
    governed.post_all().await
}

/// The head is old, so any account may advance with any fee recipient. After the first block, the
/// policy applies again.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_follow_changed_fee_recipient() -> Result<()> {
    let governed = Governed::new().await?;
    // Allows every account, with this fee recipient.
    let code = [&[0x73][..], RECIPIENT.as_slice(), &[0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]].concat();
    governed.rollup.provider.anvil_set_code(POLICY, code.into()).await?;
    governed.change(Change::Policy, U256::from_be_slice(POLICY.as_slice())).await?;
    governed.until_first(|header| header.beneficiary == RECIPIENT).await?;
    next_input(&governed.sequencer).await?;
    assert_eq!(governed.header(2).await?.beneficiary, RECIPIENT);
    governed.post_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_limit_steps_agree_with_l1() -> Result<()> {
    let rollup = Setup::new().deploy().await?;
    let address = Deployment::read(&rollup.deployment())?.rollup;
    let contract = INativeRollup::new(address, &rollup.provider);
    let genesis = U256::from(contract.gasLimits().call().await?.latest);
    // The latest limit and the target are in one word.
    let shift = |latest: U256, target: U256| -> U256 { (latest << 160) | (target << 192) };
    let mask = shift(U256::from(u32::MAX), U256::from(u32::MAX));
    let mut slots = (0..64).map(U256::from);
    let (slot, word) = loop {
        let slot = slots.next().ok_or_eyre("the limits are not stored")?;
        let word = rollup.provider.get_storage_at(address, slot).await?;
        if word & mask == shift(genesis, genesis) {
            break (slot, word);
        }
    };
    // The bounds, two limits around a change of the step, and two around one step from another.
    let limits = [5_000, 6_143, 6_144, 30_000_000, 30_029_295, 30_029_296, u64::from(u32::MAX)];
    for (latest, target) in limits.iter().flat_map(|latest| limits.map(|target| (*latest, target)))
    {
        let value = word & !mask | shift(U256::from(latest), U256::from(target));
        rollup.provider.anvil_set_storage_at(address, slot, B256::from(value)).await?;
        let limits = contract.gasLimits().call().await?;
        assert_eq!((limits.latest, limits.target), (latest, target));
        let expected = contract.nextGasLimit().call().await?;
        assert_eq!(next_gas_limit(latest, Some(target)), expected, "{latest} to {target}");
    }
    Ok(())
}
