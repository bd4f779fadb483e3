// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Deploy} from "../../script/Deploy.s.sol";
import {ExampleFixture} from "./ExampleFixture.sol";

/// @dev The script without broadcasts.
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

    /// @dev Output of the script about forks and guardian. It is in storage, because the functions
    /// are `view` when mutants are tested.
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

/// @title Deployments of configuration files that differ from the example in some values
/// @dev A deployer can run any init code at the addresses of the configuration. Others rely on
/// `verify` before they send ETH there.
abstract contract VerifyFixture is ExampleFixture {
    Certifier internal certifier = new Certifier();

    string internal constant NO_OWNER = "owner = \"0x0000000000000000000000000000000000000000\"";
    string internal constant OWNER = "owner = \"0x00000000000000000000000000000000000000aa\"";

    function setUp() public virtual override {
        super.setUp();
        install(certifier.factory());
    }

    function file(string[2][] memory changes) internal returns (string memory text) {
        text = file();
        for (uint256 i = 0; i < changes.length; ++i) {
            text = changed(text, changes[i][0], changes[i][1]);
        }
    }

    function planOf(string[2][] memory changes) internal returns (Deploy.Plan memory) {
        return certifier.parse(file(changes), address(certifier));
    }

    function plan() internal returns (Deploy.Plan memory) {
        return planOf(new string[2][](0));
    }

    function planOf(string memory from, string memory to) internal returns (Deploy.Plan memory) {
        string[2][] memory changes = new string[2][](1);
        changes[0] = [from, to];
        return planOf(changes);
    }
}
