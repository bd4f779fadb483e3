//! Conversion of values to the configuration of a node.

use super::{
    RoleName,
    flags::{milliseconds, missing, required, urls, within},
    values::{GWEI, Values},
};
use crate::rollup::{allowance::allowance, key_source::KeySource};
use ::rollup::{
    AdminConfig, AdminToken, BacklogConfig, Config, EngineConfig, L1Limits, PoolLimits,
    PreconfirmConfig, Prices, Role, SequencerConfig, SubmitterConfig, WatchConfig,
};
use client::RedactedUrl;
use eyre::{Result, WrapErr as _, bail, ensure};
use rpc::engine::JwtSecret;
use rpc::{Access, Namespaces, RequestLimits, ServerConfig};
use std::{net::SocketAddr, time::Duration};
use variants::GasSchedule;

/// Maximum number of L1 confirmations.
const MAX_CONFIRMATIONS: u64 = 256;

impl Values {
    /// Returns the configuration of the sequencer.
    fn sequencing(&self) -> Result<SequencerConfig> {
        let advance = KeySource {
            name: "advance",
            key: self.advance_key.as_deref(),
            password: self.advance_password_file.as_deref(),
            signer: self.advance_signer.as_deref(),
            address: self.advance_address,
        };
        let operator = KeySource {
            name: "operator",
            key: self.operator_key.as_deref(),
            password: self.operator_password_file.as_deref(),
            signer: self.operator_signer.as_deref(),
            address: self.operator_address,
        };
        let in_flight = required("--l1-in-flight", self.l1_in_flight)?;
        ensure!(in_flight > 0, "--l1-in-flight: 0, expected at least 1");
        self.check_ranges()?;
        let slow_percent = required("--backlog-slow-percent", self.backlog_slow_percent)?;
        ensure!(slow_percent < 100, "--backlog-slow-percent: less than 100");
        Ok(SequencerConfig {
            advance_key: advance.signer(|keys| keys.advance.secret())?,
            operator_key: operator.signer(|keys| keys.operator.secret())?,
            block_time: milliseconds("--block-time-ms", self.block_time_ms)?,
            idle_block_time: milliseconds("--idle-block-time-ms", self.idle_block_time_ms)?,
            submit_interval: milliseconds("--submit-interval-ms", self.submit_interval_ms)?,
            confirmations: required("--l1-confirmations", self.l1_confirmations)?,
            l1_drift: milliseconds("--l1-drift-ms", self.l1_drift_ms)?,
            submitter: SubmitterConfig {
                daily_limit: wei("--daily-limit-gwei", self.daily_limit_gwei)?,
                max_tx_fee: wei("--l1-tx-fee-cap-gwei", self.l1_tx_fee_cap_gwei)?,
                max_blob_fee: wei("--blob-fee-limit-gwei", self.blob_fee_limit_gwei)?,
                max_in_flight: in_flight,
                ..SubmitterConfig::default()
            },
            backlog: BacklogConfig {
                max_age: self.backlog_age_ms.map(Duration::from_millis),
                slow_percent,
                l1_slot: milliseconds("--l1-slot-ms", self.l1_slot_ms)?,
            },
            prices: Prices {
                gas: required("--min-tip", self.min_tip)?.into(),
                byte: required("--byte-price", self.byte_price)?.into(),
            },
            preconfirm: match self.preconfirm.unwrap_or_default() {
                true => {
                    Some(PreconfirmConfig { slice: milliseconds("--slice-ms", self.slice_ms)? })
                }
                false => None,
            },
        })
    }

    /// Returns the configuration of a watcher.
    pub(super) fn watching(&self) -> Result<WatchConfig> {
        let reporter = KeySource {
            name: "reporter",
            key: self.reporter_key.as_deref(),
            password: self.reporter_password_file.as_deref(),
            signer: self.reporter_signer.as_deref(),
            address: self.reporter_address,
        };
        let has_key = self.reporter_key.is_some() || self.reporter_signer.is_some();
        let reporter = has_key.then(|| reporter.signer(|keys| keys.advance.secret()));
        Ok(WatchConfig {
            reporter: reporter.transpose()?,
            submitter: SubmitterConfig {
                daily_limit: wei("--daily-limit-gwei", self.daily_limit_gwei)?,
                max_tx_fee: wei("--l1-tx-fee-cap-gwei", self.l1_tx_fee_cap_gwei)?,
                ..SubmitterConfig::default()
            },
            at_a_loss: self.report_at_a_loss.unwrap_or_default(),
            post: self.post.unwrap_or_default(),
            reports: None,
        })
    }

    /// Returns the limits of the pool.
    fn pool(&self) -> Result<PoolLimits> {
        within(
            "--pool-transactions",
            self.pool_transactions.map(|count| count as u64),
            1..=10_000_000,
            "a pool without capacity rejects every transaction",
        )?;
        within(
            "--pool-per-account",
            self.pool_per_account.map(|count| count as u64),
            1..=10_000_000,
            "a pool without capacity rejects every transaction",
        )?;
        Ok(PoolLimits {
            transactions: required("--pool-transactions", self.pool_transactions)?,
            per_sender: required("--pool-per-account", self.pool_per_account)?,
            gapped: required("--pool-gapped", self.pool_gapped)?,
            gapped_per_sender: required("--pool-gapped-per-account", self.pool_gapped_per_account)?,
            gapped_lifetime: required("--pool-gapped-lifetime", self.pool_gapped_lifetime)?,
            accepts_unprotected: self.allow_unprotected.unwrap_or_default(),
            local: self.pool_local.iter().flatten().copied().collect(),
            ..PoolLimits::public()
        })
    }

    /// Rejects values with which a sequencer would start but could not work.
    fn check_ranges(&self) -> Result<()> {
        within(
            "--block-time-ms",
            self.block_time_ms,
            10..=3_600_000,
            "a block takes time to build",
        )?;
        within(
            "--idle-block-time-ms",
            self.idle_block_time_ms,
            10..=86_400_000,
            "messages reach L1 only with blocks",
        )?;
        within(
            "--submit-interval-ms",
            self.submit_interval_ms,
            0..=86_400_000,
            "L1 rejects blocks that are posted later",
        )?;
        within(
            "--l1-confirmations",
            self.l1_confirmations,
            0..=MAX_CONFIRMATIONS,
            "an L1 block is final after 64, and L1 rejects L2 blocks with an older anchor",
        )?;
        within(
            "--l1-drift-ms",
            self.l1_drift_ms,
            1_000..=86_400_000,
            "L1 responds within some hundred milliseconds, and no block is built after this time without a response",
        )?;
        within(
            "--daily-limit-gwei",
            self.daily_limit_gwei,
            1..=u64::MAX,
            "nothing can be posted without spending",
        )?;
        within(
            "--l1-tx-fee-cap-gwei",
            self.l1_tx_fee_cap_gwei,
            1_000_000..=u64::MAX,
            "an advance with 1,000,000 gas costs 1,000,000 gwei at 1 gwei per gas",
        )?;
        within(
            "--l1-slot-ms",
            self.l1_slot_ms,
            100..=60_000,
            "L1 includes at most one block per slot, and a slot of Ethereum has 12,000 ms",
        )?;
        if self.backlog_age_ms.is_some() {
            within(
                "--backlog-age-ms",
                self.backlog_age_ms,
                1_000..=86_400_000,
                "L1 includes no block faster, and no block is sealed that would be included later",
            )?;
        }
        Ok(())
    }

    /// Rejects a sequencer URL that is not a WebSocket or that points to this node.
    fn check_sequencer(&self) -> Result<()> {
        let Some(url) = self.sequencer.as_deref() else { return Ok(()) };
        let redacted = RedactedUrl::new(url).to_string();
        let rest = redacted.strip_prefix("ws://").or_else(|| redacted.strip_prefix("wss://"));
        let Some(rest) = rest else {
            bail!("--sequencer: {redacted} is not a WebSocket, expected ws:// or wss://")
        };
        let (host, port) =
            (required("--http-host", self.http_host)?, required("--http-port", self.http_port)?);
        if let Ok(theirs) = rest.replace("localhost", "127.0.0.1").parse::<SocketAddr>() {
            let is_here =
                theirs.ip() == host || (host.is_unspecified() && theirs.ip().is_loopback());
            ensure!(
                !(is_here && theirs.port() == port),
                "--sequencer: {redacted} is this node (--http-host, --http-port), expected another node"
            );
        }
        Ok(())
    }

    /// Returns the limits of an L1 transaction.
    fn l1_limits(&self) -> Result<L1Limits> {
        // The largest obligations of an L2 block must fit into one L1 transaction, so neither limit
        // may be below that of mainnet.
        let mainnet = L1Limits::default();
        let bytes = required("--l1-transaction-bytes", self.l1_transaction_bytes)?;
        ensure!(bytes >= mainnet.bytes, "--l1-transaction-bytes: at least {}", mainnet.bytes);
        let gas = required("--l1-transaction-gas", self.l1_transaction_gas)?;
        ensure!(gas >= mainnet.gas, "--l1-transaction-gas: at least {}", mainnet.gas);
        Ok(L1Limits { gas, bytes })
    }

    /// Returns the listening addresses of the RPC server, and its limits for untrusted clients.
    fn server(&self) -> Result<ServerConfig> {
        Ok(ServerConfig {
            hosts: vec![required("--http-host", self.http_host)?],
            port: required("--http-port", self.http_port)?,
            access: Access {
                hosts: urls(required("--http-vhosts", self.http_vhosts.as_deref())?),
                origin: self.http_cors.clone(),
                token: None,
            },
            max_response: required("--max-response-bytes", self.max_response_bytes)?,
            max_batch: required("--max-batch", self.max_batch)?,
            max_connections: required("--max-connections", self.max_connections)?,
            max_connections_per_address: required(
                "--max-connections-per-address",
                self.max_connections_per_address,
            )?,
            request_timeout: milliseconds("--request-timeout-ms", self.request_timeout_ms)?,
            max_queued: required("--max-queued-bytes", self.max_queued_bytes)?,
            max_held: required("--max-held-bytes", self.max_held_bytes)?,
            max_subscriptions: required(
                "--max-subscriptions-per-connection",
                self.max_subscriptions_per_connection,
            )?,
            limits: RequestLimits {
                trace_bytes: required("--max-trace-bytes", self.max_trace_bytes)?,
                call_time: milliseconds("--call-timeout-ms", self.call_timeout_ms)?,
                trace_time: milliseconds("--trace-timeout-ms", self.trace_timeout_ms)?,
                sync_time: milliseconds("--sync-timeout-ms", self.sync_timeout_ms)?,
                subscriptions: required("--max-subscriptions", self.max_subscriptions)?,
            },
            http_api: namespaces("--http-api", self.http_api.as_deref())?,
            ws_api: namespaces("--ws-api", self.ws_api.as_deref())?,
            ..ServerConfig::default()
        })
    }

    /// Converts the values to the configuration of the node.
    pub(super) fn config(mut self) -> Result<Config> {
        let pool = self.pool()?;
        let (server, l1_limits) = (self.server()?, self.l1_limits()?);
        self.check_sequencer()?;
        within(
            "--poll-interval-ms",
            self.poll_interval_ms,
            10..=60_000,
            "below, L1 is polled without a pause; above, reorganisations are detected late",
        )?;
        let lease = self.lease()?;
        let is_sequencer = self.role == Some(RoleName::Sequencer);
        // A follower with both keys can be promoted.
        let has_keys = (self.advance_key.is_some() || self.advance_signer.is_some())
            && (self.operator_key.is_some() || self.operator_signer.is_some());
        let sequencing = match is_sequencer || has_keys {
            true => Some(Box::new(self.sequencing()?)),
            false => None,
        };
        let (role, standby, peer) = match sequencing {
            Some(sequencing) if is_sequencer => (Role::Sequencer(sequencing), None, self.sequencer),
            standby => (Role::Follower { sequencer: self.sequencer }, standby, None),
        };
        let engine = match (self.jwt_secret, self.engine_addr, self.engine) {
            (None, None, None) => None,
            (None, _, _) => return Err(missing("--jwt-secret")),
            (Some(_), None, None) => {
                bail!("--jwt-secret: neither --engine-addr nor --engine is given")
            }
            (Some(file), serve, drive) => {
                let secret = JwtSecret::read(&file).wrap_err("--jwt-secret")?;
                Some(EngineConfig { secret, serve, drive })
            }
        };
        let admin = match (self.admin_addr, self.admin_token_file, &self.data_dir) {
            (None, None, _) => None,
            (None, Some(_), _) => return Err(missing("--admin-addr")),
            (Some(address), Some(file), _) => Some((address, file)),
            (Some(address), None, Some(folder)) => Some((address, folder.join("admin.token"))),
            (Some(_), None, None) => {
                bail!("--admin-addr: requires --admin-token-file or --data-dir")
            }
        };
        let execute_gas = required("--l1-execute-gas", self.l1_execute_gas.as_deref())?;
        let execute_gas = execute_gas.parse::<GasSchedule>().wrap_err("--l1-execute-gas")?;
        Ok(Config {
            deployment: required("--deployment", self.deployment)?,
            allow_altered_genesis: self.allow_altered_genesis.unwrap_or_default(),
            genesis_allowance: allowance(
                self.allow_balance.as_deref().unwrap_or_default(),
                self.allow_code.as_deref().unwrap_or_default(),
            )?,
            l1: urls(&required("--l1", self.l1)?),
            l1_beacon: self.l1_beacon.as_deref().map(urls).unwrap_or_default(),
            l1_timeout: Duration::from_secs(30),
            execute_gas,
            l1_limits,
            poll_interval: milliseconds("--poll-interval-ms", self.poll_interval_ms)?,
            data_dir: self.data_dir,
            pool,
            role,
            standby,
            feeds: self.sequencer_feed.as_deref().map(urls).unwrap_or_default(),
            feed_signers: self.feed_signer.unwrap_or_default(),
            preconf_bonds: self.preconf_bonds.filter(|bonds| !bonds.is_zero()),
            peer,
            lease,
            admin: admin
                .map(|(address, file)| AdminConfig { address, token: AdminToken::File(file) }),
            server,
            engine,
            watch: None,
            observer: None,
        })
    }
}

fn namespaces(flag: &str, names: Option<&str>) -> Result<Namespaces> {
    required(flag, names)?.parse().wrap_err_with(|| flag.to_owned())
}

fn wei(flag: &str, gwei: Option<u64>) -> Result<u128> {
    required(flag, gwei).map(|gwei| u128::from(gwei) * GWEI)
}
