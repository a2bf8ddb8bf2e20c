//! How many connections each client address has, and the most that it may have.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The bits of an IPv6 address that one customer's network has in common.
const NETWORK: u128 = !(u64::MAX as u128);

/// Those who are connected now; an address that has no connection takes no room. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    most: usize,
    seats: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address, for as long as it is held.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    pub(super) fn new(most: usize) -> Self {
        Self { most, seats: Arc::default() }
    }

    /// `None`: this address has all the connections that it may have.
    pub(super) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let address = group(address);
        let mut seats = self.lock();
        let taken = seats.entry(address).or_default();
        if *taken >= self.most {
            return None;
        }
        *taken += 1;
        Some(Seat { crowd: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing in here panics half-way.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.crowd.lock();
        if let Some(taken) = seats.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: of IPv6 a /64, of which every customer has at least one.
fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_others_theirs() {
        let crowd = Crowd::new(2);
        let held: Vec<_> = (0..2).map(|_| crowd.seat(address("192.0.2.1")).unwrap()).collect();
        assert!(crowd.seat(address("192.0.2.1")).is_none());
        assert!(crowd.seat(address("192.0.2.2")).is_some());
        drop(held);
        assert!(crowd.seat(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let crowd = Crowd::new(1);
        let _held = crowd.seat(address("2001:db8:0:1::1")).unwrap();
        assert!(crowd.seat(address("2001:db8:0:1:ffff::2")).is_none());
        assert!(crowd.seat(address("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let crowd = Crowd::new(1);
        let seats: Vec<_> =
            (0..1000).map(|n| crowd.seat(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)))).collect();
        assert_eq!(crowd.lock().len(), 1000);
        drop(seats);
        assert_eq!(crowd.lock().len(), 0);
    }
}
