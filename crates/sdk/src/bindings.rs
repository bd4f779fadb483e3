//! The contracts' interfaces as Rust types, read from the Solidity sources.

#![allow(missing_docs, reason = "documented in the Solidity sources")]
#![allow(clippy::all, reason = "generated code")]

use alloy_sol_types::sol;

sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    // Repeats the members of `IRollup`, because `sol!` ignores imports and inheritance, and of the
    // policy whose `post` shares the types of `advance`.
    "src/INativeRollup.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL1MessageQueue.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IForcedInbox.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/ISequencing.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IPreconfBonds.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL1Anchor.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL2Messenger.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL2Accounts.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL1TokenBridge.sol"
);
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    "interfaces/IL2TokenBridge.sol"
);
sol! {
    /// An ERC-20 token. The return values of transactions are omitted, because some tokens return
    /// none.
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    interface IERC20 {
        function approve(address spender, uint256 amount) external;
        function allowance(address owner, address spender) external view returns (uint256);
        function balanceOf(address account) external view returns (uint256);
    }
}
sol!(
    #[sol(rpc, extra_derives(Debug, PartialEq, Eq))]
    // `sol!` does not resolve the types of an imported interface.
    "src/IRollupExit.sol"
);

impl Default for INativeRollup::Evidence {
    /// Returns empty evidence for the inputs of `advance`.
    fn default() -> Self {
        Self { updates: Vec::new(), forced: Vec::new(), relays: Vec::new() }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<IL1MessageQueue::Checkpoint> for INativeRollup::Checkpoint {
    fn from(it: IL1MessageQueue::Checkpoint) -> Self {
        let IL1MessageQueue::Checkpoint { id, count, l1Block, timestamp, root } = it;
        Self { id, count, l1Block, timestamp, root }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<IL1MessageQueue::Message> for IRollupExit::Message {
    fn from(it: IL1MessageQueue::Message) -> Self {
        let IL1MessageQueue::Message { sender, to, refundTo, value, fee, gasLimit, index, data } =
            it;
        Self { sender, to, refundTo, value, fee, gasLimit, index, data }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<IL1MessageQueue::Checkpoint> for IRollupExit::Checkpoint {
    fn from(it: IL1MessageQueue::Checkpoint) -> Self {
        let IL1MessageQueue::Checkpoint { id, count, l1Block, timestamp, root } = it;
        Self { id, count, l1Block, timestamp, root }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<IPreconfBonds::Preconfirmation> for IHybridSequencing::Preconfirmation {
    fn from(it: IPreconfBonds::Preconfirmation) -> Self {
        let IPreconfBonds::Preconfirmation { rollup, blockHash, schema, isSealed, l1Block, l1Hash } =
            it;
        Self { rollup, blockHash, schema, isSealed, l1Block, l1Hash }
    }
}

/// Both interfaces declare the same struct, and `sol!` creates a type for each.
impl From<&IForcedInbox::ForcedTransaction> for INativeRollup::ForcedTransaction {
    fn from(it: &IForcedInbox::ForcedTransaction) -> Self {
        Self {
            hash: it.hash,
            sender: it.sender,
            nonce: it.nonce,
            gasLimit: it.gasLimit,
            maxFee: it.maxFee,
            cost: it.cost,
            submittedAt: it.submittedAt,
            bounded: it.bounded,
            to: it.to,
            footprint: it.footprint,
            priced: it.priced,
        }
    }
}

#[cfg(test)]
mod tests {
    /// Returns the lines of code from this line to the end of its interface.
    fn code_after<'s>(source: &'s str, line: &str) -> Vec<&'s str> {
        let lines = source.lines().skip_while(|text| *text != line).skip(1);
        let mut code: Vec<_> = lines
            .take_while(|text| *text != "}")
            .filter(|text| !text.is_empty() && !text.trim_start().starts_with("//"))
            .collect();
        code.push("}");
        code
    }

    #[test]
    fn merged_interface_has_members_of_both() {
        let mut expected =
            code_after(include_str!("../interfaces/IRollup.sol"), "interface IRollup {");
        assert_eq!(expected.pop(), Some("}"));
        expected.extend(code_after(
            include_str!("../interfaces/INativeRollup.sol"),
            "interface INativeRollup is IRollup {",
        ));
        let merged = code_after(include_str!("INativeRollup.sol"), "interface INativeRollup {");
        assert_eq!(merged, expected, "copy the members of both into src/INativeRollup.sol");
    }

    #[test]
    fn policy_interface_has_members_of_contract() {
        let policy: String = [
            include_str!("../../../contracts/sequencing/LivenessTimeout.sol"),
            include_str!("../../../contracts/sequencing/PermissionedSequencing.sol"),
            include_str!("../../../contracts/sequencing/preconf/BondRequirement.sol"),
            include_str!("../../../contracts/sequencing/HybridSequencing.sol"),
        ]
        .concat();
        let bonds = include_str!("../interfaces/IPreconfBonds.sol");
        let merged = include_str!("INativeRollup.sol");
        let mut members = code_after(merged, "interface IHybridSequencing {").into_iter();
        let message: Vec<_> = members.by_ref().take_while(|text| *text != "    }").collect();
        let expected = code_after(bonds, "    struct Preconfirmation {");
        assert_eq!(message[1..], expected[..message.len() - 1]);
        for member in members.filter(|text| *text != "}") {
            // A getter is a variable in the contract, and the types of `post` have other names.
            let name = member.trim_start().strip_prefix("function ");
            let getter = name.and_then(|name| name.split_once("() external view returns ("));
            let variable = getter.map(|(name, kind)| (name, kind.trim_end_matches(");")));
            let found = match variable {
                Some((name, kind)) => policy.lines().any(|line| {
                    let kind = if name == "BONDS" { "IPreconfBonds" } else { kind };
                    let end = [format!(" {name};"), format!(" {name} = 10;")];
                    line.starts_with(&format!("    {kind} public "))
                        && end.iter().any(|end| line.ends_with(end))
                }),
                None => {
                    let member =
                        member.replace("  Preconfirmation ", "  IPreconfBonds.Preconfirmation ");
                    policy
                        .lines()
                        .any(|line| line.trim_end_matches(" {") == member.trim_end_matches(';'))
                        || policy.contains(&member)
                }
            };
            assert!(found, "not in the contract: {member}");
        }
    }

    #[test]
    fn exit_interface_has_members_of_contract() {
        let queue = include_str!("../interfaces/IL1MessageQueue.sol");
        let types = code_after(queue, "interface IL1MessageQueue {");
        let end = types.iter().position(|line| *line == "    struct MessageProof {");
        let mut expected: Vec<_> =
            types[..end.unwrap()].iter().map(|line| (*line).to_owned()).collect();
        let exit = include_str!("../interfaces/IRollupExit.sol");
        let members = code_after(exit, "interface IRollupExit {");
        expected.extend(members.iter().map(|line| line.replace("IL1MessageQueue.", "")));
        // Members that Rust code does not use need not be copied.
        let copied = code_after(include_str!("IRollupExit.sol"), "interface IRollupExit {");
        let mut rest = expected.iter();
        for line in copied {
            assert!(rest.any(|text| text == line), "not in the interface, or elsewhere: {line}");
        }
    }
}
