//! The EVM that blocks run on.

use alloy_evm::{Database, EvmEnv, eth::EthEvm, precompiles::PrecompilesMap};
use revm::{
    Context, MainContext,
    context::Evm,
    context_interface::FrameStack,
    handler::instructions::EthInstructions,
    inspector::NoOpInspector,
    precompile::{PrecompileSpecId, Precompiles},
};

/// revm with Ethereum's rules and precompiles, over a database.
pub(crate) type BlockEvm<DB> = EthEvm<DB, NoOpInspector, PrecompilesMap>;

/// Builds the EVM of a block.
///
/// By hand rather than by alloy-evm's factory, because that makes room for eight call frames at
/// once: 290 kB, more than all else that a small block takes. A deeper call adds its frame when it
/// comes.
pub(crate) fn block_evm<DB: Database>(db: DB, env: EvmEnv) -> BlockEvm<DB> {
    let spec = env.cfg_env.spec;
    let precompiles = Precompiles::new(PrecompileSpecId::from_spec_id(spec));
    let evm = Evm {
        ctx: Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(db),
        inspector: NoOpInspector,
        instruction: EthInstructions::new_mainnet_with_spec(spec),
        precompiles: PrecompilesMap::from_static(precompiles),
        frame_stack: FrameStack::new_prealloc(1),
    };
    EthEvm::new(evm, false)
}
