// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// The one function of Multicall3 with which the official facilitator looks why a payment failed.
contract Multicall {
    struct Call { address target; bytes callData; }
    struct Result { bool success; bytes returnData; }

    function tryAggregate(bool requireSuccess, Call[] calldata calls) external payable returns (Result[] memory out) {
        out = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (out[i].success, out[i].returnData) = calls[i].target.call(calls[i].callData);
            require(out[i].success || !requireSuccess, "Multicall: call failed");
        }
    }
}
