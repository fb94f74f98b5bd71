---@meta spraay
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241
--- What `require "spraay"` gives, for editors (LuaCATS, https://luals.github.io/wiki/annotations/). Never
-- required.
--
-- Units: money is a decimal string of USDC ("0.05"), `atomic` a digit string of its millionths, time is in
-- seconds, a moment in seconds since 1970-01-01 UTC, a network is a CAIP-2 id (https://chainagnostic.org),
-- an address is EVM hex. Payments are x402 (https://x402.org), EIP-3009 authorizations over EIP-712.
--
-- Whatever fails returns nil, a sentence and an error value; with open { errors = "raise" } the methods of a
-- client and of what it gives throw the error value instead.

---@alias spraay.Amount string|spraay.Usdc  decimal USDC such as "0.05"; never a number

---@alias spraay.ErrorKind
---| "usage"       # the call was made wrongly; nothing was sent
---| "policy"      # an offer the policy does not allow, or a refused approval
---| "budget"      # budget, per_day or per_host would be exceeded
---| "wallet"      # no key, or one that cannot be used
---| "connection"  # the network failed
---| "timeout"     # not done in time
---| "payment"     # the payment was refused, or its outcome is unknown
---| "gateway"     # the gateway or its provider answered with an error
---| "ledger"      # the memory of purchases cannot be written
---| "cancelled"   # the task was cancelled

---@class spraay.Error  tostring(err) is its sentence
---@field kind spraay.ErrorKind
---@field code string?  a finer word, such as "over_max", "price_raised", "reset", "paid_lost", "dry_run"
---@field message string  what happened
---@field hint string?  what to do
---@field status integer?  HTTP status, when there was an answer
---@field paid "no"|"yes"|"maybe"
---@field expect "no"|"yes"|nil  with paid = "maybe": what is likely
---@field until_ integer?  with paid = "maybe": when the open payment dies, seconds since 1970
---@field amount string?  what was or may have been paid, "0.030000"
---@field purchase string?  id of the purchase
---@field results table?  what of a compound call was paid for and delivered; false where not
---@field errors table?  the error of each part of a compound call that failed, by index
---@field retry_after number?  seconds the gateway asks to wait
---@field body any  the gateway's answer, decoded when it was JSON
---@field headers table<string, string>?  the answer's, names in lower case
---@field terms spraay.Terms?  of a dry run: what would have been paid
---@field task spraay.Task?  the task that goes on after `within`, or after task:wait { timeout = … }
---@field transaction string?  of a deposit or refund: the one that is meant
---@field gas string?  of the same: ETH that went for gas
---@field dialect "ledger"|"escrow"|nil  code = "dialect": of the gateway
---@field job spraay.Job?  the job that failed, or that goes on after job:wait
---@field thrown any  with code "thrown": what a function of the caller's threw

---@alias spraay.PaymentStatus "settled"|"free"|"restored"|"unconfirmed"|"credits"

---@class spraay.Payment
---@field status spraay.PaymentStatus
---@field amount string?  "0.030000"
---@field network string?  CAIP-2
---@field transaction string?
---@field payer string?
---@field purchase string?
---@field parts spraay.Payment[]?  of a compound call
---@field gas string?  ETH, of transactions of the wallet's own
---@field gas_usd string?  the same in dollars, where gas.eth_usd is set

---@class spraay.Billing  compute futures: what the account was charged; exact decimal strings
---@field charged string?
---@field balance string?
---@field base_price string?
---@field discount string?
---@field job_number integer?
---@field status string?
---@field transaction string?  escrow: by which the account was drawn on
---@field warning string?  escrow: that the next job has a lower discount
---@field original table?  the gateway's own texts

---@class spraay.Result  unknown fields read through to body
---@field body any  the decoded answer, untouched
---@field text string?
---@field urls string[]?
---@field vectors number[][]?
---@field payment spraay.Payment
---@field billing spraay.Billing?
---@field status string?  of media work: processing completed failed canceled
---@field raw_status string?  the gateway's own word
---@field http { status: integer, headers: table<string, string> }?  of client:request and sessions
---@field errors table<integer, spraay.Error>?  of a batch: the jobs that failed
---@field [any] any
local Result = {}

--- Save the output; a path that ends in "/" is a directory.
---@param path string
---@return string|string[]|nil path  a list when there were several links
---@return string? message
---@return spraay.Error? err
function Result:save(path) end

-- The next four are of an answer asked for with { stream = true }; on any other they raise a usage error.

--- The next bytes; nil alone at the end; nil, message, err when the answer broke off. The last word on the money is
--- then in err, or in result.payment.
---@return string? bytes
---@return string? message
---@return spraay.Error? err
function Result:read() end

---@class spraay.Event  a server-sent event, https://html.spec.whatwg.org/multipage/server-sent-events.html
---@field event string  "message" unless named
---@field data string
---@field id string?
---@field json table?  data decoded, when it is JSON
---@field text string?  of a chat's chunk: what it adds

--- The next event, as read gives bytes. "[DONE]", with which chat servers end, is left out.
---@return spraay.Event? event
---@return string? message
---@return spraay.Error? err
function Result:event() end

--- Iterate over the events; an answer that breaks off raises its error (spraay.Error). Leaving the loop closes the
--- answer on 5.4. On PUC 5.1 other tasks wait while the loop does: call event() in a while loop there.
---@return fun(): spraay.Event?
function Result:events() end

--- Enough: the connection is closed, and what has come counts as what was bought. Without it an answer that is left in
--- the middle is received to its end, for an equal call.
function Result:close() end

---@class spraay.Job  work the gateway has begun: video always, other media when it takes long
---@field id string
---@field kind string?  image video speak transcribe gpu
---@field status "processing"|"completed"|"failed"|"canceled"
---@field raw_status string?
---@field urls string[]?  when completed
---@field text string?
---@field body table?  the last answer about it
---@field payment spraay.Payment?  of the call that began it and the looks
---@field billing spraay.Billing?
---@field [any] any  unknown fields read through to the last answer
local Job = {}

--- Look once (0.001 USDC); free when the job is known to have ended.
---@param options? spraay.CallOptions
---@return spraay.Job? job
---@return string? message
---@return spraay.Error? err
function Job:poll(options) end

---@class spraay.WaitOptions
---@field timeout number?  seconds, 600 unless told
---@field polls integer?  most looks, 10 unless told
---@field max spraay.Amount?  most one look may cost
---@field on_progress (fun(job: spraay.Job))?

--- Wait until it has ended, looking seldom: each look costs 0.001 USDC.
---@param options? spraay.WaitOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Job:wait(options) end

--- Save the output of a job that has completed.
---@param path string
---@return string|string[]|nil path
---@return string? message
---@return spraay.Error? err
function Job:save(path) end

---@class spraay.Terms  what is asked before a signature, and what a quote gives
---@field verb string
---@field amount string  "0.030000"
---@field atomic string  millionths of a USDC
---@field network string  CAIP-2
---@field network_name string  "base"
---@field asset string
---@field symbol string?
---@field pay_to string
---@field payer string?
---@field price string?  the published price of the route
---@field fee_payer string?  on Solana: who signs last
---@field memo string?  on Solana: what the server demands to be written into the transfer, for all to read
---@field self_paid boolean?  by a transfer of the wallet's own that is sent first: solana_tx in spraay.OpenOptions
---@field url string
---@field method string
---@field valid_for integer?  seconds
---@field purchase string?
---@field free boolean?  quotes of free routes
---@field requests integer?  quotes of a list to embed: how many purchases
---@field total string?  and their sum

---@class spraay.CallOptions  the last table of every verb
---@field max spraay.Amount?  most one purchase of this call may cost
---@field timeout number?  seconds, as open's timeout.total
---@field purchase string?  a name for the intent: it is paid for once, whoever calls; its result and files are kept
---@field again boolean?  buy anew what was bought before
---@field once boolean?  of client:request and sessions: one payment for this method and URL, whatever the body, as
---  long as the ledger remembers it; later calls get the stored answer. Of other verbs: a payment is presented once
---@field on_lost "fail"|"repay"|nil  as in spraay.OpenOptions
---@field scope string?  keeps equal calls of different parts apart
---@field headers table<string, string>?  sent along
---@field unchecked boolean?  do not check the model against the known ones

---@class spraay.RequestOptions : spraay.CallOptions
---@field content_type string?  of the body, application/json unless told
---@field stream boolean?  the result comes with the answer's head; its body is read from it. timeout holds until the
---  head is here, then only timeout.idle of spraay.open does

---@class spraay.Timeouts  seconds
---@field connect number?  10 unless told
---@field idle number?  without a byte once the answer has begun, 60 unless told
---@field total number?  of a whole call, 180 unless told

---@class spraay.Asset  a token beside USDC that may be paid
---@field network string
---@field asset string  its contract
---@field name string  its EIP-712 name
---@field version string  its EIP-712 version
---@field decimals integer

---@class spraay.HttpRequest  what a transport is given
---@field method string
---@field url string
---@field headers table<string, string>
---@field body string
---@field timeout number  seconds that are left for it
---@field fresh boolean?  a payment that cannot be presented twice: no connection that was kept may carry it

---@class spraay.HttpResponse  what a transport gives back, in lua-resty-http's shape
---@field status integer
---@field headers table<string, string|string[]>|string[][]|nil
---@field body string?

---@class spraay.OpenOptions
---@field gateway string?  default $SPRAAY_GATEWAY, else production
---@field wallet spraay.Wallet|spraay.Wallet[]|false|nil  one per rail; default: those of the environment
---@field networks string[]?  order of preference; names or CAIP-2 ids
---@field per_call spraay.Amount?  most one purchase may cost, "0.60" unless told
---@field per_day spraay.Amount|false|nil  most in 24 h, "5.00" unless told
---@field per_host spraay.Amount|false|nil  most one host may be paid
---@field budget spraay.Amount|false|nil  most this client may commit; with run or scope, most that run may, or all
---  clients of that scope together, in every process that shares the ledger and for as long as it lasts
---@field run string?  names the run: killed anywhere and started again, it pays for nothing twice, and the results and
---  files that had arrived are there again (payment.status = "restored"); one live process at a time
---@field scope string?  keeps equal calls of different clients apart, and gives those of one scope one budget
---@field on_pay (fun(terms: spraay.Terms): boolean, string?)?  last word before a signature: true alone allows it
---@field ledger string|false|nil  the file that remembers purchases, "~/" at its start is home; false: the memory of
---  this process. Default: ledger.db in $SPRAAY_STATE_DIR, $XDG_STATE_HOME/spraay or ~/.local/state/spraay
---@field hosts string[]?  other origins that may be paid
---@field pay_to string|string[]|nil  receivers that may be paid
---@field assets spraay.Asset[]?  other tokens
---@field prices table<string, spraay.Amount>?  by verb or path, over the published prices compiled in
---@field rpc table<string, string|false>|false|nil  by network: where chains are asked; false: nowhere
---@field timeout number|spraay.Timeouts|nil  seconds; a number is the total
---@field retries integer?  of requests before payment, 2 unless told
---@field rate boolean|{ limit: integer?, window: number? }|nil  space calls under the gateway's limiter;
---  requests a path, and seconds; on for the production gateway
---@field clock (fun(): number)?  seconds since 1970
---@field on_lost "fail"|"repay"|nil  when the result of a settled payment is lost: fail (unless told), or buy it
---  again once the chain says that it was paid
---@field first_request_payment false|nil  this version never pays before it was asked
---@field solana_tx boolean?  pay for gpu and gpu_status with a transfer of the wallet's own on Solana, which the
---  request then names (X-Solana-Tx), where the gateway's offer says that it takes one. It costs SOL, moves the money
---  before the work begins, and is not given back when the work fails; whoever sees it on the chain can name it, too.
---  Everything else is paid as ever. Needs a Solana key and rpc = { solana = … }
---@field api_key string?  default $SPRAAY_API_KEY; sent to the gateway alone
---@field headers table<string, string>?  sent with every request to the gateway
---@field proxy string?  URL
---@field ca_file string?  certificates to trust instead of the system's
---@field resolve string[]?  "host:port:address"
---@field transport (fun(request: spraay.HttpRequest): spraay.HttpResponse?, string?)?  carries every request
---@field futures "ledger"|"escrow"|nil  the dialect of compute futures; told by the gateway's answers unless forced
---@field escrow table<string, string>?  by network: the escrow contract of a gateway other than production
---@field gas spraay.GasOptions?  what transactions of the wallet's own may cost
---@field errors "return"|"raise"|nil  "return" gives nil, message, err; "raise" throws err
---@field log (fun(line: string))|boolean|"stderr"|nil  a line a call; default $SPRAAY_LOG
---@field dry_run boolean?  ask for the price and sign nothing; default $SPRAAY_DRY_RUN

---@class spraay.GasOptions
---@field max_eth string?  most ETH that one deposit or refund may offer for gas, "0.0005" unless told
---@field eth_usd spraay.Amount?  what an ETH is worth, to show gas in dollars too
---@field bump_after number?  seconds without a block after which the fee is raised, 30 unless told
---@field confirmations integer?  blocks that must hold a transaction before it is believed, 1 unless told

---@class spraay.Client
---@field futures spraay.Futures
local Client = {}

---@class spraay.Message
---@field role string
---@field content string|table

---@class spraay.ChatArguments
---@field messages string|spraay.Message[]
---@field model string?
---@field max_tokens integer?  1024 unless told
---@field temperature number?  0.7 unless told

--- 0.03 USDC.
---@param arguments string|spraay.ChatArguments
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:chat(arguments, options) end

---@class spraay.ImageArguments
---@field prompt string
---@field model string?
---@field width integer?  1024 unless told
---@field height integer?  1024 unless told
---@field num_outputs integer?  1 unless told

--- 0.03 USDC. A job when the image takes longer than the gateway waits.
---@param arguments string|spraay.ImageArguments
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Client:image(arguments, options) end

---@class spraay.VideoArguments
---@field prompt string
---@field model string?
---@field duration_seconds number?  4 unless told

--- 0.50 USDC.
---@param arguments string|spraay.VideoArguments
---@param options? spraay.CallOptions
---@return spraay.Job? job
---@return string? message
---@return spraay.Error? err
function Client:video(arguments, options) end

---@class spraay.SpeakArguments
---@field text string
---@field language string?  "en" unless told
---@field model string?

--- 0.03 USDC. A job when it takes long.
---@param arguments string|spraay.SpeakArguments
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Client:speak(arguments, options) end

---@class spraay.TranscribeArguments
---@field audio_url string  http or https
---@field model string?

--- 0.02 USDC. A job when it takes long.
---@param arguments string|spraay.TranscribeArguments
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Client:transcribe(arguments, options) end

---@class spraay.EmbedArguments
---@field input string|string[]
---@field model string?

--- 0.005 USDC per text, or 0.05 for up to fifty. One vector per input, in order.
---@param arguments string|string[]|spraay.EmbedArguments
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:embed(arguments, options) end

--- 0.05 USDC for up to fifty jobs. result[i] is a result, a job, or an error (also in result.errors[i]).
---@param jobs table[]  { type = "chat", … }
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:batch(jobs, options) end

---@class spraay.GpuArguments
---@field model string  a short name, or "owner/name"
---@field input table  what the model takes
---@field version string?
---@field webhook string?  URL; treat what comes there as a hint to look

--- 0.06 USDC. A job when it takes long.
---@param arguments spraay.GpuArguments
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Client:gpu(arguments, options) end

--- 0.001 USDC.
---@param id string
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:status(id, options) end

--- 0.005 USDC; client:status knows gpu jobs too and costs less.
---@param id string
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:gpu_status(id, options) end

--- A job made anew from its id; free.
---@param id string
---@param kind? string  image video speak transcribe gpu
---@return spraay.Job? job
---@return string? message
---@return spraay.Error? err
function Client:job(id, kind) end

--- Free.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:models(options) end

---@class spraay.EstimateArguments
---@field type string  chat image video speak transcribe embed
---@field model string?
---@field count integer?  1 unless told

--- Free. List prices, not what a call is charged.
---@param arguments spraay.EstimateArguments
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:estimate(arguments, options) end

--- Free.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:gpu_models(options) end

--- Free: /.well-known/x402.json.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:discover(options) end

--- Free.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:health(options) end

--- Any request to anything that speaks x402.
---@param method string
---@param path_or_url string
---@param body? table|string  a table is sent as JSON
---@param options? spraay.RequestOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Client:request(method, path_or_url, body, options) end

--- The gateway's terms for a call; nothing is signed, and no wallet is needed.
---@param verb string
---@param arguments any
---@param options? spraay.CallOptions
---@return spraay.Terms? terms
---@return string? message
---@return spraay.Error? err
function Client:quote(verb, arguments, options) end

---@class spraay.PlanOption
---@field name "per_call"|"batch"|"ledger"|"escrow"
---@field cost string  USDC, fees and all: "0.365000"; gas too where gas.eth_usd is set
---@field calls integer?  of per_call and batch
---@field deposit string?  of the accounts: what to deposit
---@field tier string?  the discount it begins with
---@field drawn string?  what the jobs take from it
---@field fees string?  what is paid at the gate
---@field refunded string?  escrow: what is left
---@field gas string?  escrow: ETH for approval, deposit and refund, as the node tells now
---@field gas_usd string?
---@field available boolean  false for the dialect that this gateway does not keep

---@class spraay.PlanJob
---@field type string
---@field model string
---@field label string
---@field count integer
---@field per_call string  the price of one
---@field list_price string
---@field futures table<string, string>  by tier: fee and discounted list price of one
---@field cheaper string  "per call", "futures", or "futures from 5% on"

---@class spraay.Plan  tostring(plan) is a small table
---@field best "per_call"|"batch"|"ledger"|"escrow"
---@field reason string
---@field count integer
---@field options table<string, spraay.PlanOption>
---@field jobs spraay.PlanJob[]
---@field dialect "ledger"|"escrow"|nil  of the gateway, where it is known

--- What a list of jobs would cost per call, in batches and from a prepaid account, and which is the cheapest. A deposit
--- is only planned within per_day. Pays for nothing.
---@param jobs table[]  { type = "chat", model = …, count = 100 }
---@return spraay.Plan? plan
---@return string? message
---@return spraay.Error? err
function Client:plan(jobs) end

---@class spraay.PurchaseFilter
---@field state string?  one of spraay.Purchase's, or "open"
---@field run string?
---@field since number?  begun at this moment or later
---@field id string?
---@field origin string?
---@field limit integer?

---@class spraay.Purchase  on record
---@field id string
---@field state "intent"|"reserved"|"asked"|"signed"|"sent"|"unknown"|"void"|"paid_lost"|"delivered"|"taken"
---@field amount string  what it spent or may spend, "0.030000"
---@field network string?  "base", or a CAIP-2 id
---@field named boolean  by run or purchase=
---@field run string?
---@field step string?
---@field verb string?
---@field model string?
---@field route string?  "compute/text-inference"
---@field method string?
---@field url string?
---@field origin string?
---@field payer string?
---@field pay_to string?
---@field asset string?
---@field nonce string?  of its authorizations
---@field memo string?  on Solana: of its transfers, unless the server demanded another
---@field epoch integer?
---@field created integer?
---@field signed_at integer?
---@field valid_before integer?
---@field spent_at integer?
---@field sends integer?  how often it was presented
---@field payment "settled"|"unconfirmed"|nil
---@field transaction string?
---@field note string?  what happened last
---@field live boolean  a call holds it
---@field hand "void"|"settle"|nil  closed by its owner's word

--- Purchases on record, oldest first.
---@param filter? spraay.PurchaseFilter
---@return spraay.Purchase[]? purchases
---@return string? message
---@return spraay.Error? err
function Client:purchases(filter) end

---@class spraay.ReconcileOptions
---@field timeout number?  seconds, timeout.total unless told

---@class spraay.Reconciled
---@field id string
---@field before string
---@field after string
---@field amount string
---@field verb string?
---@field run string?
---@field hint string?

---@class spraay.Reconciliation
---@field void integer  proven never to have settled
---@field paid_lost integer  settled, and the result is lost
---@field delivered integer  the result is on record
---@field open integer  still unknown
---@field purchases spraay.Reconciled[]

--- Ask the chain what became of the open purchases of this ledger. Reads only; never pays.
---@param options? spraay.ReconcileOptions
---@return spraay.Reconciliation? summary
---@return string? message
---@return spraay.Error? err
function Client:reconcile(options) end

--- fn() as a named part of a named run; steps inside steps are joined with "/". Returns what fn returns, and
--- what it throws goes on.
---@param name string
---@param fn fun(): ...
---@return any ...
function Client:step(name, fn) end

---@class spraay.Summary  tostring(summary) is a small table
---@field settled string  paid, by the run over all processes, or by this client
---@field open string  may have been paid
---@field refused integer  calls of this client that its policy or budget refused, in this process
---@field restored integer  calls of this client that got an answer paid for before, in this process
---@field budget string?
---@field left string?  of the budget
---@field run string?
---@field purchases table[]  the open ones, each a spraay.Purchase with a hint how to go on

---@return spraay.Summary? summary
---@return string? message
---@return spraay.Error? err
function Client:summary() end

--- The address that pays: with two wallets that of the first network, or of the one named.
---@param network? string
---@return string? address
---@return string? message
---@return spraay.Error? err
function Client:address(network) end

---@return boolean
function Client:close() end

---@class spraay.Futures
local Futures = {}

---@class spraay.DepositArguments
---@field amount spraay.Amount  from 1 USDC on
---@field confirm boolean?  escrow: have the gateway write the transactions out (0.01 USDC) and compare them
---@field depositor string?  the wallet's address unless told; in the escrow dialect it can be no other
---@field expires_in_days integer?  90 unless told; the escrow has no expiry

--- Deposit credit. Ledger: the call costs 0.01 USDC. Escrow: two transactions of the wallet's own; the amount counts
--- against per_day and budget, gas has a cap of its own. Where the dialect is not known, 0.001 USDC to ask;
--- the ledger remembers the answer for other processes, whose first deposit has it confirmed by a call that takes none.
---@param arguments string|spraay.DepositArguments
---@param options? spraay.CallOptions
---@return spraay.Account? account
---@return string? message
---@return spraay.Error? err
function Futures:deposit(arguments, options) end

---@param id string  CFE-… of the ledger dialect, or the depositor's address in the escrow dialect
---@return spraay.Account? account
---@return string? message
---@return spraay.Error? err
function Futures:account(id) end

--- 0.001 USDC.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Futures:pricing(options) end

---@class spraay.Account  whoever knows the id can spend it
---@field id string  CFE-…, or the depositor's address
---@field dialect "ledger"|"escrow"
---@field address string?  escrow
---@field contract string?  escrow, of an account just deposited
---@field network string?  the same
---@field transaction string?  the same: of the deposit
---@field balance_at_deposit string?  "50.000000"
---@field warning string?  escrow: that the discount follows the balance
---@field depositor string?
---@field deposited string?  "50.000000"
---@field tier string?
---@field discount string?
---@field expires_at string?
---@field payment spraay.Payment?
local Account = {}

--- 0.001 USDC, and the discounted list price from the balance.
---@param arguments table  { type = "chat", … }
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Account:execute(arguments, options) end

---@param arguments string|spraay.ChatArguments
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Account:chat(arguments, options) end

---@param arguments string|table
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Account:image(arguments, options) end

---@param arguments string|table
---@param options? spraay.CallOptions
---@return spraay.Job? job
---@return string? message
---@return spraay.Error? err
function Account:video(arguments, options) end

---@param arguments string|table
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Account:speak(arguments, options) end

---@param arguments string|table
---@param options? spraay.CallOptions
---@return spraay.Result|spraay.Job|nil result
---@return string? message
---@return spraay.Error? err
function Account:transcribe(arguments, options) end

---@param arguments string|string[]|table
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Account:embed(arguments, options) end

--- result.balance, .deposited, .used, .job_count. Ledger: 0.001 USDC. Escrow: read from the contract, which is free,
--- or with { via = "gateway" } for 0.001 USDC.
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Account:balance(options) end

---@class spraay.HistoryEntry  one job, newest first in result.entries; amounts such as "0.028500"
---@field charged string
---@field balance_before string
---@field balance_after string
---@field time integer?  seconds since 1970: the gateway's, or the block's where the node tells it
---@field timestamp string?  ledger: the same as the gateway wrote it
---@field type string?  ledger
---@field model string?  ledger
---@field label string?  ledger: the model's name for people
---@field base_price string?  ledger: before the discount
---@field job_number integer?  escrow
---@field transaction string?  escrow: that drew the amount
---@field block integer?  escrow

--- result.entries, newest first. Ledger: 0.002 USDC. Escrow: read from the contract's events, which is free;
--- result.complete is false where the node's time ran out.
---@param arguments? { limit: integer? }
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Account:history(arguments, options) end

--- result.refunded. Ledger: 0.01 USDC. Escrow: a transaction of the wallet's own; { amount = "10" } takes a part,
--- { confirm = true } has the gateway's own compared first (0.01 USDC).
---@param options? spraay.CallOptions
---@return spraay.Result? result
---@return string? message
---@return spraay.Error? err
function Account:refund(options) end

---@class spraay.Wallet  the key stays in memory of the core
local Wallet = {}

---@return string? address
---@return string? message
---@return spraay.Error? err
function Wallet:address() end

--- Where it pays; the key is not opened for that.
---@return "evm"|"solana"
function Wallet:rail() end

--- Forget the key.
function Wallet:close() end

---@class spraay.SignerOptions
---@field address string  the one that pays
---@field sign fun(typed_data: string, digest: string, terms: spraay.Terms): string?, string?
---  gets the EIP-712 document as JSON and its digest as hex; gives the signature as hex, or nil and why not
---@field nonce_secret string?  16 bytes or more, always the same: nonces are derived from it

---@class spraay.Wallets
local wallet = {}

--- 64 hex digits are a key of an EVM chain; 64 bytes in base58, or as a JSON list, one of Solana.
---@param name? string  SPRAAY_PRIVATE_KEY unless told
---@return spraay.Wallet? wallet
---@return string? message
---@return spraay.Error? err
function wallet.env(name) end

---@param path string
---@return spraay.Wallet? wallet
---@return string? message
---@return spraay.Error? err
function wallet.file(path) end

---@param options spraay.SignerOptions
---@return spraay.Wallet? wallet
---@return string? message
---@return spraay.Error? err
function wallet.signer(options) end

--- A key in memory, for loopback gateways.
---@return spraay.Wallet? wallet
---@return string? message
---@return spraay.Error? err
function wallet.generate() end

--- Not in this version.
---@return nil, string, spraay.Error
function wallet.keystore() end

--- A Solana key in a file of yours: the id.json of Solana's tools, or its 64 bytes in base58.
---@param path string
---@return spraay.Wallet? wallet
---@return string? message
---@return spraay.Error? err
function wallet.solana(path) end

---@class spraay.Usdc  exact; + - < <= == among its own kind, * integer, tostring
---@operator add(spraay.Usdc): spraay.Usdc
---@operator sub(spraay.Usdc): spraay.Usdc
---@operator mul(integer): spraay.Usdc

---@class spraay.Task
local Task = {}

---@param options? { timeout: number? }
---@return any ...  the function's results, or nil, message, err
function Task:wait(options) end

---@return boolean
function Task:done() end

--- "aborted": nothing was sent. "detached": a payment had left; an equal call gets its answer.
---@return "aborted"|"detached"|"done"
function Task:cancel() end

---@class spraay.Session
local Session = {}

---@param status? integer|false  false: no answer came, and `headers` says why
---@param headers? table|string
---@param body? string
---@return "send"|"done"|nil what
---@return table<string, string>|spraay.Result|string|nil value
---@return spraay.Error? err
function Session:step(status, headers, body) end

---@return "aborted"|"detached"|"done"
function Session:cancel() end

---@class spraay.SessionRequest
---@field url string  or a path of the gateway
---@field method string?  GET unless told
---@field headers table<string, string>?
---@field body table|string|nil  a table is sent as JSON
---@field content_type string?

---@class spraay.X402
local x402 = {}

---@param client spraay.Client
---@param request spraay.SessionRequest
---@param options? spraay.CallOptions
---@return spraay.Session? session
---@return string? message
---@return spraay.Error? err
function x402.session(client, request, options) end

--- Unjournaled.
---@param status integer
---@param headers table
---@param body? string
---@return table? offer
---@return string? message
---@return spraay.Error? err
function x402.read(status, headers, body) end

---@class spraay.PayPolicy
---@field max spraay.Amount
---@field networks string[]?
---@field pay_to string[]?
---@field assets spraay.Asset[]?

--- Unjournaled: a lost answer is the caller's to care for.
---@param offer table
---@param with spraay.Wallet
---@param policy spraay.PayPolicy
---@return string? header_name
---@return string? value  or the message
---@return spraay.Error? err
function x402.pay(offer, with, policy) end

---@class spraay
---@field version string
---@field wallet spraay.Wallets
---@field x402 spraay.X402
---@field null userdata  JSON's null
local spraay = {}

--- Touches neither disk nor network.
---@param options? spraay.OpenOptions
---@return spraay.Client? client
---@return string? message
---@return spraay.Error? err
function spraay.open(options) end

---@param amount spraay.Amount
---@return spraay.Usdc? value
---@return string? message
---@return spraay.Error? err
function spraay.usdc(amount) end

---@param amounts spraay.Amount[]
---@return spraay.Usdc? total
---@return string? message
---@return spraay.Error? err
function spraay.sum(amounts) end

--- Run fn and every task spawned inside to their ends.
---@param fn function
---@param ... any
---@return any ...
function spraay.run(fn, ...) end

---@param fn function
---@param ... any
---@return spraay.Task
function spraay.spawn(fn, ...) end

---@param list (function|spraay.Task)[]
---@return table results  false where one failed
---@return table<integer, spraay.Error> errors
function spraay.all(list) end

---@param list any[]
---@param options { limit: integer? }|nil
---@param fn fun(item: any, index: integer): any
---@return table results
---@return table<integer, spraay.Error> errors
---@overload fun(list: any[], fn: fun(item: any, index: integer): any): table, table
function spraay.map(list, options, fn) end

---@param list (function|spraay.Task)[]
---@return any value
---@return integer|string|nil index
---@return spraay.Task[]|spraay.Error|nil left  tasks whose payment had left
function spraay.first(list) end

---@param seconds number
---@param fn function
---@param ... any
---@return any ...
function spraay.within(seconds, fn, ...) end

---@param seconds number
---@return true?
---@return string? message
---@return spraay.Error? err
function spraay.sleep(seconds) end

--- Once per frame, in a loop of your own that draws them: takes the answers that have come, resumes what is ready,
--- and waits for nothing. Without it no task ever ends by itself: task:done() stays false, and nothing is sent.
--- Inside a task, and where the loop of a host moves tasks, it is an error.
---@param seconds? number  begin nothing after so long, and go on in the next frame; what was begun is finished
---@return integer? live  tasks that have not ended
---@return string? message
---@return spraay.Error? err
function spraay.update(seconds) end

--- pcall that may be used around calls on every Lua.
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function spraay.pcall(fn, ...) end

--- How calls wait.
---@alias spraay.Driver
---| "auto"     # tasks yield to whoever moves them, coroutines of cqueues and nginx to these; else block
---| "block"    # never yield
---| "own"      # only tasks yield, moved by whoever waits
---| "frame"    # only tasks yield, moved by spraay.update
---| "luv"      # only tasks yield, moved by libuv's loop; it cannot be recognised, so it must be asked for
---| "copas"    # only tasks yield, moved by the loop of copas 4 (not tested)
---| "cqueues"  # as "auto" in a loop of cqueues
---| "ngx"      # as "auto" in OpenResty and nginx

--- Choose how calls wait from now on. Nothing changes when it fails.
---@param driver spraay.Driver
---@return true?
---@return string? message
---@return spraay.Error? err  code "driver" (no such name) or "driver_missing" (its library is not installed)
function spraay.use(driver) end

--- Mark a table as a JSON array, so that {} is written as [].
---@param list? table
---@return table
function spraay.array(list) end

---@param value any
---@return boolean
function spraay.is_error(value) end

return spraay
