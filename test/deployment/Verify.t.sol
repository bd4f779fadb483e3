// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {NativeRollup} from "../../contracts/NativeRollup.sol";
import {DeterministicDeployer} from "../../contracts/deployment/DeterministicDeployer.sol";
import {INativeRollup} from "../../contracts/interfaces/INativeRollup.sol";
import {L1MessageQueue} from "../../contracts/messaging/L1MessageQueue.sol";
import {PermissionedSequencing} from "../../contracts/sequencing/PermissionedSequencing.sol";
import {Chain as ScriptChain} from "../../script/Chain.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {TomlValues} from "../../script/TomlValues.sol";
import {RollupPlan} from "../../script/RollupPlan.sol";
import {ForgedQueue, ForgedRollup, Forgery} from "../utils/Forgeries.sol";
import {GenesisHeaders} from "../utils/GenesisHeaders.sol";
import {IL2} from "../utils/IL2.sol";
import {RollupParts} from "../utils/RollupParts.sol";
import {EXAMPLE_POLICY, NO_POLICY} from "./ExamplePolicy.sol";

/// @dev The script, without broadcasts.
contract Certifier is Deploy {
    bool private dry_;

    function dry(bool dry__) external {
        dry_ = dry__;
    }

    function _isDryRun() internal view override returns (bool) {
        return dry_ || super._isDryRun();
    }

    function write(Plan calldata plan) external {
        _write(plan, true);
    }

    function deployAll(Plan calldata plan) external {
        for (uint256 i = 0; i < plan.parts.length; ++i) {
            address place = factory().deploy(plan.parts[i].salt, plan.parts[i].initCode);
            assert(place == plan.parts[i].place);
        }
    }

    function certify(Plan calldata plan) external {
        _verify(plan);
    }

    function compareFile(Plan calldata plan) external view {
        _requireFile(plan);
    }

    /// @dev Text of the script about forks and guardian. Kept in storage, as the functions are `view` where mutants
    /// are tried.
    string public ofForks;
    string public ofGuardian;

    function say(Plan calldata plan) external {
        ofForks = _ofForks(plan);
        ofGuardian = _ofGuardian(plan);
    }

    function isExecute(bytes calldata answer) external pure returns (bool) {
        return _isExecute(answer);
    }
}

/// @dev A deployer may run any init code at the addresses of the configuration. `verify` is
/// what others rely on before they send ETH there.
contract VerifyTest is RollupParts {
    Certifier private certifier = new Certifier();
    IL2.Head private l2;

    string private constant NO_OWNER = "owner = \"0x0000000000000000000000000000000000000000\"";
    string private constant OWNER = "owner = \"0x00000000000000000000000000000000000000aa\"";
    string private constant PERMISSIONED = "policy = \"permissioned\"\ntimeout = 5400\n"
        "sequencer = \"0x00000000000000000000000000000000000000bb\"\n"
        "fee_recipient = \"0x00000000000000000000000000000000000000cc\"";

    function setUp() public {
        startL1();
        l2.schema = 0x1201;
        l2.timestamp = 1_699_999_000;
        l2.gasLimit = 10_000_000;
        l2.stateRoot = keccak256("state");
        l2.anchor = keccak256("anchor");
        bytes memory code = vm.getDeployedCode("DeterministicDeployer.sol:DeterministicDeployer");
        vm.etch(address(certifier.factory()), code);
    }

    // ------------------------------------------------------------------ files

    function file(string[2][] memory changes) private returns (string memory text) {
        text = vm.readFile("script/rollup.example.toml");
        text = changed(text, "\"0xc0\"", quoted(GenesisHeaders.encode(l2)));
        text = changed(text, EXAMPLE_POLICY, NO_POLICY);
        for (uint256 i = 0; i < changes.length; ++i) {
            text = changed(text, changes[i][0], changes[i][1]);
        }
    }

    function changed(string memory text, string memory from, string memory to)
        private
        returns (string memory)
    {
        assertTrue(vm.contains(text, from), from);
        return vm.replace(text, from, to);
    }

    function quoted(bytes memory value) private pure returns (string memory) {
        return string.concat("\"", vm.toString(value), "\"");
    }

    function planOf(string[2][] memory changes) private returns (Deploy.Plan memory) {
        return certifier.parse(file(changes), address(certifier));
    }

    function plan() private returns (Deploy.Plan memory) {
        return planOf(new string[2][](0));
    }

    function planOf(string memory from, string memory to) private returns (Deploy.Plan memory) {
        string[2][] memory changes = new string[2][](1);
        changes[0] = [from, to];
        return planOf(changes);
    }

    // ------------------------------------------------------------------ what is as configured

    function test_what_is_as_configured_is_certified() public {
        string[2][4] memory changes = [
            [NO_OWNER, OWNER],
            ["\"none\"", "\"none\""],
            ["enabled = true", "enabled = false"],
            ["policy = \"none\"", PERMISSIONED]
        ];
        for (uint256 i = 0; i < changes.length; ++i) {
            uint256 before = vm.snapshotState();
            Deploy.Plan memory p = planOf(changes[i][0], changes[i][1]);
            certifier.deployAll(p);
            certifier.certify(p);
            vm.revertToState(before);
        }
    }

    function test_what_is_not_there_is_missed() public {
        Deploy.Plan memory p = plan();
        vm.expectPartialRevert(Deploy.NotDeployed.selector);
        certifier.certify(p);
    }

    /// @dev No value of a file is known to come so far; a plan is made by other means here.
    function test_what_only_a_constructor_refuses_is_named_with_its_error() public {
        Deploy.Plan memory p = planOf("policy = \"none\"", PERMISSIONED);
        certifier.deployAll(p);
        certifier.certify(p);
        p.parts[2].initCode = abi.encodePacked(
            type(PermissionedSequencing).creationCode,
            abi.encode(address(0), address(0xcc), uint64(5400))
        );
        bytes memory reason = abi.encodeWithSelector(PermissionedSequencing.SequencerZero.selector);
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.InitCodeFailed.selector, "sequencing policy", reason)
        );
        certifier.certify(p);
    }

    // ------------------------------------------------------------------ another configuration

    /// @dev Deploys with one line of the file changed, and verifies with the file as it was.
    function expectRefused(string memory from, string memory to, bytes4 selector) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        Deploy.Plan memory other = planOf(from, to);
        certifier.deployAll(other);
        certifier.certify(other);
        vm.expectPartialRevert(selector);
        certifier.certify(p);
        vm.revertToState(before);
    }

    function test_every_value_of_the_file_is_compared() public {
        bytes4 code = Deploy.CodeMismatch.selector;
        expectRefused("chain_id = 8079", "chain_id = 8080", code);
        expectRefused("forks = \"follow\"", "forks = \"pinned\"", code);
        expectRefused("max_lag = 3600", "max_lag = 3599", code);
        expectRefused("open_after = 7200", "open_after = 7201", code);
        expectRefused("relay_deadline = 43200", "relay_deadline = 43201", code);
        expectRefused("upgrade_delay = 604800", "upgrade_delay = 604801", code);
        expectRefused("max_gas = 1000000", "max_gas = 999999", code);
        expectRefused("max_data = 10000", "max_data = 9999", code);
        expectRefused("fee_percent = 100", "fee_percent = 99", code);
        expectRefused("\ndelay = 86400", "\ndelay = 86401", code);
        expectRefused("grace = 7200", "grace = 7201", code);
        expectRefused("expiry = 172800", "expiry = 172801", code);
        expectRefused("\nmax_gas = 300000", "\nmax_gas = 299999", code);
        expectRefused("max_bounded_gas = 1000000", "max_bounded_gas = 999999", code);
        expectRefused(NO_OWNER, OWNER, Deploy.OwnerMismatch.selector);
        expectRefused("policy = \"none\"", PERMISSIONED, Deploy.PolicyMismatch.selector);
        expectRefused(
            "schema = \"osaka\"", "schema = \"prague\"", Deploy.ForkSchemaMismatch.selector
        );
    }

    /// @dev Deploys for another L2, and verifies with the file for this one.
    function expectAnotherL2Refused(IL2.Head memory other, bytes memory error_) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        l2 = other;
        Deploy.Plan memory forged = plan();
        certifier.deployAll(forged);
        certifier.certify(forged);
        vm.expectRevert(error_);
        certifier.certify(p);
        vm.revertToState(before);
    }

    function test_every_field_of_the_genesis_is_compared() public {
        bytes4 selector = Deploy.GenesisMismatch.selector;
        bytes32 hash = keccak256(GenesisHeaders.encode(l2));
        IL2.Head memory other = l2;
        other.stateRoot = keccak256("gifts");
        expectAnotherL2Refused(
            other, abi.encodeWithSelector(selector, "state root", other.stateRoot, l2.stateRoot)
        );
        other = l2;
        other.timestamp -= 1;
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                Deploy.ForkTimeMismatch.selector, 0, other.timestamp, l2.timestamp
            )
        );
        other = l2;
        other.gasLimit += 1;
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "target", other.gasLimit, l2.gasLimit
            )
        );
        other = l2;
        other.feeRecipient = address(1);
        expectAnotherL2Refused(
            other,
            abi.encodeWithSelector(
                selector, "block hash", keccak256(GenesisHeaders.encode(other)), hash
            )
        );
    }

    // ------------------------------------------------------------------ forged state

    /// @dev Deploys as configured, but for the rollup, which begins with a slot of another value.
    function deployForged(Deploy.Plan memory p, uint256 slot, bytes32 value) private {
        Forgery[] memory forgeries = new Forgery[](1);
        forgeries[0] = Forgery(bytes32(slot), value);
        for (uint256 i = 0; i < p.parts.length; ++i) {
            Deploy.Part memory part = p.parts[i];
            bytes memory initCode = part.initCode;
            if (part.place == p.rollup) {
                (bytes memory header, INativeRollup.Config memory config) = abi.decode(
                    arguments(initCode, type(NativeRollup).creationCode.length),
                    (bytes, INativeRollup.Config)
                );
                initCode = abi.encodePacked(
                    type(ForgedRollup).creationCode, abi.encode(header, config, forgeries)
                );
            }
            DeterministicDeployer factory = certifier.factory();
            vm.prank(p.deployer);
            factory.deploy(part.salt, initCode);
        }
    }

    function arguments(bytes memory initCode, uint256 codeLength)
        private
        pure
        returns (bytes memory result)
    {
        result = new bytes(initCode.length - codeLength);
        for (uint256 i = 0; i < result.length; ++i) {
            result[i] = initCode[codeLength + i];
        }
    }

    function expectForgeryRefused(uint256 slot, bytes32 value, bytes memory error_) private {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        deployForged(p, slot, value);
        vm.expectRevert(error_);
        certifier.certify(p);
        vm.revertToState(before);
    }

    /// @dev The value of a slot of the rollup as it is configured.
    function trueValue(uint256 slot) private returns (uint256 value) {
        uint256 before = vm.snapshotState();
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        value = uint256(vm.load(p.rollup, bytes32(slot)));
        vm.revertToState(before);
    }

    function test_no_forged_state_of_a_rollup_is_certified() public {
        bytes32 forged = keccak256("forged");
        address thief = makeAddr("thief");
        bytes32 thiefWord = bytes32(uint256(uint160(thief)));
        bytes4 genesis = Deploy.GenesisMismatch.selector;
        // The state root, under the true hash: any content of it could be claimed.
        expectForgeryRefused(
            5, forged, abi.encodeWithSelector(genesis, "state root", forged, l2.stateRoot)
        );
        expectForgeryRefused(
            1,
            forged,
            abi.encodeWithSelector(
                genesis, "block hash", forged, keccak256(GenesisHeaders.encode(l2))
            )
        );
        expectForgeryRefused(
            2, forged, abi.encodeWithSelector(genesis, "anchor", forged, l2.anchor)
        );
        uint256 head = trueValue(0);
        expectForgeryRefused(
            0,
            bytes32(head + (1 << 48)),
            abi.encodeWithSelector(
                genesis,
                "timestamp",
                bytes32(uint256(l2.timestamp) + 1),
                bytes32(uint256(l2.timestamp))
            )
        );
        uint256 rules = trueValue(3);
        expectForgeryRefused(
            3,
            bytes32(rules | uint160(thief)),
            abi.encodeWithSelector(Deploy.PolicyMismatch.selector, thief, address(0))
        );
        expectForgeryRefused(
            3,
            bytes32(rules + (1 << 160)),
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "latest", l2.gasLimit + 1, l2.gasLimit
            )
        );
        expectForgeryRefused(
            3,
            bytes32(rules + (1 << 192)),
            abi.encodeWithSelector(
                Deploy.GasLimitMismatch.selector, "target", l2.gasLimit + 1, l2.gasLimit
            )
        );
        expectForgeryRefused(
            8196,
            thiefWord,
            abi.encodeWithSelector(Deploy.OwnerMismatch.selector, thief, address(0))
        );
        expectForgeryRefused(
            8197, thiefWord, abi.encodeWithSelector(Deploy.OwnershipOffered.selector, thief)
        );
        expectForgeryRefused(
            8198,
            bytes32(uint256(2)),
            abi.encodeWithSelector(Deploy.ForkCountMismatch.selector, 2, 1)
        );
        uint256 firstFork = uint256(keccak256(abi.encode(8198)));
        uint256 fork = trueValue(firstFork);
        expectForgeryRefused(
            firstFork,
            bytes32(fork + 1),
            abi.encodeWithSelector(Deploy.ForkSchemaMismatch.selector, 0, l2.schema + 1, l2.schema)
        );
        expectForgeryRefused(
            firstFork,
            bytes32(fork + (1 << 16)),
            abi.encodeWithSelector(
                Deploy.ForkTimeMismatch.selector, 0, l2.timestamp + 1, l2.timestamp
            )
        );
    }

    /// @dev The schema in force stands apart from the schedule, and so do duties and announced changes.
    function test_forged_state_that_no_getter_shows_is_seen_by_its_init_code() public {
        uint256 rules = trueValue(3);
        uint256 change = uint256(
            keccak256(
                abi.encode(keccak256(abi.encode(INativeRollup.Change.Policy, 1)), uint256(8199))
            )
        );
        uint256[2][4] memory forgeries = [
            [3, rules + (1 << 224)], [3, rules + (1 << 240)], [4, uint256(0)], [change, uint256(1)]
        ];
        for (uint256 i = 0; i < forgeries.length; ++i) {
            uint256 before = vm.snapshotState();
            Deploy.Plan memory p = plan();
            deployForged(p, forgeries[i][0], bytes32(forgeries[i][1]));
            vm.expectPartialRevert(Deploy.InitCodeMismatch.selector);
            certifier.certify(p);
            vm.revertToState(before);
        }
    }

    /// @dev The storage root of the messenger that this queue has seen proven never was one.
    function test_a_queue_that_begins_with_proven_messages_is_not_certified() public {
        Deploy.Plan memory p = plan();
        Forgery[] memory forgeries = new Forgery[](1);
        forgeries[0] =
            Forgery(bytes32(uint256(16_384)), keccak256(abi.encode(0, "messages of mine")));
        (address rollup_, uint64 gas, uint64 data, uint64 percent) = abi.decode(
            arguments(p.parts[0].initCode, type(L1MessageQueue).creationCode.length),
            (address, uint64, uint64, uint64)
        );
        bytes memory honest = p.parts[0].initCode;
        p.parts[0].initCode = abi.encodePacked(
            type(ForgedQueue).creationCode, abi.encode(rollup_, gas, data, percent, forgeries)
        );
        certifier.deployAll(p);
        bytes32 got = keccak256(p.parts[0].initCode);
        p.parts[0].initCode = honest;
        vm.expectRevert(
            abi.encodeWithSelector(
                Deploy.InitCodeMismatch.selector,
                "L1MessageQueue",
                p.messageQueue,
                got,
                keccak256(honest)
            )
        );
        certifier.certify(p);
    }

    function test_without_forgery_the_same_way_is_certified() public {
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        certifier.certify(p);
    }

    // ------------------------------------------------------------------ what is said

    function forksOf(Deploy.Plan memory p) private returns (string memory) {
        certifier.say(p);
        return certifier.ofForks();
    }

    function guardianOf(Deploy.Plan memory p) private returns (string memory) {
        certifier.say(p);
        return certifier.ofGuardian();
    }

    function test_the_script_says_what_the_next_fork_of_l1_does_to_the_rollup() public {
        Deploy.Plan memory p;
        p.forkMode = INativeRollup.ForkMode.Follow;
        assertEq(forksOf(p), "forks: follow. Blocks have the fork that L1 had at their timestamp.");
        p.forkMode = INativeRollup.ForkMode.Registry;
        assertEq(
            forksOf(p),
            "forks: registry. Blocks have the fork of the current entry of L1's registry. Post all blocks before L1 forks: those that are not posted by then are lost."
        );
        p.forkMode = INativeRollup.ForkMode.Pinned;
        assertEq(
            forksOf(p),
            "forks: pinned, and no owner. L1's next fork stops this rollup FOR GOOD: no block will be accepted, no withdrawal be claimed, and deposits are locked."
        );
        // The owner of now, who may be another than at the beginning.
        p.owner = address(0xaa);
        assertTrue(vm.contains(forksOf(p), "FOR GOOD"));
        (p.owner, p.inForce.owner) = (address(0), address(0xaa));
        assertEq(
            forksOf(p),
            "forks: pinned. L1's next fork stops this rollup until the owner has added it."
        );
    }

    function test_the_script_says_who_may_pause_the_queue() public {
        Deploy.Plan memory p;
        assertEq(guardianOf(p), "guardian: none. No account can pause deposits or delay claims.");
        p.guardian = address(0xaa);
        assertEq(
            guardianOf(p),
            string.concat(
                "guardian, who may pause deposits and large claims: ", vm.toString(address(0xaa))
            )
        );
    }

    // ------------------------------------------------------------------ what has been changed since

    function test_what_an_owner_has_changed_is_certified_once_the_file_says_so() public {
        string[2][] memory changes = new string[2][](2);
        changes[0] = ["forks = \"follow\"", "forks = \"pinned\""];
        changes[1] = [NO_OWNER, OWNER];
        Deploy.Plan memory p = planOf(changes);
        certifier.deployAll(p);
        certifier.certify(p);
        NativeRollup r = NativeRollup(p.rollup);
        uint256 from = vm.getBlockTimestamp() + 8 days;
        vm.startPrank(address(0xaa));
        r.announce(INativeRollup.Change.Policy, 0xbb);
        r.announce(INativeRollup.Change.GasLimit, 12_000_000);
        r.announce(INativeRollup.Change.Fork, from << 16 | 0x1501);
        skip(6 days);
        r.clear(INativeRollup.Change.Policy, 0xbb);
        r.clear(INativeRollup.Change.GasLimit, 12_000_000);
        r.clear(INativeRollup.Change.Fork, from << 16 | 0x1501);
        skip(1 days);
        changes = new string[2][](3);
        changes[0] = ["forks = \"follow\"", "forks = \"pinned\""];
        changes[1] = ["# [in_force]", "[in_force]"];
        changes[2] = [NO_OWNER, OWNER];

        r.make(INativeRollup.Change.Policy, 0xbb);
        expectOutdated(planOf(changes), Deploy.PolicyMismatch.selector);
        changes[1][1] = string.concat(
            changes[1][1], "\npolicy = \"0x00000000000000000000000000000000000000bb\""
        );
        certifier.certify(planOf(changes));

        r.make(INativeRollup.Change.GasLimit, 12_000_000);
        expectOutdated(planOf(changes), Deploy.GasLimitMismatch.selector);
        changes[1][1] = string.concat(changes[1][1], "\ngas_limit = 12000000");
        certifier.certify(planOf(changes));

        r.make(INativeRollup.Change.Fork, from << 16 | 0x1501);
        expectOutdated(planOf(changes), Deploy.ForkCountMismatch.selector);
        string memory forks =
            string.concat("\nfork_schemas = [5377]\nfork_times = [", vm.toString(from), "]");
        changes[1][1] = string.concat(changes[1][1], forks);
        certifier.certify(planOf(changes));

        r.offerOwnership(address(this));
        vm.stopPrank();
        expectOutdated(planOf(changes), Deploy.OwnershipOffered.selector);
        r.takeOwnership();
        expectOutdated(planOf(changes), Deploy.OwnerMismatch.selector);
        changes[1][1] = string.concat(changes[1][1], "\nowner = ", quoted(abi.encodePacked(this)));
        certifier.certify(planOf(changes));
    }

    function expectOutdated(Deploy.Plan memory p, bytes4 selector) private {
        vm.expectPartialRevert(selector);
        certifier.certify(p);
    }

    function test_forks_in_force_have_schemas_and_times() public {
        string memory text =
            file(one(["# [in_force]", "[in_force]\nfork_schemas = [5377]\nfork_times = []"]));
        vm.expectRevert(abi.encodeWithSelector(RollupPlan.ForksIncomplete.selector, 1, 0));
        certifier.parse(text, address(certifier));
    }

    function test_forks_in_force_go_by_name_or_by_schema_and_others_are_refused() public {
        string[2] memory good = ["[\"amsterdam\"]", "[5377]"];
        for (uint256 i = 0; i < good.length; ++i) {
            RollupPlan.Plan memory p = certifier.parse(withForks(good[i]), address(certifier));
            assertEq(p.inForce.forks[1].schema, 0x1501);
        }
        string[2] memory bad = ["berlin", "5378"];
        string[2] memory lists = ["[\"berlin\"]", "[5378]"];
        for (uint256 i = 0; i < bad.length; ++i) {
            string memory text = withForks(lists[i]);
            vm.expectRevert(
                abi.encodeWithSelector(
                    TomlValues.ValueInvalid.selector,
                    "in_force.fork_schemas",
                    bad[i],
                    "a fork (prague, osaka, bpo1, bpo2 or amsterdam) or its schema id"
                )
            );
            certifier.parse(text, address(certifier));
        }
    }

    function withForks(string memory list) private returns (string memory) {
        string memory forks =
            string.concat("[in_force]\nfork_schemas = ", list, "\nfork_times = [1800000000]");
        return file(one(["# [in_force]", forks]));
    }

    function one(string[2] memory change) private pure returns (string[2][] memory changes) {
        changes = new string[2][](1);
        changes[0] = change;
    }

    /// @dev Blocks have been added: of the genesis the rollup holds no more than its state root.
    function test_a_rollup_that_has_moved_is_certified() public {
        Deploy.Plan memory p = plan();
        certifier.deployAll(p);
        uint256 head = uint256(vm.load(p.rollup, 0));
        vm.store(p.rollup, 0, bytes32(head + 8190 + (uint256(1) << 56)));
        vm.store(p.rollup, bytes32(uint256(1)), keccak256("newer"));
        certifier.certify(p);
        vm.store(p.rollup, bytes32(uint256(5)), keccak256("forged"));
        expectOutdated(p, Deploy.GenesisMismatch.selector);
        // Block 8191 has taken its place.
        vm.store(p.rollup, 0, bytes32(head + 8191 + (uint256(1) << 48)));
        certifier.certify(p);
    }

    // ------------------------------------------------------------------ what is written down

    function test_a_dry_run_leaves_the_file_and_its_folder_as_they_are() public {
        string memory folder = "cache/verify-dry-run";
        Deploy.Plan memory p = plan();
        p.file = string.concat(folder, "/deployment.json");
        if (vm.exists(folder)) vm.removeDir(folder, true);
        certifier.dry(true);
        certifier.write(p);
        assertFalse(vm.exists(folder));

        certifier.dry(false);
        certifier.write(p);
        string memory written = vm.readFile(p.file);
        assertEq(vm.parseJsonAddress(written, ".rollup"), p.rollup);

        Deploy.Plan memory other = planOf("my rollup", "another rollup");
        other.file = p.file;
        certifier.dry(true);
        certifier.write(other);
        assertEq(vm.readFile(p.file), written);

        certifier.dry(false);
        certifier.write(other);
        assertEq(vm.parseJsonAddress(vm.readFile(p.file), ".rollup"), other.rollup);
        vm.removeDir(folder, true);
    }

    /// @dev Nodes take the genesis from the file, so a file of another first block is another rollup.
    function test_a_deployment_file_of_another_hash_and_a_missing_one_are_refused() public {
        Deploy.Plan memory p = plan();
        string memory folder = "cache/verify-file";
        p.file = string.concat(folder, "/deployment.json");
        if (vm.exists(folder)) vm.removeDir(folder, true);
        vm.expectRevert(abi.encodeWithSelector(Deploy.DeploymentFileMissing.selector, p.file));
        certifier.compareFile(p);
        certifier.write(p);
        certifier.compareFile(p);
        bytes32 other = keccak256("other");
        string[2] memory keys = [".genesisHash", ".genesisStateRoot"];
        bytes32[2] memory right = [p.genesis.blockHash, p.genesis.stateRoot];
        string[2] memory names = ["block hash of the file", "state root of the file"];
        for (uint256 i = 0; i < 2; ++i) {
            vm.writeJson(quoted(abi.encode(other)), p.file, keys[i]);
            vm.expectRevert(
                abi.encodeWithSelector(Deploy.GenesisMismatch.selector, names[i], other, right[i])
            );
            certifier.compareFile(p);
            vm.writeJson(quoted(abi.encode(right[i])), p.file, keys[i]);
            certifier.compareFile(p);
        }
        vm.writeJson("\"0x00000000000000000000000000000000000000aa\"", p.file, ".rollup");
        vm.expectPartialRevert(Deploy.LinkMismatch.selector);
        certifier.compareFile(p);
        vm.removeDir(folder, true);
    }

    // ------------------------------------------------------------------ EXECUTE

    function test_only_a_result_of_the_probe_says_whether_there_is_execute() public {
        assertFalse(certifier.isExecute(abi.encode(true)));
        assertTrue(certifier.isExecute(abi.encode(false)));
        bytes[3] memory others = [bytes(""), abi.encode(uint256(2)), abi.encode(false, false)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(ScriptChain.ProbeNotAnswered.selector, others[i])
            );
            certifier.isExecute(others[i]);
        }
    }
}
