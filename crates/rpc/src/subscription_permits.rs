//! Permits for subscriptions, shared by all connections.

use crate::RpcError;
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Permits for subscriptions. One address may hold at most as many as are left for others, so that
/// no address can use all of them.
#[derive(Debug)]
pub(crate) struct SubscriptionPermits {
    limit: usize,
    acquired: Mutex<PermitCounts>,
}

/// Numbers of acquired permits.
#[derive(Debug, Default)]
struct PermitCounts {
    all: usize,
    /// By address; `None` for IPC, which only `limit` bounds.
    of: HashMap<Option<IpAddr>, usize>,
}

impl SubscriptionPermits {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, acquired: Mutex::default() })
    }

    /// Acquires a permit for a client at this address, until the permit is dropped.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<SubscriptionPermit, RpcError> {
        let mut acquired = self.acquired.lock();
        let own = acquired.of.get(&address).copied().unwrap_or_default();
        let free = self.limit - acquired.all;
        let refused = |what, limit: usize| {
            RpcError::exceeded(
                what,
                limit as u128 + 1,
                limit as u128,
                "unsubscribe from one, or retry later",
            )
        };
        if free == 0 {
            return Err(refused("too many subscriptions of all connections", self.limit));
        }
        if address.is_some() && own >= free {
            return Err(refused("too many subscriptions of this address", own));
        }
        acquired.all += 1;
        *acquired.of.entry(address).or_default() += 1;
        Ok(SubscriptionPermit { permits: Arc::clone(self), address })
    }
}

/// A permit for one subscription.
#[derive(Debug)]
pub(crate) struct SubscriptionPermit {
    permits: Arc<SubscriptionPermits>,
    address: Option<IpAddr>,
}

impl Drop for SubscriptionPermit {
    fn drop(&mut self) {
        let mut acquired = self.permits.acquired.lock();
        acquired.all -= 1;
        if let Some(own) = acquired.of.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                acquired.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some([10, 0, 0, last].into())
    }

    /// Acquires permits for an address until one is refused.
    fn all_of(permits: &Arc<SubscriptionPermits>, last: u8) -> Vec<SubscriptionPermit> {
        std::iter::from_fn(|| permits.acquire(address(last)).ok()).collect()
    }

    #[test]
    fn no_address_uses_up_all_permits() {
        let permits = SubscriptionPermits::new(4_096);
        let all: Vec<_> = (0..8).map(|last| all_of(&permits, last)).collect();
        let counts: Vec<_> = all.iter().map(Vec::len).collect();
        assert_eq!(counts[..3], [2_048, 1_024, 512]);
        let other = permits.acquire(address(100)).unwrap();
        assert!(permits.acquire(address(0)).is_err());
        drop(all);
        drop(other);
        assert_eq!(permits.acquired.lock().all, 0);
        assert!(permits.acquired.lock().of.is_empty());
        assert_eq!(all_of(&permits, 0).len(), 2_048);
    }

    #[test]
    fn ipc_has_only_the_common_limit() {
        let permits = SubscriptionPermits::new(3);
        let all: Vec<_> = (0..3).map(|_| permits.acquire(None).unwrap()).collect();
        let error = permits.acquire(None).unwrap_err();
        assert!(error.message.contains("all connections"), "{}", error.message);
        drop(all);
        assert!(permits.acquire(address(1)).is_ok());
    }
}
