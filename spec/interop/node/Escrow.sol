// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

interface IToken {
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// The escrow of compute futures, written anew from its published interface: a depositor's USDC is held
/// here, the operator draws it down job by job, the rest can be taken back at any time.
contract Escrow {
    struct Account {
        uint256 deposited;
        uint256 balance;
        uint256 totalDrawn;
        uint256 totalRefunded;
        uint256 jobCount;
        uint8 tier;
        bool exists;
    }

    uint256 public constant TIER_BUILDER = 10_000_000;
    uint256 public constant TIER_SCALE = 50_000_000;
    uint256 public constant TIER_ENTERPRISE = 200_000_000;
    uint256 public constant DISCOUNT_STARTER = 0;
    uint256 public constant DISCOUNT_BUILDER = 500;
    uint256 public constant DISCOUNT_SCALE = 1000;
    uint256 public constant DISCOUNT_ENTERPRISE = 1500;

    address public immutable usdc;
    address public operator;
    address public pendingOperator;
    uint256 public totalDeposits;
    address[] public depositors;
    mapping(address => Account) public accounts;
    bool private entered;

    event Deposited(address indexed depositor, uint256 amount, uint256 newBalance, uint8 tier);
    event DrawnDown(address indexed depositor, uint256 amount, uint256 remaining, uint256 jobCount);
    event Refunded(address indexed depositor, uint256 amount, uint256 remaining);
    event OperatorTransferStarted(address indexed previous, address indexed next);
    event OperatorTransferred(address indexed previous, address indexed next);

    error OnlyOperator();
    error OnlyPendingOperator();
    error ZeroAddress();
    error ZeroAmount();
    error AccountNotFound();
    error InsufficientBalance(uint256 requested, uint256 available);
    error ReentrancyGuardReentrantCall();
    error SafeERC20FailedOperation(address token);

    constructor(address usdc_, address operator_) {
        if (usdc_ == address(0) || operator_ == address(0)) revert ZeroAddress();
        usdc = usdc_;
        operator = operator_;
    }

    modifier guarded() {
        if (entered) revert ReentrancyGuardReentrantCall();
        entered = true;
        _;
        entered = false;
    }

    modifier onlyOperator() {
        if (msg.sender != operator) revert OnlyOperator();
        _;
    }

    function deposit(uint256 amount) external guarded {
        if (amount == 0) revert ZeroAmount();
        Account storage account = accounts[msg.sender];
        if (!account.exists) {
            account.exists = true;
            depositors.push(msg.sender);
        }
        if (!IToken(usdc).transferFrom(msg.sender, address(this), amount)) revert SafeERC20FailedOperation(usdc);
        account.deposited += amount;
        account.balance += amount;
        account.tier = tierOf(account.balance);
        totalDeposits += amount;
        emit Deposited(msg.sender, amount, account.balance, account.tier);
    }

    function drawdown(address depositor, uint256 amount) external guarded onlyOperator {
        if (amount == 0) revert ZeroAmount();
        Account storage account = found(depositor);
        take(account, amount);
        account.totalDrawn += amount;
        account.jobCount += 1;
        account.tier = tierOf(account.balance);
        pay(operator, amount);
        emit DrawnDown(depositor, amount, account.balance, account.jobCount);
    }

    function refund() external guarded {
        Account storage account = found(msg.sender);
        uint256 amount = account.balance;
        if (amount == 0) revert ZeroAmount();
        take(account, amount);
        account.totalRefunded += amount;
        account.tier = 0;
        pay(msg.sender, amount);
        emit Refunded(msg.sender, amount, 0);
    }

    function refundPartial(uint256 amount) external guarded {
        if (amount == 0) revert ZeroAmount();
        Account storage account = found(msg.sender);
        take(account, amount);
        account.totalRefunded += amount;
        account.tier = tierOf(account.balance);
        pay(msg.sender, amount);
        emit Refunded(msg.sender, amount, account.balance);
    }

    function transferOperator(address next) external onlyOperator {
        if (next == address(0)) revert ZeroAddress();
        pendingOperator = next;
        emit OperatorTransferStarted(operator, next);
    }

    function acceptOperator() external {
        if (msg.sender != pendingOperator) revert OnlyPendingOperator();
        emit OperatorTransferred(operator, msg.sender);
        operator = msg.sender;
        pendingOperator = address(0);
    }

    /// balance, deposited, totalDrawn, totalRefunded, jobCount, tier, discountBps: not the struct's order.
    function getAccount(address depositor)
        external view
        returns (uint256, uint256, uint256, uint256, uint256, uint8, uint256)
    {
        Account storage a = accounts[depositor];
        return (a.balance, a.deposited, a.totalDrawn, a.totalRefunded, a.jobCount, a.tier, getDiscount(a.tier));
    }

    function balanceOf(address depositor) external view returns (uint256) {
        return accounts[depositor].balance;
    }

    function depositorCount() external view returns (uint256) {
        return depositors.length;
    }

    function getDiscount(uint8 tier) public pure returns (uint256) {
        if (tier == 3) return DISCOUNT_ENTERPRISE;
        if (tier == 2) return DISCOUNT_SCALE;
        if (tier == 1) return DISCOUNT_BUILDER;
        return DISCOUNT_STARTER;
    }

    function tierOf(uint256 balance) private pure returns (uint8) {
        if (balance >= TIER_ENTERPRISE) return 3;
        if (balance >= TIER_SCALE) return 2;
        if (balance >= TIER_BUILDER) return 1;
        return 0;
    }

    function found(address depositor) private view returns (Account storage account) {
        account = accounts[depositor];
        if (!account.exists) revert AccountNotFound();
    }

    function take(Account storage account, uint256 amount) private {
        if (amount > account.balance) revert InsufficientBalance(amount, account.balance);
        account.balance -= amount;
        totalDeposits -= amount;
    }

    function pay(address to, uint256 amount) private {
        if (!IToken(usdc).transfer(to, amount)) revert SafeERC20FailedOperation(usdc);
    }
}
